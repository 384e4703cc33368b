"""Laws of liveness: what must come about some time after the last fault. Source: ha.md 7.2."""

from tests.sim.checks.law import HELD, SYNCHRONOUS, Law, Seen
from tests.sim.modes import Mode
from tests.sim.record import Record


def one_leader(record: Record) -> Seen:
    """One server takes writes, and its member holds the key."""
    assert record.end is not None
    if record.end.remote is not None:
        return
    writable = [server.member for server in record.end.servers if server.writable]
    if writable != [record.end.holder]:
        yield f"the key is held by {record.end.holder}, writes are taken by {', '.join(writable) or 'nobody'}"
    yield HELD


def standby_leader(record: Record) -> Seen:
    """In a standby cluster nobody takes writes, and who holds the key, and nobody else, follows the remote."""
    assert record.end is not None
    if record.end.remote is None:
        return
    for server in record.end.servers:
        if server.writable:
            yield f"{server.member} takes writes in a standby cluster"
        if (server.member == record.end.holder) != (server.upstream == record.end.remote):
            yield f"{server.member} follows {server.upstream}, and {record.end.holder} leads the standby cluster"
    if record.end.holder is None:
        yield "nobody leads the standby cluster"
    yield HELD


def all_stream(record: Record) -> Seen:
    """Everybody else streams, on the leader's timeline."""
    assert record.end is not None
    latest = max(server.timeline for server in record.end.servers)
    for server in record.end.servers:
        if not server.writable and not (server.phase == "standby" and server.streams and server.timeline == latest):
            yield f"{server.member} does not stream: {server.phase}, timeline {server.timeline}"
    yield HELD


def commits_return(record: Record) -> Seen:
    """No commit has waited for its standbys for long: with all of them back, no more than what is on its way."""
    assert record.end is not None
    for server in record.end.servers:
        if server.waiting > ON_THE_WAY:
            yield f"{server.waiting} commits wait on {server.member}"
    yield HELD


def sync_is_full(record: Record) -> Seen:
    """`/sync` lists as many standbys as are asked for, or (quorum) all of them."""
    assert record.end is not None
    others = len(record.end.servers) - 1
    wanted = others if record.mode is Mode.QUORUM else min(others, record.count)
    if not record.end.sync.active or len(record.end.sync.standbys) != wanted:
        yield f"/sync is {record.end.sync}, {wanted} standbys were asked for"
    yield HELD


def in_time(record: Record) -> Seen:
    """All that within two leases and 30 s of the healing."""
    assert record.end is not None
    most = 2 * record.end.ttl + 30
    if record.end.settled > most:
        yield f"{record.end.settled:.1f} s after the healing, {most:g} are the most"
    yield HELD


ON_THE_WAY = 3
LAWS = (
    Law("LIV9 one leader", one_leader, end=True),
    Law("LIV9 standby leader", standby_leader, end=True, modes=frozenset({Mode.STANDBY})),
    Law("LIV5 all stream", all_stream, end=True),
    Law("LIV7 commits return", commits_return, end=True, modes=SYNCHRONOUS),
    Law("LIV8 sync is full", sync_is_full, end=True, modes=SYNCHRONOUS),
    Law("LIV1 in time", in_time, end=True),
)
SETTLED = (LAWS[0], LAWS[1], LAWS[2])


def settled(record: Record) -> bool:
    """Whether there is a leader and everybody else streams."""
    return not any(any(law.seen(record)) for law in SETTLED if record.mode in law.modes)
