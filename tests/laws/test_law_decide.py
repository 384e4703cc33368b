"""Laws of the core, over views that nobody would think of."""

from hypothesis import given

from pgctl.agent.core import because, decide, failsafe, needs, remote
from pgctl.agent.core import effects as e
from pgctl.agent.core import job as j
from pgctl.agent.core.rules.tables import TABLES
from pgctl.agent.core.situation import Situation, situation
from pgctl.agent.core.view import View
from pgctl.model import sync, sync_names
from pgctl.model.server import Phase
from pgctl.model.settings import SyncMode
from tests.laws.views import views


def jobs(view: View) -> list[j.Job]:
    return [effect.job for effect in decide.decide(view).effects if isinstance(effect, e.StartJob)]


@given(views())
def test_deciding_is_total_and_repeatable(view: View) -> None:
    """Law 1: the same view, the same decision; and there always is one, which wakes again in time."""
    first, second = decide.decide(view), decide.decide(view)
    assert first == second
    assert view.now <= first.wake_at <= view.now + view.settings.loop_wait
    needs.peers(view)
    needs.upstream_history(view)
    failsafe.question(view)


@given(views())
def test_at_most_one_deed_and_none_beside_another(view: View) -> None:
    """INV27: at most one long deed at a time."""
    assert len(jobs(view)) <= (0 if situation(view) is Situation.JOB else 1)


@given(views())
def test_a_promotion_comes_with_the_lease(view: View) -> None:
    """INV1: only in a cycle that takes the leader key, or that sees it as mine and holds it by its own clock."""
    decision = decide.decide(view)
    for job in jobs(view):
        if isinstance(job, j.Promote | j.StartPrimary):
            takes = any(isinstance(effect, e.HoldLease) for effect in decision.effects)
            mine = view.cluster is not None and view.cluster.leader_name == view.me and view.lease.held
            agreed = view.cluster is None and view.round is not None and not view.round.refused and view.lease.held
            assert takes or mine or agreed


@given(views())
def test_who_has_promised_not_to_stand_does_not(view: View) -> None:
    """INV7, E12: a standby bound by a promise does not ask for the key. Nor does one that `/failsafe` does not name, unless
    all that it names answer that they do not lead.
    """
    named = view.cluster.failsafe if view.cluster and view.settings.failsafe_mode else None
    innocent = {peer.name for peer in view.peers or () if peer.state and not peer.primary and not peer.failsafe}
    shut_out = named is not None and view.me not in named and not set(named) <= innocent
    bound = failsafe.promised(view) > 0 or shut_out
    if bound and view.server.phase is Phase.STANDBY:
        assert not any(isinstance(effect, e.HoldLease) for effect in decide.decide(view).effects)


@given(views())
def test_without_the_watchdog_it_requires_a_member_is_no_primary(view: View) -> None:
    """INV21: it does not stand, is not promoted, and a primary that leads is stopped."""
    if not view.host.watchdog_fault:
        return
    if view.server.phase is Phase.STANDBY and remote.section(view) is None:
        assert not any(isinstance(effect, e.HoldLease) for effect in decide.decide(view).effects)
        assert not any(isinstance(job, j.Promote) for job in jobs(view))
    if situation(view) is Situation.LEAD and view.server.phase is Phase.PRIMARY and view.lease.held:
        assert any(isinstance(job, j.Stop) for job in jobs(view)) or view.lease.failsafe


@given(views())
def test_only_a_round_that_all_accepted_prolongs_the_lead(view: View) -> None:
    """INV6."""
    for effect in decide.decide(view).effects:
        if isinstance(effect, e.Prolong):
            assert view.cluster is None and view.round is not None and not view.round.refused
            assert effect.deadline == view.round.sent + view.settings.ttl


@given(views())
def test_the_key_is_taken_before_the_server_becomes_writable(view: View) -> None:
    """Stopping after any effect is safe: the lease comes first, the deed after it."""
    kinds = [type(effect) for effect in decide.decide(view).effects]
    if e.HoldLease in kinds and e.StartJob in kinds:
        assert kinds.index(e.HoldLease) < kinds.index(e.StartJob)


@given(views())
def test_a_promotion_in_synchronous_mode_comes_after_its_claim(view: View) -> None:
    """INV9, INV11: `/sync` names me before, or the claim is written first; and I was listed, or an operator's will."""
    effects = decide.decide(view).effects
    kinds = [type(effect) for effect in effects]
    cluster = view.cluster
    if cluster is None or not view.settings.synchronous or not any(isinstance(job, j.Promote) for job in jobs(view)):
        return
    claims = [effect.sync for effect in effects if isinstance(effect, e.WriteSync)]
    assert cluster.sync.leader == view.me or [claim.leader for claim in claims] == [view.me]
    if claims:
        assert kinds.index(e.WriteSync) < kinds.index(e.StartJob)
    forced = cluster.intent is not None and not cluster.intent.switchover and cluster.intent.candidate == view.me
    if cluster.sync.active and view.settings.synchronous_mode is SyncMode.ON:
        assert cluster.sync.lists(view.me) or forced


