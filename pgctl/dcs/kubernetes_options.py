"""The section `kubernetes` as values: how the cluster's objects, labels and ports are called. Pure. Source: config.md 5."""

from collections.abc import Mapping
from dataclasses import dataclass

from pgctl.config.ctl_sections import StoreSection
from pgctl.dcs.kubernetes_labels import LabelNames
from pgctl.dcs.kubernetes_layout import Layout
from pgctl.errors import ConfigError
from pgctl.units import parse_bool

_PORT = 5432


@dataclass(frozen=True, slots=True)
class Choice:
    """`ports` are those of the leader's Endpoints; `pod_ip` is empty where the pod is to be asked for its address."""

    layout: Layout
    names: LabelNames
    ports: tuple[Mapping[str, object], ...]
    pod_ip: str = ""


def choice(section: StoreSection) -> Choice:
    """Raises ConfigError."""
    options = section.options
    endpoints = parse_bool(options.get("use_endpoints") or False)
    labels = _texts(options.get("labels"), "labels")
    if endpoints is None:
        raise ConfigError("kubernetes.use_endpoints is neither true nor false")
    if not labels:
        raise ConfigError("kubernetes.labels is missing", hint="Name the labels that the cluster's pods have.")
    layout = Layout(section.scope, endpoints, labels, _text(options, "scope_label", "cluster-name"))
    names = LabelNames(
        _text(options, "role_label", "role"),
        _text(options, "leader_label_value", "primary"),
        _text(options, "standby_leader_label_value", "primary"),
        _text(options, "follower_label_value", "replica"),
        _text(options, "tmp_role_label", ""),
        _texts(options.get("bootstrap_labels"), "bootstrap_labels"),
    )
    return Choice(layout, names, _ports(options.get("ports")), _text(options, "pod_ip", ""))


def _text(options: Mapping[str, object], name: str, default: str) -> str:
    return str(options.get(name) or default)


def _texts(value: object, name: str) -> Mapping[str, str]:
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise ConfigError(f"kubernetes.{name} is no mapping of labels to values")
    return {str(label): str(text) for label, text in value.items()}


def _ports(value: object) -> tuple[Mapping[str, object], ...]:
    """As Endpoints have them; without any, PostgreSQL's own."""
    if not value:
        return ({"port": _PORT},)
    rows = [row for row in (value if isinstance(value, list) else [value]) if isinstance(row, dict)]
    if not rows or not all(str(row.get("port", "")).isdigit() for row in rows):
        raise ConfigError("kubernetes.ports is no list of ports",
                          hint="Write it like [{name: postgresql, port: 5432}], with the names that the Service has.")
    return tuple({**row, "port": int(row["port"])} for row in rows)
