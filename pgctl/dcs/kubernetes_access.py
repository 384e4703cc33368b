"""Where the API server is and how to get in: a pod's service account, or a kubeconfig. Reads files, opens nothing else.

In a pod the platform says where the server is, and keeps token and authorities in files that change while we run; so
`access` is called again when one of `files` has changed. Outside, the kubeconfig of the user counts, in the context that
`kubernetes.context` names. Programs that a kubeconfig wants to run for a token are not run.
Source: kubernetes.io/docs/concepts/configuration/organize-cluster-access-kubeconfig, config.md 5.
"""

import base64
import os
import ssl
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import yaml

from pgctl.errors import ConfigError
from pgctl.net import Tls

SERVICE_ACCOUNT = "/var/run/secrets/kubernetes.io/serviceaccount"

Options = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Access:
    """`headers` authenticate. `files` are those whose change calls for reading all this again."""

    server: str
    namespace: str
    tls: Tls | None
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    files: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class InlineTls(Tls):
    """With PEM texts, as a kubeconfig may carry them, instead of files."""

    ca_text: str = ""
    cert_text: str = field(default="", repr=False)
    """Certificate and key in one."""

    def context(self) -> ssl.SSLContext:
        context = Tls.context(self)
        try:
            if self.ca_text:
                context = ssl.create_default_context(cadata=self.ca_text)
                context.check_hostname = self.verify and self.check_host
                context.verify_mode = ssl.CERT_REQUIRED if self.verify else ssl.CERT_NONE
                if self.cert:
                    context.load_cert_chain(self.cert, self.key or None)
            if self.cert_text:
                # OpenSSL takes a key from a file only; nobody else may read this one, and it is gone in a moment.
                with tempfile.NamedTemporaryFile("w") as file:
                    file.write(self.cert_text)
                    file.flush()
                    context.load_cert_chain(file.name)
        except (OSError, ValueError) as error:
            raise ConfigError("the certificates in the kubeconfig cannot be used", detail=str(error)) from error
        return context


def access(options: Options, *, service_account: str = SERVICE_ACCOUNT) -> Access:
    """How to get in, as the files are now. Raises ConfigError."""
    host = str(options.get("service_host") or "")
    token = os.path.join(service_account, "token")
    if host and not options.get("context") and os.path.exists(token):
        return _in_pod(options, host, service_account)
    return _by_kubeconfig(options)


def any_host(tls: Tls) -> Tls:
    """The same trust, whatever name the other side goes by: servers behind a service are called by their addresses."""
    return replace(tls, check_host=False)


def state(files: tuple[str, ...]) -> tuple[object, ...]:
    """What tells that one of the files has changed: a mounted secret is replaced by a link to another file."""
    def look(path: str) -> object:
        try:
            found = os.stat(path)
        except OSError:
            return None
        return found.st_ino, found.st_mtime_ns, found.st_size

    return tuple(look(path) for path in files)


def _in_pod(options: Options, host: str, directory: str) -> Access:
    token, ca = os.path.join(directory, "token"), str(options.get("cacert") or os.path.join(directory, "ca.crt"))
    at = f"[{host}]" if ":" in host else host
    own = os.path.join(directory, "namespace")
    namespace = str(options.get("namespace") or "default")
    files = tuple(path for path in (token, ca, own) if os.path.exists(path))
    return Access(f"https://{at}:{options.get('service_port') or 443}", namespace, Tls(cacert=ca),
                  {"authorization": f"Bearer {_text(token).strip()}"}, files)


def _by_kubeconfig(options: Options) -> Access:
    paths = [path for path in str(options.get("kubeconfig") or "~/.kube/config").split(":") if path]
    path = next((full for path in paths if os.path.exists(full := os.path.expanduser(path))), "")
    if not path:
        raise ConfigError("there is no way to the Kubernetes API server",
                          detail=f"this is no pod with a service account, and there is no {' nor '.join(paths)}",
                          hint="In a pod, let its service account's token be mounted; elsewhere set KUBECONFIG.")
    document = _mapping(_yaml(path), path)
    name = str(options.get("context") or document.get("current-context") or "")
    context = _named(document, "contexts", "context", name, path)
    cluster = _named(document, "clusters", "cluster", str(context.get("cluster")), path)
    user = _named(document, "users", "user", str(context.get("user")), path) if context.get("user") else {}
    server = str(cluster.get("server") or "").rstrip("/")
    if not server.startswith(("http://", "https://")):
        raise ConfigError(f'the cluster of context "{name}" in {path} has no server with http:// or https://')
    token_file = _beside(path, user.get("tokenFile"))
    tls = _tls(cluster, user, path, str(options.get("cacert") or "")) if server.startswith("https:") else None
    files = [path, token_file, *((tls.cacert, tls.cert, tls.key) if tls else ())]
    return Access(server, str(options.get("namespace") or context.get("namespace") or "default"), tls,
                  _headers(user, token_file, name, path), tuple(file for file in files if file))


def _headers(user: Options, token_file: str, context: str, path: str) -> Mapping[str, str]:
    if token_file or user.get("token"):
        return {"authorization": f"Bearer {_text(token_file).strip() if token_file else user['token']}"}
    if user.get("username"):
        pair = f"{user['username']}:{user.get('password') or ''}"
        return {"authorization": f"Basic {base64.b64encode(pair.encode()).decode()}"}
    if (user.get("exec") or user.get("auth-provider")) and not user.get("client-certificate-data"):
        raise ConfigError(f'the user of context "{context}" in {path} gets its token from a program',
                          hint="Give it a token, a tokenFile or a client certificate: pgctl runs no such program.")
    return {}


def _tls(cluster: Options, user: Options, path: str, cacert: str) -> InlineTls:
    texts = [_pem(user.get(f"{name}-data"), path) for name in ("client-certificate", "client-key")]
    authority = "" if cacert else _pem(cluster.get("certificate-authority-data"), path)
    return InlineTls(
        cacert=cacert or ("" if authority else _beside(path, cluster.get("certificate-authority"))),
        cert="" if texts[0] else _beside(path, user.get("client-certificate")),
        key="" if texts[0] else _beside(path, user.get("client-key")),
        verify=not cluster.get("insecure-skip-tls-verify"),
        ca_text=authority,
        cert_text="\n".join(texts) if texts[0] else "",
    )


def _pem(value: object, path: str) -> str:
    try:
        return base64.b64decode(str(value)).decode() if value else ""
    except ValueError as error:
        raise ConfigError(f"a certificate or key in {path} is not base64") from error


def _beside(path: str, name: object) -> str:
    """A file that a kubeconfig names; a relative name starts where the kubeconfig is."""
    return os.path.join(os.path.dirname(os.path.abspath(path)), str(name)) if name else ""


def _named(document: Options, group: str, kind: str, name: str, path: str) -> Options:
    rows = document.get(group)
    for row in rows if isinstance(rows, list) else []:
        if isinstance(row, dict) and row.get("name") == name:
            return _mapping(row.get(kind), path)
    raise ConfigError(f'there is no {kind} "{name}" in {path}', hint="Set kubernetes.context to one that is there.")


def _mapping(value: object, path: str) -> Options:
    if not isinstance(value, dict):
        raise ConfigError(f"{path} is no kubeconfig")
    return value


def _yaml(path: str) -> object:
    try:
        return yaml.load(_text(path), getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    except yaml.YAMLError as error:
        raise ConfigError(f"{path} is not valid YAML") from error


def _text(path: str) -> str:
    try:
        with open(path, encoding="utf-8") as file:
            return file.read()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"cannot read {path}", detail=getattr(error, "strerror", "") or str(error)) from error
