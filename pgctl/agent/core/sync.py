"""The next safe step between what `/sync` promises and what PostgreSQL waits for. Pure; knows no view and no rule.

Law. Whoever may be promoted by what `/sync` says has every commit that was ever acknowledged to a client.

Theory. P is the primary and the leader that `/sync` names. V: published voters, q: votes that a racing member needs from
others; so a winner and those it hears are q + 1 members of V + P, and it is behind none of them. S and k: PostgreSQL
acknowledges a commit once P and k of S have flushed it. Two things make a published (V, q) safe:

  commits to come    any q + 1 of V + P meet any k of S, or P: |V + S| <= q + k (`overlap`)
  commits of before  any q + 1 of V + P meet R, or P: |V - R| <= q, where R are members proven to have flushed all that
                     was acknowledged before (S, k) came into force (ha.md WK35)

Priority mode is the same law with q = 0: each of V may be promoted alone, so all of S must confirm. Hence the steps:

  any (S, k) that overlaps with what is published may be put into force, at any time
  (V, q) may be published when it overlaps with the (S, k) in force, and R bears it; R need not be asked when whoever
  wins by it could have won before: q' >= q + |V' - V|
  no voters, q = 0: may always be published, for then only P itself may win, and P has everything

The last one makes the planner total: from any state, a broken or interrupted one too, it leads to the goal in three
steps, at the price of a moment without a successor. So it is taken only where no other way is open (ha.md WK34).
Source: ha.md 3.6; Q70 to Q83 are in tests/unit/agent/core/test_core_sync.py.
"""

from typing import NamedTuple

from pgctl.model import sync as law

Names = frozenset[str]
NONE: Names = frozenset()


class Published(NamedTuple):
    """V and q, as in `/sync`."""

    voters: Names = NONE
    quorum: int = 0


class Confirming(NamedTuple):
    """S and k, as in `synchronous_standby_names`."""

    names: Names = NONE
    needed: int = 0


class Standing(NamedTuple):
    """What is: published, in force, R, and who streams (and so can confirm)."""

    published: Published
    confirming: Confirming
    proven: Names = NONE
    alive: Names = NONE


class Goal(NamedTuple):
    """What should be; its two halves overlap."""

    published: Published
    confirming: Confirming


def best(chosen: Names, count: int, *, quorum: bool) -> Goal:
    """The goal for these standbys. Priority mode: all of them confirm; quorum mode: `count` of them do."""
    k = min(count, len(chosen)) if quorum else len(chosen)
    return Goal(Published(chosen, len(chosen) - k), Confirming(chosen, k))


def covering(published: Published) -> Confirming:
    """What overlaps with `published` and was not chosen by anybody alive: for a server that is about to take writes."""
    voters = published.voters
    return Confirming(voters, max(1, len(voters) - published.quorum)) if voters else Confirming()


def next_step(now: Standing, goal: Goal) -> Published | Confirming | None:
    """What to publish or to put into force next; None: the goal is reached, or what is in force must be proven first."""
    if now == Standing(*goal, now.proven, now.alive):
        return None
    if now.published != goal.published and may_publish(goal.published, now):
        return goal.published
    if not overlap(now.published, now.confirming):
        return Published()
    if now.confirming == goal.confirming:
        return _meanwhile(now, goal)
    if overlap(now.published, goal.confirming):
        return goal.confirming
    return _between(now, goal)


def overlap(published: Published, confirming: Confirming) -> bool:
    """The law for commits to come; the leader and primary, the same one, is named by nothing here."""
    return law.overlap(published.voters, "", confirming.names, "", published.quorum, confirming.needed)


def may_publish(wanted: Published, now: Standing) -> bool:
    """Whether `wanted` is safe, given what is in force and what is proven."""
    if not wanted.voters:
        return True
    before = now.published
    stricter = wanted.quorum >= before.quorum + len(wanted.voters - before.voters)
    proven = len(wanted.voters - now.proven) <= wanted.quorum
    return overlap(wanted, now.confirming) and (stricter or proven)


def _meanwhile(now: Standing, goal: Goal) -> Published | None:
    """The goal's names are in force and not yet proven: publish those who are, where each of them stands alone."""
    if goal.published.quorum == 0:
        some = Published(goal.published.voters & now.proven)
        if some.voters and some != now.published and may_publish(some, now):
            return some
    return None


def _without_lost(now: Standing, goal: Goal) -> Published | None:
    """Voters that are no longer wanted go, as many votes still needed."""
    kept = now.published.voters & goal.published.voters
    fewer = Published(kept, min(now.published.quorum, len(kept)))
    return fewer if kept and fewer != now.published and may_publish(fewer, now) else None


def _between(now: Standing, goal: Goal) -> Published | Confirming | None:
    """Neither half of the goal overlaps with what is: more confirmations for a while, or fewer voters."""
    published, wanted = now.published, goal.published
    for others in (NONE, now.confirming.names & now.alive, published.voters & now.alive):
        names = wanted.voters | others
        count = max(len(published.voters | names) - published.quorum, len(wanted.voters | names) - wanted.quorum, 1)
        if count <= len(names & now.alive):
            more = Confirming(names, count)
            return None if more == now.confirming else more
    return _without_lost(now, goal) or Published()
