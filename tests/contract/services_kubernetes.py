"""A real Kubernetes API server for the contract tests, with an etcd of its own: no kubelet, no controllers.

Pods are documents here: nobody runs them, so a test makes those it needs, and their status.
"""

import json
import os
import signal
import ssl
import subprocess
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from pgctl.dcs import keys
from pgctl.dcs.store import Applied, Rejected, Snapshot, Store
from pgctl.model.cluster import Revision
from pgctl.units import Seconds
from tests.contract import services
from tests.contract.services import Etcd, etcd_program, free_ports, wait_for
from tests.signals import send

HINT = "needs kube-apiserver: make services SERVICES=kube-apiserver builds it in 8 minutes (or set PGCTL_KUBE_APISERVER)"
LABELS = {"application": "pgctl"}


def find() -> str:
    """The program: PGCTL_KUBE_APISERVER, PATH, or where scripts/kube-apiserver.sh put it; empty when there is none."""
    named = os.environ.get("PGCTL_KUBE_APISERVER", "")
    return named if os.access(named, os.X_OK) else services.find("kube-apiserver")


def program() -> str:
    """Skips the test, saying what brings the server, where there is none."""
    found = find()
    if not found:
        pytest.skip(HINT)
    return found


class KubeApi:
    """One API server with its etcd. Both are frozen, killed and started together."""

    def __init__(self, directory: Path, *arguments: str) -> None:
        self.directory = directory
        etcd_port, peer, self._port = free_ports(3)
        self.etcd = Etcd(directory, "etcd", etcd_port, peer, f"etcd=http://127.0.0.1:{peer}")
        make_keys(directory)
        (directory / "tokens.csv").write_text("admin,admin,1,system:masters\nha,ha,2\n", encoding="utf-8")
        file = directory.joinpath
        self._command = [
            program(), f"--etcd-servers=http://127.0.0.1:{etcd_port}", "--bind-address=127.0.0.1",
            "--advertise-address=127.0.0.1", f"--secure-port={self._port}", f"--tls-cert-file={file('server.crt')}",
            f"--tls-private-key-file={file('server.key')}", f"--client-ca-file={file('ca.crt')}",
            "--service-account-issuer=https://kubernetes.default.svc", f"--service-account-key-file={file('sa.pub')}",
            f"--service-account-signing-key-file={file('sa.key')}", f"--token-auth-file={file('tokens.csv')}",
            "--anonymous-auth=false", "--disable-admission-plugins=ServiceAccount,TaintNodesByCondition",
            "--service-cluster-ip-range=10.96.0.0/16", "--endpoint-reconciler-type=none", "--profiling=false",
            *(arguments or ("--authorization-mode=AlwaysAllow",)),
        ]
        self._process: subprocess.Popen[bytes] | None = None
        self.context = ssl.create_default_context(cafile=str(file("ca.crt")))

    @property
    def port(self) -> int:
        return self._port

    @property
    def url(self) -> str:
        return f"https://127.0.0.1:{self._port}"

    def start(self) -> None:
        self.etcd.start()
        self.start_api()

    def start_api(self) -> None:
        with (self.directory / "apiserver.log").open("ab") as log:
            self._process = subprocess.Popen(self._command, stdout=log, stderr=log, cwd=self.directory)

    def kill(self) -> None:
        self.kill_api()
        self.etcd.kill()

    def kill_api(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def signal(self, number: signal.Signals) -> None:
        if self._process is not None:
            send(self._process, number)
            self.etcd.signal(number)

    def healthy(self) -> bool:
        try:
            self.ask("GET", "/readyz", timeout=1)
            self.ask("GET", "/api/v1/namespaces/default", timeout=1)
        except (OSError, ValueError):
            return False
        return True

    def ask(self, method: str, path: str, document: object = None, *, token: str = "admin", timeout: float = 10,
            kind: str = "application/json") -> Any:
        """What another program asks of it: the JSON of the answer. Raises OSError."""
        body = None if document is None else json.dumps(document).encode()
        headers = {"Authorization": f"Bearer {token}", "Content-Type": kind}
        request = urllib.request.Request(self.url + path, body, headers, method=method)
        with urllib.request.urlopen(request, timeout=timeout, context=self.context) as answer:
            text = answer.read()
            return json.loads(text) if text.lstrip().startswith(b"{") else text

    def make(self, path: str, document: object) -> None:
        """Creates something; that it exists already is fine."""
        try:
            self.ask("POST", path, document)
        except urllib.error.HTTPError as error:
            if error.code != 409:
                raise

    def patch(self, path: str, document: object) -> Any:
        return self.ask("PATCH", path, document, kind="application/merge-patch+json")

    def kubeconfig(self, port: int, token: str = "admin", scheme: str = "https") -> str:
        """A file that leads to the server at that port, or to what stands before it there."""
        path = self.directory / f"kubeconfig-{port}-{token}"
        path.write_text(json.dumps({
            "apiVersion": "v1", "kind": "Config", "current-context": "lab",
            "clusters": [{"name": "lab", "cluster": {"server": f"{scheme}://127.0.0.1:{port}",
                                                     "certificate-authority": str(self.directory / "ca.crt")}}],
            "users": [{"name": "one", "user": {"token": token}}],
            "contexts": [{"name": "lab", "context": {"cluster": "lab", "user": "one"}}],
        }), encoding="utf-8")
        return str(path)

    def namespace(self, name: str) -> str:
        """A namespace of that name."""
        self.make("/api/v1/namespaces", {"metadata": {"name": name}})
        return name

    def pod(self, namespace: str, name: str, labels: Mapping[str, str], address: str = "") -> None:
        """A pod as a scheduler and a kubelet would leave it: there, and with an address if one is given."""
        self.make(f"/api/v1/namespaces/{namespace}/pods", {
            "metadata": {"name": name, "labels": dict(labels)}, "spec": {"containers": [{"name": "c", "image": "i"}]}})
        if address:
            self.patch(f"/api/v1/namespaces/{namespace}/pods/{name}/status",
                       {"status": {"phase": "Running", "podIP": address, "podIPs": [{"ip": address}]}})


@contextmanager
def kubernetes(directory: Path, *arguments: str) -> Iterator[KubeApi]:
    """A running API server, healthy at the start."""
    program()
    etcd_program()
    server = KubeApi(directory, *arguments)
    try:
        server.start()
        wait_for(server.healthy, within=90, what=f"{server.url} to be healthy")
        yield server
    finally:
        server.kill()


def make_keys(directory: Path) -> None:
    """An authority, the server's certificate and the keys of service accounts."""
    def openssl(*words: str) -> None:
        subprocess.run(["openssl", *words], cwd=directory, check=True, capture_output=True)

    (directory / "san").write_text("subjectAltName=IP:127.0.0.1,DNS:localhost\nextendedKeyUsage=serverAuth\n",
                                   encoding="utf-8")
    openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "30", "-subj", "/CN=ca", "-keyout", "ca.key",
            "-out", "ca.crt")
    openssl("req", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=server", "-keyout", "server.key", "-out", "server.csr")
    openssl("x509", "-req", "-in", "server.csr", "-CA", "ca.crt", "-CAkey", "ca.key", "-CAcreateserial", "-days", "30",
            "-extfile", "san", "-out", "server.crt")
    openssl("genrsa", "-out", "sa.key", "2048")
    openssl("rsa", "-in", "sa.key", "-pubout", "-out", "sa.pub")


class Admitting:
    """A store before which the pod of each member that writes itself is made, as a scheduler would have."""

    def __init__(self, store: Store, admit: Callable[[str], None]) -> None:
        self._store = store
        self._admit = admit
        self._known: set[str] = set()

    def put(self, key: str, value: str, *, expect: Revision | None = None, leased: bool = False,
            ttl: Seconds | None = None, budget: Seconds) -> Applied | Rejected:
        member = keys.member_name(key)
        if member is not None and member not in self._known:
            self._admit(member)
            self._known.add(member)
        return self._store.put(key, value, expect=expect, leased=leased, ttl=ttl, budget=budget)

    def snapshot(self, *, budget: Seconds) -> Snapshot:
        return self._store.snapshot(budget=budget)

    def delete(self, key: str, *, expect: Revision | None = None, budget: Seconds) -> Applied | Rejected:
        return self._store.delete(key, expect=expect, budget=budget)

    def hold(self, key: str, value: str, *, ttl: Seconds, guard: Mapping[str, Revision] | None = None,
             budget: Seconds) -> Applied | Rejected:
        return self._store.hold(key, value, ttl=ttl, guard=guard, budget=budget)

    def renew(self, *, ttl: Seconds, budget: Seconds) -> Applied | Rejected:
        return self._store.renew(ttl=ttl, budget=budget)

    def watch(self, since: Revision, changed: Callable[[frozenset[str]], None], *, budget: Seconds) -> None:
        self._store.watch(since, changed, budget=budget)

    def close(self) -> None:
        self._store.close()