@given(views())
def test_what_is_published_overlaps_with_what_is_in_force(view: View) -> None:
    """INV10, INV12: whatever a leader writes into `/sync`, PostgreSQL says by then that it waits for them."""
    if situation(view) not in (Situation.LEAD, Situation.PAUSED) or view.server.phase is not Phase.PRIMARY:
        return
    running = sync_names.parse(view.server.sync_names)
    for effect in decide.decide(view).effects:
        if isinstance(effect, e.WriteSync) and effect.sync.standbys:
            voters = frozenset(name.lower() for name in effect.sync.standbys)
            names = frozenset(name.lower() for name in running.names)
            assert sync.overlap(voters, view.me, names, view.me, effect.sync.quorum, running.needed)


@given(views())
def test_a_strict_primary_never_runs_without_names(view: View) -> None:
    """INV16: neither a running one that is told others, nor one that is about to be."""
    if not view.settings.synchronous or not view.settings.synchronous_mode_strict or view.cluster is None:
        return
    told = [effect.conf for effect in decide.decide(view).effects if isinstance(effect, e.WriteConf)]
    told += [job.conf for job in jobs(view) if isinstance(job, j.StartPrimary)]
    for conf in told:
        if not conf.standby and view.server.sync_names == "" and not view.cluster.sync.active:
            continue  # just switched on: `/sync` comes first, the names with the next look
        assert conf.standby or conf.sync_names


@given(views())
def test_a_member_tagged_nofailover_never_stands(view: View) -> None:
    """INV8: except as a server that is the primary already."""
    if view.host.tags.nofailover and view.server.phase is not Phase.PRIMARY:
        assert not any(isinstance(effect, e.HoldLease) for effect in decide.decide(view).effects)


@given(views())
def test_another_clusters_data_is_never_touched(view: View) -> None:
    """INV23: not started, followed, promoted or removed; a server that takes writes is stopped, for nobody guards it."""
    if situation(view) is Situation.ALIEN:
        stopped = [j.Stop] if view.server.phase is Phase.PRIMARY else []
        assert [type(job) for job in jobs(view)] == stopped


@given(views())
def test_pause_touches_nothing_without_an_order(view: View) -> None:
    """INV26: no start, stop or promotion but by an order, or to finish the handover that an order began."""
    cluster = view.cluster
    if situation(view) not in (Situation.PAUSED, Situation.RESTING) or cluster is None:
        return
    ordered = view.order is not None or cluster.intent is not None or view.memory.handover is not None
    back = view.server.phase is Phase.DOWN and view.server.control is not None and view.server.control.state == "shut down"
    if not ordered and not back:
        assert jobs(view) == []
    assert not any(isinstance(effect, e.SetSlots) and effect.plan.drop for effect in decide.decide(view).effects)


@given(views())
def test_the_lead_is_given_up_only_by_a_server_that_cannot_write(view: View) -> None:
    """INV17: stopped, or no primary; or another cluster's data, which was never this cluster's primary."""
    released = any(isinstance(effect, e.ReleaseLease) for effect in decide.decide(view).effects)
    alien = situation(view) is Situation.ALIEN or decide.decide(view).rule == "paused.05"
    if released and not alien:
        assert view.server.phase is not Phase.PRIMARY


@given(views())
def test_data_is_removed_only_where_it_is_allowed(view: View) -> None:
    """INV22: by an operator's order, or where it cannot follow and rebuilding is allowed; never while I lead."""
    for job in jobs(view):
        if isinstance(job, j.Rebuild):
            assert job.why and job.rule
            assert view.cluster is not None and view.cluster.leader_name not in (None, view.me)
            assert view.order is not None or view.host.rebuild_allowed


@given(views())
def test_a_primary_that_sees_another_leader_stops(view: View) -> None:
    """INV4."""
    if situation(view) is Situation.FOLLOW and view.server.phase is Phase.PRIMARY:
        assert [type(job) for job in jobs(view)] == [j.Stop]


@given(views())
def test_a_standby_cluster_promotes_nobody(view: View) -> None:
    """Y4: whoever leads it stays a standby, or becomes one; once `/config` says so, and for ever until it does not."""
    cluster = view.cluster
    if cluster is None or cluster.config is None or cluster.settings.standby_cluster is None:
        return
    assert not any(isinstance(job, j.Promote | j.StartPrimary) for job in jobs(view))
    known = view.lease.left(view.now) > 0 and not view.lease.failsafe  # else the key is taken over first
    if situation(view) is Situation.STANDBY_LEAD and view.server.phase is Phase.PRIMARY and known:
        assert [type(job) for job in jobs(view)] == [j.Stop]


@given(views())
def test_a_wiped_store_turns_no_primary_into_a_standby(view: View) -> None:
    """What bootstrap.dcs says of a standby cluster is for one yet to be made."""
    cluster = view.cluster
    if cluster is None or cluster.config is not None or view.server.phase is not Phase.PRIMARY:
        return
    assert remote.section(view) is None
    assert "standby_cluster" not in (remote.document(view) or {})


def test_ids_are_unique_numbered_and_the_last_row_always_matches() -> None:
    seen: set[str] = set()
    for name, table in TABLES.items():
        assert 1 <= len(table) <= 12, f"{name} has {len(table)} rows: it was two situations"
        assert table[-1].when == ()
        numbers = [int(row.id.removeprefix(f"{name}.")) for row in table]
        assert numbers == sorted(numbers)
        assert not seen & {row.id for row in table}
        seen |= {row.id for row in table}


@given(views())
def test_every_fact_that_fails_is_explained(view: View) -> None:
    """Whatever the view: words, and none of them from the code, for each rule that was passed over."""
    for _, fact in decide.decide(view).passed_over:
        said = because.failed(view, fact)
        assert said and "None" not in said and "<" not in said
