"""Both ways: what the rules order is possible in that phase of the server, and what is possible there is ordered by some."""

import pytest

from pgctl.agent.core import effects as e
from pgctl.agent.core import job as j
from pgctl.model.server import RUNNING, Phase
from pgctl.postgresql.transitions import ALLOWED, Verb
from tests.scenarios import play

FIRST: dict[type[j.Job], Verb] = {
    j.Bootstrap: Verb.BOOTSTRAP,
    j.Clone: Verb.CLONE,
    j.StartStandby: Verb.START,
    j.StartPrimary: Verb.START,
    j.Stop: Verb.STOP,
    j.Restart: Verb.STOP,
    j.CopySlots: Verb.STOP,
    j.Promote: Verb.PROMOTE,
}


def verbs(job: j.Job, phase: Phase) -> list[Verb]:
    """The verbs that a deed uses from this phase, up to the first that changes it."""
    if isinstance(job, j.Rebuild | j.Rewind) and phase in RUNNING:
        return [Verb.STOP]
    if isinstance(job, j.Rebuild):
        return [Verb.REMOVE]
    return [Verb.REWIND if isinstance(job, j.Rewind) else FIRST[type(job)]]


def produced() -> set[tuple[Verb, Phase]]:
    """Every (verb, phase) that a scenario's decision leads to."""
    found = set()
    for view, decision in play.every():
        for effect in decision.effects:
            if isinstance(effect, e.StartJob):
                found |= {(verb, view.server.phase) for verb in verbs(effect.job, view.server.phase)}
    return found


def test_what_is_ordered_is_possible() -> None:
    assert {(verb, phase) for verb, phase in produced() if phase not in ALLOWED[verb]} == set()


@pytest.mark.parametrize("verb", list(Verb))
def test_what_is_possible_is_ordered_by_some_rule(verb: Verb) -> None:
    ordered = {phase for other, phase in produced() if other is verb}
    # An empty directory is cloned into as it is; to remove it again is harmless, and only a deed cut short asks for it.
    assert ALLOWED[verb] - ordered - ({Phase.EMPTY} if verb is Verb.REMOVE else set()) == set()
