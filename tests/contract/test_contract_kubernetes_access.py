"""How Kubernetes lets us in: rights, tokens, authorities, servers behind the service; and the manifests."""

import contextlib
import os
import shutil
import threading
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
import yaml

from pgctl.config.sections import StoreSection
from pgctl.dcs import kubernetes_options
from pgctl.dcs.kubernetes import KubernetesStore
from pgctl.dcs.kubernetes_client import KubernetesClient
from pgctl.dcs.store import ABSENT, Store
from pgctl.errors import StoreUnreachable
from pgctl.model.cluster import Revision
from pgctl.units import Seconds
from tests.contract import services_kubernetes
from tests.contract.authority import Authority
from tests.contract.kube_lab import CLOCK, RUNNING, SOON, TTL, Lab, applied, values
from tests.contract.kube_proxy import Between, between
from tests.contract.services import wait_for

pytestmark = [pytest.mark.contract, pytest.mark.store("kubernetes")]


@pytest.fixture
def middle_of_alone(alone: Lab) -> Iterator[Between]:
    with between(alone.server) as found:
        yield found


def grant(lab: Lab, name: str, kind: str, *, without: tuple[str, str] = ("", "")) -> None:
    """Applies the rights of kubernetes/rbac.yaml to a user or service account, but for one (resource, verb)."""
    account, role, binding = yaml.safe_load_all(Path("kubernetes/rbac.yaml").read_text(encoding="utf-8"))
    for rule in role["rules"]:
        rule["verbs"] = [verb for verb in rule["verbs"] if (rule["resources"][0], verb) != without]
    rights = f"/apis/rbac.authorization.k8s.io/v1/namespaces/{lab.namespace}"
    lab.server.make(f"{lab.path}/serviceaccounts", account)
    lab.server.make(f"{rights}/roles", role)
    subject = {"kind": kind, "name": name, **({"namespace": lab.namespace} if kind == "ServiceAccount" else {})}
    lab.server.make(f"{rights}/rolebindings", {**binding, "subjects": [subject]})


def lives(lab: Lab, store: Store) -> None:
    """All that a member asks for, once."""
    applied(store.put("config", "{}", expect=ABSENT, budget=SOON))
    applied(store.put("members/a", RUNNING, leased=True, ttl=TTL, budget=SOON))
    applied(store.hold("leader", "a", ttl=TTL, guard={"sync": ABSENT}, budget=SOON))
    applied(store.renew(ttl=TTL, budget=SOON))
    heard: list[frozenset[str]] = []
    since = store.snapshot(budget=SOON).revision
    watching = threading.Thread(target=lambda: watch(store, since, heard))
    watching.start()
    time.sleep(0.3)
    lab.open("b").put("sync", "1", budget=SOON)
    lab.server.patch(f"{lab.path}/pods/a", {"metadata": {"annotations": {"status": RUNNING.replace("running", "stopped")}}})
    wait_for(lambda: {"sync", "members/a"} <= frozenset().union(*heard), within=3, what="the changes to be told")
    store.close()
    watching.join()
    for key in ("leader", "members/a"):
        applied(lab.open("a", token="ha").delete(key, budget=SOON))


def watch(store: Store, since: Revision, heard: list[frozenset[str]]) -> None:
    with contextlib.suppress(StoreUnreachable):
        store.watch(since, heard.append, budget=Seconds(5))


def rights() -> list[tuple[str, str]]:
    _, role, _ = yaml.safe_load_all(Path("kubernetes/rbac.yaml").read_text(encoding="utf-8"))
    return [(rule["resources"][0], verb) for rule in role["rules"] for verb in rule["verbs"]]


def test_every_right_of_the_manifest_is_needed(alone: Lab) -> None:
    """Without any one of them a member cannot live, so none is there for nothing."""
    enough = []
    for without in [("", ""), *rights()]:
        lab = Lab(alone.server)
        lab.pod("a")
        grant(lab, "ha", "User", without=without)
        some = next(each for each in rights() if each != without)
        wait_for(partial(allowed, lab, *some), within=10, what="the rights to be known")
        with contextlib.suppress(StoreUnreachable, AssertionError) if without[0] else contextlib.nullcontext():
            lives(lab, lab.open("a", token="ha"))
            enough.append(without)
        lab.close()
    assert enough == [("", "")]


def allowed(lab: Lab, resource: str, verb: str) -> bool:
    asked = {"spec": {"user": "ha", "resourceAttributes": {"namespace": lab.namespace, "resource": resource, "verb": verb}}}
    answer = lab.server.ask("POST", "/apis/authorization.k8s.io/v1/subjectaccessreviews", asked)
    return bool(answer["status"]["allowed"])


