"""libpq connection strings and password file lines: text, pure.

A password is never in a string that is written to a file, put on a command line or shown: programs find it in a password
file. Source: PostgreSQL 15, 34.1.1 Connection Strings and 34.16 The Password File; postgresql.md 13 and 18.
"""

import re
from collections.abc import Iterable, Mapping

from pgctl.config.sections import Credentials
from pgctl.model.conf import Upstream
from pgctl.postgresql import version
from pgctl.postgresql.version import Feature

_ORDER = (
    "dbname", "user", "passfile", "password", "host", "port", "sslmode", "sslcompression", "sslcert", "sslkey",
    "sslpassword", "sslrootcert", "sslcrl", "sslcrldir", "application_name", "krbsrvname", "gssencmode",
    "channel_binding", "target_session_attrs", "sslnegotiation",
)  # fmt: skip
"""The order in which peers write keywords, so that equal settings are equal texts."""
_NEEDS = {"sslcrldir": Feature.SSLCRLDIR, "sslnegotiation": Feature.SSLNEGOTIATION}
_PAIR = re.compile(r"\s*(\w+)\s*=\s*(?:'((?:[^'\\]|\\.)*)'|((?:[^\s\\]|\\.)*))")
_SECRETS = frozenset({"password", "sslpassword"})


def text(keywords: Mapping[str, object]) -> str:
    """A keyword string in the fixed order, unknown keywords last; empty values are left out."""
    rank = {name: place for place, name in enumerate(_ORDER)}
    names = sorted((name for name, value in keywords.items() if value not in (None, "")), key=lambda n: rank.get(n, 99))
    return " ".join(f"{name}={quoted(str(keywords[name]))}" for name in names)


def quoted(value: str) -> str:
    """A value as libpq reads it back: in quotes only where it must be."""
    if value and not re.search(r"[\s'\\]", value):
        return value
    escaped = value.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"


def parse(conninfo: str) -> dict[str, str]:
    """The keywords of a keyword string; what is not one is skipped."""
    found = {}
    for name, in_quotes, plain in _PAIR.findall(conninfo):
        found[name] = re.sub(r"\\(.)", r"\1", in_quotes or plain)
    return found


def without_secrets(conninfo: str) -> str:
    """A keyword string that may be shown."""
    return text({name: value for name, value in parse(conninfo).items() if name not in _SECRETS})


def known_options(credentials: Credentials, major: int) -> dict[str, str]:
    """The role's libpq options, without those that `major` does not know. Source: config.md 6.2 row 4."""
    return {
        name: value for name, value in credentials.options.items() if name not in _NEEDS or version.has(major, _NEEDS[name])
    }


def primary_conninfo(upstream: Upstream, role: Credentials, name: str, passfile: str, krbsrvname: str, major: int) -> str:
    """What a standby is told: whom to stream from, as whom; the password is in `passfile`, if there is one."""
    keywords: dict[str, object] = {"sslmode": "prefer", "gssencmode": "prefer", "channel_binding": "prefer"}
    if version.has(major, Feature.SSLNEGOTIATION):
        keywords["sslnegotiation"] = "postgres"
    keywords |= known_options(role, major)
    keywords |= {
        "dbname": upstream.database,
        "user": role.username,
        "passfile": passfile if role.password else "",
        "host": upstream.host,
        "port": upstream.port,
        "application_name": name,
        "krbsrvname": krbsrvname,
    }
    return text(keywords | which_host(upstream))


def which_host(upstream: Upstream) -> dict[str, str]:
    """Of several hosts the one that takes writes. Source: PostgreSQL 15, 34.1.2, target_session_attrs."""
    return {"target_session_attrs": "read-write"} if upstream.remote and "," in upstream.host else {}


def to_upstream(upstream: Upstream, role: Credentials, krbsrvname: str, major: int) -> dict[str, str]:
    """Keywords for a program or for us to reach another server, without the password."""
    keywords: dict[str, object] = {**known_options(role, major), "user": role.username, "host": upstream.host}
    keywords |= {"port": upstream.port, "krbsrvname": krbsrvname, **which_host(upstream)}
    return {name: str(value) for name, value in keywords.items() if value not in (None, "")}


def passfile_text(hosts: Iterable[tuple[str, int]], role: Credentials) -> str:
    """Lines of a password file, one for each host and port; empty without a password. A socket counts as localhost."""
    if not role.password:
        return ""
    rows = []
    for host, port in hosts:
        for one in host.split(","):
            where = "localhost" if one.startswith("/") else one
            rows.append(":".join(map(_escaped, (where, str(port), "*", role.username or "*", role.password))))
    return "".join(f"{row}\n" for row in dict.fromkeys(rows))


def _escaped(value: str) -> str:
    return value if value == "*" else value.replace("\\", "\\\\").replace(":", "\\:")
