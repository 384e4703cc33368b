"""Words for facts: every fact of the tables has some, and they carry the values at hand."""

import pytest

from pgctl.agent.core import because
from pgctl.agent.core.effects import Peer
from pgctl.agent.core.memory import Memory
from pgctl.agent.core.rules.tables import TABLES
from pgctl.agent.core.view import Host, Lease, View
from pgctl.model.cluster import Cluster, Leader, Revision
from pgctl.model.intent import Intent
from pgctl.model.lsn import Lsn
from pgctl.model.member import Member, MemberName
from pgctl.model.server import Phase, ServerState
from pgctl.units import Instant, Wall


def test_every_fact_of_the_tables_has_words() -> None:
    """A fact that is added wants a row in `core/because`: at night its name alone helps nobody."""
    named = {fact.__name__ for rows in TABLES.values() for row in rows for fact in row.when}
    view = View(Instant(1), Wall(1), Host(MemberName("b"), "", "", ""), ServerState(Phase.DOWN))
    bare = {name for name in named if because.failed(view, name).startswith("it does not hold")}
    assert bare == set()


@pytest.mark.parametrize(("fact", "said"), [
    ("primary", "the server is a standby"),
    ("leaderless", "a leads"),
    ("lease_nearly_out", "the lease lasts 20s more"),
    ("held_back", "nobody who answers has more of the log, and no vote is missing: "
     "c at 0/5000000, d does not answer; here 0/5000060"),
    ("intent_names_me", "what is ordered is from a to c"),
    ("source_known", "a cannot be copied from: it says demoted, stopped"),
    ("patience_over", "the server failed to start 2 of 3 times"),
])
def test_the_values_at_hand(fact: str, said: str) -> None:
    member = Member(MemberName("a"), role="demoted", state="stopped")
    cluster = Cluster("c", Leader(MemberName("a"), Revision(1)), (member,), intent=Intent("a", "c"))
    server = ServerState(Phase.STANDBY, timeline=1, lsn=Lsn(0x5000060))
    peers = (Peer("c", True, lsn=Lsn(0x5000000)), Peer("d", False))
    view = View(Instant(100), Wall(1), Host(MemberName("b"), "", "", ""), server, cluster, peers=peers,
                lease=Lease(True, Instant(120)), memory=Memory(start_failures=2))
    assert because.failed(view, fact) == said
