"""A document → typed sections. Pure: it opens nothing, and gathers every fault. Source: config.md 2 to 14."""

from collections.abc import Mapping

from pgctl.config import build_ctl, table
from pgctl.config.reader import Reader
from pgctl.config.sections import (
    AgentSection,
    BootstrapSection,
    Configuration,
    Credentials,
    LogSection,
    PostgresSection,
    RestSection,
    WatchdogSection,
)
from pgctl.model import addresses, settings, tags

RESERVED_NAME = "__patroni_strict_sync_replica_placeholder__"
_WATCHDOG = {
    "": "automatic", "automatic": "automatic", "auto": "automatic", "required": "required", "require": "required",
    "off": "off", "disable": "off", "disabled": "off", "false": "off",
}
_SECTIONS = ("log", "restapi", "ctl", "postgresql", "watchdog", "pgctl")
_TOKENS = {"original": "Original", "minimal": "Minimal", "productonly": "ProductOnly"}


def configuration(reader: Reader, *, source: str, run_base: str, home: str) -> Configuration:
    """All sections. `run_base` is where run directories live unless the document says; `home` that of pgpass.

    The answer is only of use when no fault that is an error was added.
    """
    for section in _SECTIONS:
        reader.section(section)
    postgres = _postgres(reader, home)
    return Configuration(
        agent=_agent(reader, run_base, postgres.data_dir),
        store=build_ctl.store(reader),
        rest=_rest(reader),
        ctl=build_ctl.ctl(reader),
        postgres=postgres,
        bootstrap=_bootstrap(reader),
        watchdog=_watchdog(reader),
        log=_log(reader),
        source=source,
        ignored=_ignored(reader),
    )


def _agent(reader: Reader, run_base: str, data_dir: str) -> AgentSection:
    name = reader.text("name") or reader.text("postgresql.name")
    if not name:
        reader.fault("name", "is missing")
    if "/" in name or name == RESERVED_NAME:
        reader.fault("name", f'must not be "{name}"', "Choose a name without slashes that is not reserved.")
    scope = reader.needed("scope")
    written = reader.section("tags")
    for sentence in tags.contradictions(written):
        reader.fault("tags", sentence, error=False)
    own = f"{scope}-{name}".replace("/", "-")
    run_dir = f"{reader.text('pgctl.run_dir', run_base).rstrip('/')}/{own}"
    if data_dir and f"{run_dir}/".startswith(f"{data_dir.rstrip('/')}/"):
        reader.fault("pgctl.run_dir", "must not be inside the data directory",
                     "A clone or rewind would take its files away.")
    return AgentSection(name, scope, run_dir, tags.read(written))


def _rest(reader: Reader) -> RestSection:
    listen = reader.address("restapi.listen", 8008)
    if listen is None:
        reader.needed("restapi.listen")
    host, port = listen or ("", 8008)
    username, password = reader.pair("restapi.authentication")
    verify = reader.text("restapi.verify_client", "none").lower()
    if verify not in ("none", "optional", "required"):
        reader.fault("restapi.verify_client", f'must be none, optional or required, not "{verify}"')
    tokens = reader.text("restapi.server_tokens", "Original")
    if tokens.lower() not in _TOKENS:
        reader.fault("restapi.server_tokens", f'is "{tokens}", which is not known: Original is used', error=False)
    return RestSection(
        listen_host=host,
        listen_port=port,
        connect_address=_connect_address(reader, "restapi", 8008, (host,), port),
        username=username,
        password=password,
        certfile=reader.text("restapi.certfile"),
        keyfile=reader.text("restapi.keyfile"),
        keyfile_password=reader.text("restapi.keyfile_password"),
        cafile=reader.text("restapi.cafile"),
        ciphers=reader.text("restapi.ciphers"),
        verify_client=verify,
        allowlist=reader.texts("restapi.allowlist"),
        allowlist_include_members=reader.flag("restapi.allowlist_include_members"),
        http_extra_headers=reader.mapped("restapi.http_extra_headers"),
        https_extra_headers=reader.mapped("restapi.https_extra_headers"),
        request_queue_size=reader.number("restapi.request_queue_size", 5, 0),
        server_tokens=_TOKENS.get(tokens.lower(), "Original"),
    )


def _connect_address(reader: Reader, section: str, default: int, hosts: tuple[str, ...], port: int) -> str:
    """As written, else the address listened on; a fault when that is no address that others can use."""
    place = f"{section}.connect_address"
    if (pair := reader.address(place, default)) is not None:
        return addresses.join(*pair)
    host = next(iter(hosts), "")
    listens = reader.text(f"{section}.listen") and not reader.faulty(f"{section}.listen")
    if listens and not reader.text(place):
        if host in ("", "*", "0.0.0.0", "::"):
            reader.fault(place, "is missing, and listen names no single address")
        return addresses.join(host, port)
    return ""


