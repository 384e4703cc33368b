"""The table of keys of the local file: place, shape, meaning, and the environment variable that sets the same.

`load`, `check` and `sample` work from it. Keys of the `postgresql` section stand in `model.postgresql_section`, so
that those who check the cluster's settings see them too. Source: config.md 2 to 5, 10, 13, 14.
"""

from typing import NamedTuple

from pgctl.model import postgresql_section

STORES = ("consul", "etcd", "etcd3", "exhibitor", "kubernetes", "raft", "zookeeper", "sqlite")
"""Sections that name a store; of several the first one counts (config.md 5)."""

ROLE_OPTIONS = (
    "sslmode", "sslcert", "sslkey", "sslpassword", "sslrootcert", "sslcrl", "sslcrldir", "gssencmode",
    "channel_binding", "sslnegotiation",
)
PROGRAMS = ("pg_ctl", "initdb", "pg_controldata", "pg_basebackup", "postgres", "pg_isready", "pg_rewind")
ROLES = ("superuser", "replication", "rewind")


class Key(NamedTuple):
    """`place` is dotted. `variable` is the environment's name without its prefix; empty: there is none."""

    place: str
    shape: str
    meaning: str
    variable: str = ""
    required: bool = False
    ignored: bool = False
    """Accepted, without effect here."""


def _key(place: str, shape: str, meaning: str, *, required: bool = False, ignored: bool = False,
         env: str = "yes") -> Key:
    """A row whose variable is its place, unless `env` names another or is empty."""
    variable = place.replace(".", "_").upper() if env == "yes" else env
    return Key(place, shape, meaning, variable, required, ignored)


_TOP = (
    _key("scope", "text", "name of the cluster", required=True),
    _key("namespace", "text", "first part of the keys' path in the store"),
    _key("name", "text", "name of this member, unique in the cluster", required=True),
    _key("thread_pool_size", "number", "size of a thread pool that does not exist here", ignored=True),
    _key("thread_stack_size", "text", "stack size of threads", ignored=True),
)

_LOG = (
    _key("log.type", "text", "plain or json"),
    _key("log.level", "text", "DEBUG, INFO, WARNING, ERROR or CRITICAL"),
    _key("log.traceback_level", "text", "level from which tracebacks are shown: ERROR or DEBUG"),
    _key("log.format", "any", "format of a line; for json a list of field names"),
    _key("log.dateformat", "text", "format of times, as strftime has it"),
    _key("log.static_fields", "mapping", "fields added to each json record"),
    _key("log.max_queue_size", "number", "length of a queue that does not exist here", ignored=True),
    _key("log.dir", "text", "directory for the file pgctl.log; without it, standard error"),
    _key("log.mode", "any", "mode of the log file, octal"),
    _key("log.file_num", "number", "old log files to keep"),
    _key("log.file_size", "number", "size of a log file in bytes before it is rotated"),
    _key("log.loggers", "mapping", "levels of single loggers"),
    _key("log.deduplicate_heartbeat_logs", "boolean", "leave out a line that repeats the last"),
)

_REST = (
    _key("restapi.listen", "text", "host:port to listen on", required=True),
    _key("restapi.connect_address", "text", "host:port where peers reach it"),
    _key("restapi.authentication.username", "text", "user for requests that change things", env="RESTAPI_USERNAME"),
    _key("restapi.authentication.password", "secret", "its password", env="RESTAPI_PASSWORD"),
    _key("restapi.certfile", "text", "server certificate: switches to https"),
    _key("restapi.keyfile", "text", "its key"),
    _key("restapi.keyfile_password", "secret", "password of the key"),
    _key("restapi.cafile", "text", "authorities of client certificates"),
    _key("restapi.ciphers", "text", "OpenSSL cipher string"),
    _key("restapi.verify_client", "text", "none, optional or required"),
    _key("restapi.allowlist", "list", "hosts and networks that may change something; all unless said otherwise"),
    _key("restapi.allowlist_include_members", "boolean", "members may as well"),
    _key("restapi.http_extra_headers", "mapping", "headers added to each answer"),
    _key("restapi.https_extra_headers", "mapping", "headers added to each answer over TLS"),
    _key("restapi.request_queue_size", "number", "length of the listener's backlog"),
    _key("restapi.thread_pool_size", "number", "size of a thread pool that is not here", ignored=True, env=""),
    _key("restapi.server_tokens", "text", "how much the Server header tells: Original, Minimal or ProductOnly"),
)

