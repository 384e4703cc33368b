"""Every scenario: the view in text gives this rule and these effects. `pytest --rewrite` writes what it gives now."""

from pathlib import Path

import pytest

from pgctl.agent.core import effects as e
from pgctl.agent.core import job as j
from pgctl.agent.core.rules.tables import TABLES
from pgctl.agent.core.view import Decision
from pgctl.model import lsn as lsns
from pgctl.model.conf import Conf, LogicalPlan, SlotPlan
from tests.scenarios import play


def show(decision: Decision) -> list[str]:
    """The lines below `=>`: the rule and its words, then the effects."""
    reason = f"  ({decision.reason})" if decision.reason else ""
    effects = "; ".join(word(effect) for effect in decision.effects) or "nothing"
    return [f"=> {decision.rule}  {decision.sentence}{reason}", f"   {effects}"]


def word(effect: object) -> str:
    """One effect in a few words."""
    match effect:
        case e.StartJob(job):
            extra = [job.source.name] if isinstance(job, j.Clone | j.Rebuild | j.Rewind) and job.source else []
            if isinstance(job, j.Stop):
                extra = [str(job.mode), *(["handover"] if job.handover else [])]
            if isinstance(job, j.StartStandby | j.StartPrimary):
                upstream = job.conf.upstream
                extra = [
                    "as a standby of " + (upstream.name if upstream else "nobody") if job.conf.standby else "as a primary"
                ]
            return " ".join(["StartJob", job.name, *extra])
        case e.MoveFence(armed):
            return "MoveFence armed" if armed else "MoveFence open"
        case e.WriteConf(conf):
            return " ".join(["WriteConf", *conf_words(conf)])
        case e.WriteSync(sync):
            listed = ",".join((sync.leader or "nobody", *sync.standbys))
            return f"WriteSync {listed}" + (f" votes {sync.quorum}" if sync.quorum else "")
        case e.Publish(member) if member.tags.nosync:
            return "Publish nosync"
        case e.CloseIntent(_, _, reason):
            return f"CloseIntent: {reason}" if reason else "CloseIntent"
        case e.SetSlots(plan):
            return "SetSlots " + ", ".join(slot_words(plan))
        case e.KeepLogical(plan):
            return "KeepLogical " + ", ".join(logical_words(plan))
        case e.RunCallback(action, role):
            return f"RunCallback {action} {role}"
        case e.WriteInitialize(value):
            return f"WriteInitialize {value or 'empty'}"
    return type(effect).__name__


def slot_words(plan: SlotPlan) -> list[str]:
    """The steps of a plan, and how much there is to tell."""
    drop = [f"drop {name}" for name in plan.drop]
    create = [f"create {slot.name}" for slot in plan.create]
    advance = [f"{name} to {lsns.show(at)}" for name, at in plan.advance]
    return [*drop, *create, *advance, *([f"{len(plan.notes)} told"] if plan.notes else [])]


def logical_words(plan: LogicalPlan) -> list[str]:
    create = [f"create {slot.name}{' for failover' if slot.failover else ''}" for slot in plan.create]
    advance = [f"{slot.name} to {lsns.show(at)}" for slot, at in plan.advance]
    return [*create, *advance, *(f"mark {name}" for name in plan.mark), *([f"ask {' '.join(plan.ask)}"] if plan.ask else []),
            *([f"look for {' '.join(plan.look)}"] if plan.look else []),
            *([f"sort {' '.join(plan.sort)}"] if plan.sort else [])]


def conf_words(conf: Conf) -> list[str]:
    """Whom it follows, who must confirm its commits, and what logical slots ask of it."""
    return [
        *([f"following {conf.upstream.name}"] if conf.upstream else []),
        *([f"names {conf.sync_names or 'none'}"] if conf.sync_names is not None else []),
        *(["feedback"] if conf.hot_standby_feedback else []),
        *(["sync-slots"] if conf.sync_slots else []),
        *([f"confirmed by {' '.join(conf.confirm_slots)}"] if conf.confirm_slots else []),
    ]


def replay(block: list[str]) -> list[str]:
    """The block with what the core says now below `=>`."""
    return [*play.given(block), *show(play.decided(block)[1])]


@pytest.mark.parametrize("path", play.FILES, ids=lambda path: path.stem)
def test_scenarios(path: Path, request: pytest.FixtureRequest) -> None:
    before = play.blocks(path)
    now = [replay(block) for block in before]
    if request.config.getoption("--rewrite"):
        path.write_text("\n\n".join("\n".join(block) for block in now) + "\n")
    else:
        assert now == before


def test_every_rule_has_a_scenario() -> None:
    text = "\n".join(path.read_text() for path in play.FILES)
    missing = [row.id for table in TABLES.values() for row in table if f"=> {row.id}  " not in text]
    assert missing == []