def _postgres(reader: Reader, home: str) -> PostgresSection:
    hosts, port = _listen(reader)
    proxy = reader.address("postgresql.proxy_address", 5432)
    data_dir = reader.needed("postgresql.data_dir")
    return PostgresSection(
        data_dir=data_dir,
        listen_hosts=hosts,
        port=port,
        connect_address=_connect_address(reader, "postgresql", port, hosts, port),
        proxy_address=addresses.join(*proxy) if proxy else "",
        config_dir=reader.text("postgresql.config_dir", data_dir),
        bin_dir=reader.text("postgresql.bin_dir"),
        bin_names=reader.mapped("postgresql.bin_name"),
        database=reader.text("postgresql.database", "postgres"),
        pgpass=reader.text("postgresql.pgpass", f"{home}/pgpass"),
        superuser=_credentials(reader, "superuser", "superuser"),
        replication=_credentials(reader, "replication", "replication"),
        rewind=_credentials(reader, "rewind", "pg_rewind"),
        local=dict(reader.section("postgresql")),
    )


def _listen(reader: Reader) -> tuple[tuple[str, ...], int]:
    """`addr[,addr...]:port`; an empty address means all, as `*` does."""
    place = "postgresql.listen"
    *others, last = [item.strip() for item in reader.needed(place).split(",")]
    pair = addresses.split(f"*{last}" if last.startswith(":") and last.count(":") == 1 else last, 5432)
    if last and pair is None:
        reader.fault(place, f'must be addr[,addr...]:port, not "{reader.text(place)}"')
    host, port = pair or ("localhost", 5432)
    return (*(other.strip("[]") for other in others), host), port


def _credentials(reader: Reader, role: str, older: str) -> Credentials:
    """`authentication.<role>`, else the section's older place. Keys that are not known are left out."""
    place = f"postgresql.authentication.{role}"
    if not reader.section(place):
        place = f"postgresql.{older}"
    found = reader.mapped(place)
    options = {key: found[key] for key in table.ROLE_OPTIONS if found.get(key)}
    return Credentials(found.get("username", ""), found.get("password", ""), options)


def _bootstrap(reader: Reader) -> BootstrapSection | None:
    if not isinstance(reader.raw("bootstrap"), Mapping):
        reader.section("bootstrap")
        return None
    section = reader.section("bootstrap")
    methods = {
        name: value for name, value in section.items()
        if name != "dcs" and isinstance(value, Mapping) and value.get("command")
    }
    method = reader.text("bootstrap.method", "initdb")
    if method != "initdb" and method not in methods:
        reader.fault("bootstrap.method", f'names "{method}", which has no command: initdb is used', error=False)
        method = "initdb"
    initdb = section.get("initdb")
    return BootstrapSection(
        dcs=reader.section("bootstrap.dcs"),
        method=method,
        methods=methods,
        initdb=tuple({key: value} for key, value in initdb.items()) if isinstance(initdb, Mapping)
        else reader.items("bootstrap.initdb"),
        pg_hba=tuple(map(str, reader.items("bootstrap.pg_hba"))),
        post_bootstrap=reader.text("bootstrap.post_bootstrap") or reader.text("bootstrap.post_init"),
    )


def _watchdog(reader: Reader) -> WatchdogSection:
    word = reader.text("watchdog.mode").lower()
    if word not in _WATCHDOG:
        reader.fault("watchdog.mode", f'must be automatic, off or required, not "{word}": off is used', error=False)
    return WatchdogSection(
        mode=_WATCHDOG.get(word, "off"),
        device=reader.text("watchdog.device", "/dev/watchdog"),
        driver=reader.text("watchdog.driver", "default"),
        safety_margin=reader.number("watchdog.safety_margin", 5, -1),
    )


def _log(reader: Reader) -> LogSection:
    shape = reader.raw("log.format")
    kind = reader.text("log.type", "plain").lower()
    if kind not in ("plain", "json"):
        reader.fault("log.type", f'must be plain or json, not "{kind}"')
    return LogSection(
        type=kind,
        level=reader.text("log.level", "INFO").upper(),
        format=tuple(shape) if isinstance(shape, list) else str(shape or ""),
        dateformat=reader.text("log.dateformat"),
        traceback_level=reader.text("log.traceback_level", "ERROR").upper(),
        static_fields=reader.mapped("log.static_fields"),
        dir=reader.text("log.dir"),
        mode=_mode(reader),
        file_num=reader.number("log.file_num", 4, 0),
        file_size=reader.number("log.file_size", 25_000_000, 0),
        loggers=reader.mapped("log.loggers"),
        deduplicate_heartbeat_logs=reader.flag("log.deduplicate_heartbeat_logs"),
    )


def _mode(reader: Reader) -> int | None:
    """YAML reads 0644 as octal by itself; a text, such as from a variable, is octal too."""
    value = reader.raw("log.mode")
    if value is None or value == "":
        return None
    try:
        mode = int(value, 8) if isinstance(value, str) else int(value)
    except (ValueError, TypeError):
        mode = -1
    if not 0 <= mode <= 0o777:
        reader.fault("log.mode", f'must be an octal mode from 0 to 0777, not "{value}"')
        return None
    return mode


def _ignored(reader: Reader) -> tuple[str, ...]:
    """Places of keys that are accepted and have no effect, in the table's order."""
    places = [key.place for key in table.TABLE if key.ignored]
    dynamic = [row.name for row in settings.TABLE if row.name != "postgresql"]
    if reader.raw("citus.group") is not None and reader.raw("citus.database"):
        reader.fault("citus", "is not supported", "Members of a Citus cluster need an agent that knows its groups.")
    places = [*places, *dynamic, "postgresql.use_slots", "citus"]
    return tuple(place for place in places if reader.raw(place) is not None)
