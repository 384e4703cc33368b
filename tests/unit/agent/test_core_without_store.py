"""What a leader without the store and its followers keep in order meanwhile: slots, by positions that were told."""

from dataclasses import replace

from pgctl.agent.core import decide
from pgctl.agent.core.effects import Prolong, Round, SetSlots
from pgctl.agent.core.view import Lease, View
from pgctl.model.conf import SlotPlan
from pgctl.model.failsafe import Ping, Promise
from pgctl.model.lsn import Lsn
from pgctl.model.settings import Settings
from pgctl.units import Instant
from tests.scenarios import reader


def cut(lines: str) -> View:
    """The view of these lines, as it is when the store can no longer be read."""
    view = reader.read(lines.strip().split("\n"))
    assert view.cluster is not None
    settings = Settings(failsafe_mode=True)
    memory = replace(view.memory, cluster=view.cluster, settings=settings)
    return replace(view, cluster=None, cut="no answer", memory=memory)


def changes(view: View) -> list[SlotPlan]:
    return [effect.plan for effect in decide.decide(view).effects if isinstance(effect, SetSlots)]


FOLLOWER = """
me b
cluster failsafe a,b,c
leader a
member a primary
member b
member c
server standby lsn 0/5000060 streaming
slot a at 0/5000000
slot c at 0/5000000
"""


def test_a_standby_s_slots_for_others_follow_what_the_leader_told() -> None:
    view = cut(FOLLOWER)
    ping = Ping("a", "postgres://a", "http://a", {"c": 0x5000040})
    promised = replace(view, promise=Promise(Instant(view.now + 20), ping))
    assert decide.decide(promised).rule == "cut.60"
    assert changes(promised) == [SlotPlan(advance=(("c", Lsn(0x5000040)),))]
    assert changes(view) == []


def test_the_leader_s_slots_follow_what_the_members_answered() -> None:
    view = cut("""
me a
cluster failsafe a,b,c
leader a mine
member a primary
member b
member c replicatefrom b
server primary lsn 0/5000060 sends b
slot b at 0/5000060 active
slot c at 0/5000000
slot gone at 0/5000000
""")
    heard = Round(Instant(view.now - 0.1), (("b", Lsn(0x5000060)), ("c", Lsn(0x5000050))))
    led = replace(view, round=heard, lease=Lease(True, Instant(view.now + 15)))
    effects = decide.decide(led).effects
    assert effects[0] == Prolong(Instant(heard.sent + 30))
    assert changes(led) == [SlotPlan(advance=(("c", Lsn(0x5000050)),))], "and none is dropped without the store"
