"""Files and environment → a document, and what the command line needs of it: the only reader of both.

Layers, weakest first: the file (or the .yml and .yaml files of a directory, by name), then the environment. Mappings
merge, lists and scalars replace, null deletes. Without a file the environment stands alone. Opens no connection.
Source: config.md 1, cli.md 1.
"""

import os
import stat
from collections.abc import Mapping
from typing import Any

import yaml

from pgctl.config import build_ctl, dcs_url, table, variables
from pgctl.config.ctl_sections import CtlConfiguration
from pgctl.config.reader import Fault, Reader
from pgctl.errors import ConfigError
from pgctl.model import merge

_YAML = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

CTL_DEFAULTS = (
    "~/.config/pgctl/pgctl.yaml", "~/.config/patroni/patronictl.yaml", "/etc/pgctl/pgctl.yaml",
    "/etc/patroni/patroni.yml",
)
"""Where the command line looks when it is told nothing; the first that exists."""
CTL_VARIABLES = ("PGCTL_CONFIG_FILE", "PATRONICTL_CONFIG_FILE")
DCS_VARIABLES = ("PGCTL_DCS_URL", "DCS_URL")

_PLATFORM = {"KUBERNETES_SERVICE_HOST": "service_host", "KUBERNETES_SERVICE_PORT": "service_port",
             "KUBECONFIG": "kubeconfig"}
"""Variable → option of the section `kubernetes`."""
_FOR_PEOPLE = ("EDITOR", "VISUAL", "PAGER", "HOME", "SHELL", "TERM", "COLUMNS", "LINES", "NO_COLOR", "TZ", "LOGLEVEL")


def load_ctl(path: str | None = None, dcs_url_text: str | None = None, *, insecure: bool = False,
             environment: Mapping[str, str] | None = None) -> CtlConfiguration:
    """What the command line needs. A named path that is missing is an error; default paths are tried in silence.

    A URL replaces where the store is, and keeps TLS files and credentials of its kind. Raises ConfigError.
    """
    found = dict(os.environ) if environment is None else environment
    path = path or next((found[name] for name in CTL_VARIABLES if found.get(name)), None) or _default_path()
    text, source, _ = document(path, found)
    url = dcs_url_text or next((found[name] for name in DCS_VARIABLES if found.get(name)), None)
    if url:
        store = dcs_url.section(url, text)
        text = {key: value for key, value in text.items() if key not in table.STORES}
        text |= {store.kind: dict(store.options), "namespace": store.namespace}
    text = in_its_place(text, found, agent=False)
    if insecure:
        text = merge.merge_patch(text, {"ctl": {"insecure": True}})[0]
    reader = Reader(text)
    configuration = build_ctl.configuration(reader, source=source)
    refuse(reader.faults, source)
    return configuration


def document(path: str | None, environment: Mapping[str, str]) -> tuple[dict[str, Any], str, tuple[str, ...]]:
    """The merged document (may be empty), where it came from, and sentences on variables that cannot be used.

    Raises ConfigError.
    """
    if path is None or not os.path.exists(path):
        name = next((name for name in variables.WHOLE if environment.get(name)), None)
        if name is not None:
            return _mapping(environment[name], name), name, ()
        if path is not None:
            raise ConfigError(f"there is no configuration file {path}", hint="Check the path.")
    patch, wrong = variables.document(environment)
    merged = merge.merge_patch(_from_path(path) if path else {}, patch)[0]
    return merged, path or "environment", wrong


def in_its_place(text: dict[str, Any], environment: Mapping[str, str], *, agent: bool) -> dict[str, Any]:
    """The document with what Kubernetes tells a pod, or KUBECONFIG a person, about where its API server is.

    A command asks once, by the front door: `bypass_api_service` is for agents.
    """
    section = text.get("kubernetes")
    if not isinstance(section, Mapping):
        return text
    told = {key: environment[name] for name, key in _PLATFORM.items() if environment.get(name)}
    kept = {key: value for key, value in section.items() if agent or key != "bypass_api_service"}
    return {**text, "kubernetes": {**told, **kept}}


def take_environment() -> Mapping[str, str]:
    """The environment, once; what is ours is removed from it, so that no program we start sees our secrets."""
    found = dict(os.environ)
    for name in found:
        if variables.recognised(name):
            del os.environ[name]
    return found


def environment() -> Mapping[str, str]:
    """Variables that the command line may look at: libpq's, and those by which people state preferences."""
    return {
        name: value for name, value in os.environ.items()
        if name in _FOR_PEOPLE or name.startswith(("PG", "LC_", "LANG", "XDG_"))
    }


def _default_path() -> str | None:
    paths = (os.path.expanduser(path) for path in CTL_DEFAULTS)
    return next((path for path in paths if os.access(path, os.R_OK)), None)


def _from_path(path: str) -> dict[str, Any]:
    """One file's mapping, or that of a directory's .yml and .yaml files: later names win."""
    if not os.path.isdir(path):
        return _mapping(_text(path), path)
    names = sorted(name for name in os.listdir(path) if name.endswith((".yml", ".yaml")))
    files = [f"{path}/{name}" for name in names if stat.S_ISREG(os.stat(f"{path}/{name}").st_mode)]
    if not files:
        raise ConfigError(f"no .yml or .yaml file in {path}")
    first, *others = (_mapping(_text(name), name) for name in files)
    for later in others:
        first = merge.merge_patch(first, later)[0]
    return first


def _text(path: str) -> str:
    try:
        with open(path, encoding="utf-8") as file:
            return file.read()
    except OSError as error:
        raise ConfigError(f"cannot read {path}", detail=error.strerror or str(error)) from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"cannot read {path}", detail="it is not UTF-8 text") from error


def _mapping(text: str, source: str) -> dict[str, Any]:
    """The YAML mapping in `text`. Raises ConfigError."""
    try:
        value = yaml.load(text, _YAML)  # the C loader, or else the pure one: both are safe
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise ConfigError(f"{source} is not valid YAML", detail=_where(error)) from error
    if not isinstance(value, dict):
        raise ConfigError(f"{source} is not a mapping of names to values")
    return {str(key): inner for key, inner in value.items()}


def _where(error: Exception) -> str:
    """The parser's words with line and column, without the line itself: it may hold a secret."""
    mark = getattr(error, "problem_mark", None)
    problem = getattr(error, "problem", None) or "it cannot be parsed"
    return f"line {mark.line + 1}, column {mark.column + 1}: {problem}" if mark else str(problem)


def refuse(faults: list[Fault], source: str) -> None:
    """Raises ConfigError when any fault is an error."""
    errors = list(dict.fromkeys(fault for fault in faults if fault.error))
    if errors:
        lines = [f"{fault.place}: {fault.message}" for fault in errors]
        hints = list(dict.fromkeys(fault.hint for fault in errors if fault.hint))
        message = f"the configuration in {source} cannot be used"
        raise ConfigError(message, detail="; ".join(lines), hint=" ".join(hints))
