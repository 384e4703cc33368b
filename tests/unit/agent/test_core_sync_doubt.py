"""A `/sync` that was written over is doubted until a write upon it has been applied: once, and not for ever."""

from collections.abc import Callable
from dataclasses import replace

from pgctl.agent.core.cycle import CycleStart, cycle
from pgctl.agent.core.effects import APPLIED, Answer, Outcome, ReadCluster, ReadServer, WriteSync
from pgctl.agent.core.memory import Memory
from pgctl.agent.core.view import View
from pgctl.model.cluster import Revision
from tests.scenarios import reader

SEEN = """
me a
sync on published a,b
member b lsn 0/5000060
leader a mine
server primary lsn 0/5000060
names '"b"'
walsender b lsn 0/5000060 sync
lease 27
"""
READ = Revision(7)


def run(view: View, memory: Memory, answer: Callable[[WriteSync], Answer]) -> tuple[list[WriteSync], Memory]:
    """The writes of `/sync` that a cycle asks for, and its memory."""
    assert view.cluster is not None
    steps = cycle(CycleStart(view.now, view.wall, view.host, memory, view.lease))
    asked, said = [], next(steps)
    while True:
        match said:
            case ReadCluster():
                reply: object = view.cluster
            case ReadServer():
                reply = view.server
            case WriteSync():
                asked.append(said)
                reply = answer(said)
            case _:
                reply = APPLIED
        try:
            said = steps.send(reply)
        except StopIteration as end:
            return asked, end.value.decision.memory


def seen(revision: Revision) -> View:
    view = reader.read(SEEN.strip().split("\n"))
    assert view.cluster is not None
    return replace(view, cluster=replace(view.cluster, revisions={**view.cluster.revisions, "sync": revision}))


def test_what_was_written_over_is_written_once_more() -> None:
    view = seen(READ)
    calm, _ = run(view, view.memory, lambda _: APPLIED)
    again, memory = run(view, replace(view.memory, sync_tried=(READ,)), lambda _: Answer(revision=READ))
    settled, _ = run(view, memory, lambda _: APPLIED)  # Kubernetes: the same words, the same revision
    assert [[write.revision for write in each] for each in (calm, again, settled)] == [[], [READ], []]


def test_a_write_without_an_answer_settles_nothing() -> None:
    view = seen(READ)
    asked, memory = run(view, replace(view.memory, sync_tried=(READ,)), lambda _: Answer(Outcome.UNKNOWN, "no answer"))
    assert (len(asked), READ in memory.sync_tried) == (1, True)


def test_a_new_revision_leaves_the_old_one_in_doubt() -> None:
    view = seen(READ)
    _, memory = run(view, replace(view.memory, sync_tried=(READ,)), lambda _: Answer(revision=Revision(READ + 1)))
    old, _ = run(view, memory, lambda _: APPLIED)
    new, _ = run(seen(Revision(READ + 1)), memory, lambda _: APPLIED)
    assert (len(old), len(new)) == (1, 0)
