"""One typed section for each hand, and for the agent. Holds no default that a table has, and reads nothing.

Names and defaults are those of config.md 2 to 14; secrets live here and are never printed: `repr` leaves them out.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from pgctl.config.ctl_sections import CtlSection as CtlSection
from pgctl.config.ctl_sections import StoreSection as StoreSection
from pgctl.model.member import Tags, nothing


@dataclass(frozen=True, slots=True)
class Credentials:
    """A database role and its libpq options (sslmode, sslcert, ...; config.md 6.2)."""

    username: str = ""
    password: str = field(default="", repr=False)
    options: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class LogSection:
    """config.md 3; `pgctl_format` is PGCTL_LOGFORMAT: `text` or `json`, wins over `type`."""

    type: str = "plain"
    level: str = "INFO"
    format: str | tuple[object, ...] = ""
    dateformat: str = ""
    traceback_level: str = "ERROR"
    static_fields: Mapping[str, str] = field(default_factory=dict)
    dir: str = ""
    mode: int | None = None
    file_num: int = 4
    file_size: int = 25_000_000
    loggers: Mapping[str, str] = field(default_factory=dict)
    deduplicate_heartbeat_logs: bool = False


@dataclass(frozen=True, slots=True)
class RestSection:
    """The agent's REST listener (config.md 4). `connect_address` is host:port as peers reach it."""

    listen_host: str = ""
    listen_port: int = 8008
    connect_address: str = ""
    username: str = ""
    password: str = field(default="", repr=False)
    certfile: str = ""
    keyfile: str = ""
    keyfile_password: str = field(default="", repr=False)
    cafile: str = ""
    ciphers: str = ""
    verify_client: str = "none"
    allowlist: tuple[str, ...] = ()
    allowlist_include_members: bool = False
    http_extra_headers: Mapping[str, str] = field(default_factory=dict)
    https_extra_headers: Mapping[str, str] = field(default_factory=dict)
    request_queue_size: int = 5
    server_tokens: str = "Original"

    @property
    def url(self) -> str:
        """The advertised `api_url`."""
        return f"{'https' if self.certfile else 'http'}://{self.connect_address}/patroni"


@dataclass(frozen=True, slots=True)
class PostgresSection:
    """One local server (config.md 6). `local` is the section as written, for keys that may also be dynamic."""

    data_dir: str
    listen_hosts: tuple[str, ...] = ("localhost",)
    port: int = 5432
    connect_address: str = ""
    proxy_address: str = ""
    config_dir: str = ""
    bin_dir: str = ""
    bin_names: Mapping[str, str] = field(default_factory=dict)
    database: str = "postgres"
    pgpass: str = ""
    superuser: Credentials = Credentials()
    replication: Credentials = Credentials()
    rewind: Credentials = Credentials()
    local: Mapping[str, object] = field(default_factory=nothing, repr=False)


@dataclass(frozen=True, slots=True)
class BootstrapSection:
    """How to make a new cluster (config.md 10); absent: this member never initializes one."""

    dcs: Mapping[str, object] = field(default_factory=nothing)
    method: str = "initdb"
    methods: Mapping[str, Mapping[str, object]] = field(default_factory=dict)
    initdb: tuple[object, ...] = ()
    pg_hba: tuple[str, ...] = ()
    post_bootstrap: str = ""


@dataclass(frozen=True, slots=True)
class WatchdogSection:
    """config.md 14."""

    mode: str = "automatic"
    device: str = "/dev/watchdog"
    driver: str = "default"
    safety_margin: int = 5


@dataclass(frozen=True, slots=True)
class AgentSection:
    """Who this member is. `run_dir` is where the fence keeps its deadline: never inside the data directory."""

    name: str
    scope: str
    run_dir: str = ""
    tags: Tags = Tags()


@dataclass(frozen=True, slots=True)
class Configuration:
    """Everything this host was told. `source` names the file, directory or variables it came from."""

    agent: AgentSection
    store: StoreSection
    rest: RestSection
    ctl: CtlSection
    postgres: PostgresSection
    bootstrap: BootstrapSection | None = None
    watchdog: WatchdogSection = WatchdogSection()
    log: LogSection = LogSection()
    source: str = ""
    ignored: tuple[str, ...] = ()
    """Keys that are accepted and have no effect yet, named once in the log."""