def test_the_rights_of_the_manifest_are_enough_and_without_them_it_says_so(alone: Lab) -> None:
    alone.pod("a")
    store = alone.open("a", token="ha")
    with pytest.raises(StoreUnreachable, match="forbidden") as caught:
        store.snapshot(budget=SOON)
    assert "kubernetes/rbac.yaml" in caught.value.hint
    with pytest.raises(StoreUnreachable, match="forbidden"):
        store.put("config", "1", budget=SOON)
    grant(alone, "ha", "User")
    wait_for(lambda: works(store), within=10, what="the rights to be known")
    applied(store.put("config", "{}", expect=ABSENT, budget=SOON))
    applied(store.put("members/a", RUNNING, leased=True, ttl=TTL, budget=SOON))
    held = applied(store.hold("leader", "a", ttl=TTL, guard={"sync": ABSENT}, budget=SOON))
    applied(store.renew(ttl=TTL, budget=SOON))
    store.watch(store.snapshot(budget=SOON).revision, lambda keys: None, budget=Seconds(0.5))
    applied(store.delete("leader", expect=held.revision, budget=SOON))
    applied(store.delete("members/a", budget=SOON))
    assert values(store) == {"config": "{}"}


def works(store: Store) -> bool:
    try:
        store.snapshot(budget=SOON)
    except StoreUnreachable:
        return False
    return True


def test_a_service_accounts_token_is_read_again_when_it_is_refused(alone: Lab, tmp_path: Path) -> None:
    grant(alone, "pgctl", "ServiceAccount")
    account = f"{alone.path}/serviceaccounts/pgctl/token"
    token = alone.server.ask("POST", account, {"spec": {"expirationSeconds": 600}})["status"]["token"]
    directory = tmp_path / "account"
    directory.mkdir()
    (directory / "token").write_text("worn out", encoding="utf-8")
    os.link(alone.server.directory / "ca.crt", directory / "ca.crt")
    options = {"labels": services_kubernetes.LABELS, "namespace": alone.namespace, "service_host": "127.0.0.1",
               "service_port": str(alone.server.port)}
    choice = kubernetes_options.choice(StoreSection("kubernetes", options, scope="prod"))
    client = KubernetesClient(options, CLOCK, service_account=str(directory))
    store = alone.keep(KubernetesStore(client, choice, "", CLOCK))
    with pytest.raises(StoreUnreachable, match="Unauthorized") as caught:
        store.snapshot(budget=Seconds(2))
    assert "token" in caught.value.hint and "worn" not in str(caught.value)
    (directory / "token").write_text(token, encoding="utf-8")
    applied(store.put("config", "1", budget=SOON))
    assert values(store) == {"config": "1"}


def test_authorities_are_read_again_when_the_server_has_another_certificate(alone: Lab, middle_of_alone: Between,
                                                                           tmp_path: Path) -> None:
    """It is another authority's now: nothing is believed until that is in the file, and then at once."""
    directory, other = tmp_path / "account", Authority(tmp_path / "other")
    directory.mkdir()
    (directory / "token").write_text("admin", encoding="utf-8")
    shutil.copy(alone.server.directory / "ca.crt", directory / "ca.crt")
    options = {"labels": services_kubernetes.LABELS, "namespace": alone.namespace, "service_host": "127.0.0.1",
               "service_port": str(middle_of_alone.port)}
    choice = kubernetes_options.choice(StoreSection("kubernetes", options, scope="prod"))
    store = alone.keep(KubernetesStore(KubernetesClient(options, CLOCK, service_account=str(directory)), choice, "", CLOCK))
    applied(store.put("config", "1", budget=SOON))
    middle_of_alone.certify(*other.issue("server", "/CN=server"))
    with pytest.raises(StoreUnreachable, match="certificate not accepted"):
        store.snapshot(budget=Seconds(2))
    shutil.copy(other.cacert, directory / "ca.crt")
    assert values(store) == {"config": "1"}


def test_servers_are_asked_directly_when_the_service_is_to_be_bypassed(lab: Lab, middle: Between) -> None:
    """The service's address dies; the server behind it is still found."""
    subset = {"addresses": [{"ip": "127.0.0.1"}], "ports": [{"name": "https", "port": lab.server.port}]}
    middle.instead["/api/v1/namespaces/default/endpoints/kubernetes"] = {
        "metadata": {"resourceVersion": "1"}, "subsets": [subset]}
    store = lab.open(port=middle.port, bypass_api_service=True)
    applied(store.put("config", "1", budget=SOON))
    asked = list(middle.asked)
    applied(store.put("config", "2", budget=SOON))
    assert values(store) == {"config": "2"} and middle.asked == asked
    plain = lab.open(port=middle.port, bypass_api_service=True)
    middle.refusals += [(403, {})]
    applied(plain.put("config", "3", budget=SOON))
    assert values(plain) == {"config": "3"} and middle.asked[-1] == f"GET {lab.path}/pods"


# --- the manifests ---


def test_a_real_api_server_takes_the_manifests(lab: Lab) -> None:
    for file in ("rbac", "cluster"):
        for document in yaml.safe_load_all(Path(f"kubernetes/{file}.yaml").read_text(encoding="utf-8")):
            version, plural = document["apiVersion"], document["kind"].lower() + "s"
            path = f"/{'api' if version == 'v1' else 'apis'}/{version}/namespaces/{lab.namespace}/{plural}"
            made = lab.server.ask("POST", path, document)
            assert made["metadata"]["name"] == document["metadata"]["name"]
