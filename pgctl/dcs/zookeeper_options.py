"""The section `zookeeper` as kazoo's arguments. Opens nothing. Source: config.md 5, kazoo.readthedocs.io."""

from collections.abc import Mapping
from typing import Any

from kazoo.security import ACL, make_acl

from pgctl.errors import ConfigError
from pgctl.model import addresses
from pgctl.units import parse_bool

_PORT = 2181
_RIGHTS = ("read", "write", "create", "delete", "admin", "all")


def arguments(options: Mapping[str, Any]) -> dict[str, Any]:
    """Raises ConfigError."""
    hosts = options.get("hosts")
    listed = hosts.split(",") if isinstance(hosts, str) else hosts if isinstance(hosts, list) else []
    found = [addresses.split(str(host).strip(), _PORT) for host in listed]
    if not found or None in found:
        raise ConfigError("zookeeper.hosts is missing or wrong", hint="List servers: zookeeper: {hosts: [a:2181, b:2181]}.")
    secure = parse_bool(options.get("use_ssl") or False)
    return {
        "hosts": ",".join(addresses.join(*host) for host in found if host),
        "use_ssl": bool(secure),
        "verify_certs": parse_bool(options.get("verify", True)) is not False,
        **{name: str(options[key]) for name, key in (("ca", "cacert"), ("certfile", "cert"), ("keyfile", "key"),
                                                     ("keyfile_password", "key_password")) if options.get(key)},
        **({"default_acl": acls(_mapping(options["set_acls"], "set_acls"))} if options.get("set_acls") else {}),
        **({"auth_data": [(str(scheme), str(text)) for scheme, text in _mapping(options["auth_data"], "auth_data").items()]}
           if options.get("auth_data") else {}),
        **({"sasl_options": dict(_mapping(options["sasl_options"], "sasl_options"))} if options.get("sasl_options") else {}),
    }


def acls(wanted: Mapping[str, Any]) -> list[ACL]:
    """Who may do what with the nodes we make; a principal without a scheme is that of a certificate (x509)."""
    found = []
    for principal, rights in wanted.items():
        names = [str(right).lower() for right in (rights if isinstance(rights, list) else [rights])]
        if wrong := [name for name in names if name not in _RIGHTS]:
            raise ConfigError(f"zookeeper.set_acls: {wrong[0]} is no permission", hint=f"Use some of {', '.join(_RIGHTS)}.")
        scheme, separator, credential = str(principal).partition(":")
        scheme, credential = (scheme, credential) if separator else ("x509", scheme)
        found.append(make_acl(scheme, credential, **dict.fromkeys(names, True)))
    return found


def _mapping(value: object, name: str) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise ConfigError(f"zookeeper.{name} is no mapping")
    return value