_CTL = (
    _key("ctl.authentication.username", "text", "user for members' APIs; restapi's otherwise", env="CTL_USERNAME"),
    _key("ctl.authentication.password", "secret", "its password", env="CTL_PASSWORD"),
    _key("ctl.insecure", "boolean", "do not verify certificates"),
    _key("ctl.cacert", "text", "authorities of members' certificates"),
    _key("ctl.certfile", "text", "client certificate"),
    _key("ctl.keyfile", "text", "its key"),
    _key("ctl.keyfile_password", "secret", "password of the key"),
)


def _store(name: str, text: str, listed: str, flags: str = "", secrets: str = "", maps: str = "") -> list[Key]:
    shapes = (("text", text), ("list", listed), ("boolean", flags), ("secret", secrets), ("mapping", maps))
    return [_key(f"{name}.{key}", shape, "") for shape, keys in shapes for key in keys.split()]


_ETCD = "host url proxy srv srv_suffix discovery_srv srv_domain protocol username cacert cert key"
_DCS = (
    *_store("etcd", _ETCD, "hosts", "use_proxies", "password"),
    *_store("etcd3", _ETCD, "hosts", "use_proxies", "password"),
    *_store("consul", "host url port scheme cacert cert key dc consistency service_check_interval"
            " service_check_tls_server_name", "checks service_tags", "verify register_service", "token"),
    *_store("zookeeper", "cacert cert key", "hosts", "use_ssl verify", "key_password",
            "set_acls auth_data sasl_options exhibitor"),
    *_store("exhibitor", "poll_interval port", "hosts"),
    *_store("kubernetes", "namespace scope_label role_label leader_label_value follower_label_value context pod_ip"
            " cacert standby_leader_label_value tmp_role_label kubeconfig", "ports retriable_http_codes",
            "use_endpoints bypass_api_service", "", "labels bootstrap_labels"),
    _key("sqlite.path", "text", "the database file: for members that share one host"),
)

_ROLES = tuple(
    _key(f"postgresql.authentication.{role}.{option}", "secret" if option.endswith("password") else "text",
         f"{role}: {option}", env=f"{role}_{option}".upper())
    for role in ROLES
    for option in ("username", "password", *ROLE_OPTIONS)
)

_SERVER_VARIABLES = ("listen", "connect_address", "proxy_address", "data_dir", "config_dir", "bin_dir", "pgpass")
_SERVER = (
    *(_key(f"postgresql.{key.name}", key.shape, key.meaning, required=key.name == "data_dir",
           env="yes" if key.name in _SERVER_VARIABLES else "")
      for key in postgresql_section.TABLE if key.name not in ("bin_name", "authentication")),
    *(_key(f"postgresql.bin_name.{name}", "text", f"another name for {name}", env=f"POSTGRESQL_BIN_{name.upper()}")
      for name in PROGRAMS),
    *_ROLES,
)

_OTHER = (
    _key("bootstrap.dcs", "mapping", "the cluster's first settings", env=""),
    _key("bootstrap.method", "text", "how to make the first server: initdb, or a section with a command", env=""),
    _key("bootstrap.initdb", "options", "options for initdb", env=""),
    _key("bootstrap.pg_hba", "list", "first lines of pg_hba.conf", env=""),
    _key("bootstrap.post_bootstrap", "text", "command to run when the first server is up", env=""),
    _key("bootstrap.post_init", "text", "older name of post_bootstrap", env=""),
    _key("bootstrap.users", "mapping", "create users in post_bootstrap instead", env="", ignored=True),
    _key("watchdog.mode", "text", "automatic, off or required", env=""),
    _key("watchdog.device", "text", "the watchdog's device", env=""),
    _key("watchdog.driver", "text", "the watchdog's driver", env=""),
    _key("watchdog.safety_margin", "number", "seconds between the watchdog's time-out and the lease's end", env=""),
    _key("tags", "mapping", "what this member may become, and tags of your own", env=""),
    _key("citus.group", "number", "group of a Citus cluster"),
    _key("citus.database", "text", "its database"),
    _key("pgctl.run_dir", "text", "directory for the fence's files; never inside the data directory"),
)

TABLE: tuple[Key, ...] = (*_TOP, *_LOG, *_REST, *_CTL, *_DCS, *_SERVER, *_OTHER)
OLDER_VARIABLES = {"LOGLEVEL": "log.level", "LOGFORMAT": "log.format", "LOG_DATEFMT": "log.dateformat"}
