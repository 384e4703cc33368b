"""The tables of the house: which door opens in which room, what the pure rooms may use, and today's exceptions.

A row is changed here, with its reason, in the same commit as the room that wants it.
"""

from dataclasses import dataclass

MOST_LINES = 300
"""Of a room."""
MOST_FUNCTION_LINES = 40
"""Of a function, its docstring not counted."""


@dataclass(frozen=True)
class Door:
    """Something that only the named rooms may use. `names` are dotted: what is below a name is behind the same door."""

    names: tuple[str, ...]
    rooms: tuple[str, ...]
    reason: str
    ajar: tuple[str, ...] = ()
    """Names below these that are nobody's business, such as `importlib.metadata`."""


DOORS = (
    Door(
        ("time",),
        ("clock.py", "agent/fence_aim.py", "agent/fence_record.py"),
        "whoever reads the clock or sleeps is given a Clock, so that tests can turn it; the fence stands alone",
    ),
    Door(
        ("datetime.datetime.now", "datetime.datetime.utcnow", "datetime.datetime.today", "datetime.date.today"),
        (),
        "the wall clock is a clock too, and clock.py reads it by time.time",
    ),
    Door(
        ("subprocess", "os.system", "os.popen", "os.fork", "os.execv", "os.execve", "os.execvp", "os.execvpe",
         "os.spawnv", "os.spawnve", "os.posix_spawn", "os.posix_spawnp", "pty"),
        ("postgresql/run.py", "agent/fence.py", "agent/first_process.py", "cli/commands/demo*.py", "cli/demo/*"),
        "a process needs a deadline and somebody who ends it; the fence must outlive us, the demo starts whole agents",
    ),
    Door(
        ("os.environ", "os.environb", "os.getenv", "os.putenv", "os.unsetenv"),
        ("config/load.py",),
        "what this host was told comes in at one place",
    ),
    Door(
        ("random", "os.urandom"),
        ("dcs/retry.py",),
        "only waiting is a matter of chance: same view, same decision",
    ),
    Door(
        ("secrets", "uuid.uuid1", "uuid.uuid4"),
        ("cli/demo/*",),
        "the demo makes passwords; the agent makes none",
    ),
    Door(
        ("threading.Thread", "threading.Timer", "concurrent", "_thread", "multiprocessing"),
        ("agent/jobs.py", "agent/heartbeat.py", "agent/rest_server.py", "agent/slot_keeper.py", "agent/watcher.py",
         "rest/client.py", "dcs/kubernetes_watch.py", "dcs/zookeeper_lease.py"),
        "threads share a few cells and no more, so each thread is known by its room",
    ),
    Door(
        ("threading",),
        ("agent/*", "dcs/*", "rest/client.py"),
        "a lock belongs where two threads meet",
    ),
    Door(
        ("sys.exit", "os._exit", "builtins.SystemExit", "builtins.exit", "builtins.quit"),
        ("cli/program.py", "agent/main.py", "agent/fence_process.py", "cli/demo/supervisor.py"),
        "only a program's main room exits; all others raise or return",
    ),
    Door(
        ("importlib", "pkgutil", "runpy", "builtins.__import__"),
        ("dcs/factory.py", "cli/lazy.py", "cli/main.py"),
        "a module whose name is computed is out of the layers' sight",
        ajar=("importlib.metadata", "importlib.resources"),
    ),
    Door(
        ("pgctl.logs",),
        ("agent/main.py",),
        "a library room asks logging.getLogger; only a program sets logging up",
    ),
    Door(("builtins.eval", "builtins.exec", "pickle", "marshal"), (), "what comes from outside is data"),
    Door(("urllib3",), ("net.py",), "one room speaks HTTP as a client"),
    Door(("requests", "http.client", "urllib.request"), (), "net speaks HTTP, over urllib3"),
    Door(("httptools",), ("agent/rest_server.py",), "one room speaks HTTP as a server"),
    Door(
        ("psycopg2",),
        ("postgresql/connection.py", "cli/commands/query.py"),
        "a connection without its timeouts could hang a cycle",
    ),
    Door(("etcd",), ("dcs/etcd2_client.py",), "a store's client is its backend's business"),
    Door(("consul",), ("dcs/consul_client.py",), "a store's client is its backend's business"),
    Door(("kazoo",), ("dcs/zookeeper_*.py",), "a store's client is its backend's business"),
    Door(("sqlite3",), ("dcs/sqlite*.py",), "a store's client is its backend's business"),
    Door(("click",), ("cli/*",), "the agent must not need what the prompt needs"),
    Door(("tabulate", "prettytable"), ("cli/tables.py",), "a formatter costs time to import, so it is taken when asked"),
)


@dataclass(frozen=True)
class Pure:
    """Rooms that may import nothing but `own` (of the package) and `standard` (modules without a view of the world)."""

    rooms: tuple[str, ...]
    own: tuple[str, ...]
    standard: tuple[str, ...]


_VALUES = (
    "abc", "base64", "bisect", "collections", "copy", "dataclasses", "datetime", "decimal", "difflib", "enum", "fractions",
    "functools", "hashlib", "heapq", "itertools", "json", "math", "operator", "re", "string", "textwrap", "types", "typing",
    "urllib.parse", "zlib",
)

PURE = (
    Pure(("errors.py", "units.py"), ("pgctl.errors", "pgctl.units"), _VALUES),
    Pure(("model/*",), ("pgctl.model", "pgctl.errors", "pgctl.units"), _VALUES),
    Pure(("agent/core/*",), ("pgctl.agent.core", "pgctl.model", "pgctl.errors", "pgctl.units"), _VALUES),
)

HIDDEN_IMPORTS = {
    "dcs/factory.py": "a DCS client costs 100 to 250 ms to import, and one of many is wanted",
    "cli/lazy.py": "a command imports what it needs, and one of many is wanted",
    "cli/tables.py": "a formatter is imported when its format is asked for",
}
"""The only rooms with an import inside a function."""


@dataclass(frozen=True)
class Exempt:
    """One violation that stands for now: the rule, the room, and the subject that the rule names, such as a function."""

    rule: str
    room: str
    subject: str
    reason: str


EXCEPTIONS: tuple[Exempt, ...] = ()
"""An exception that is no longer needed is an error: the list can only tell the truth."""
