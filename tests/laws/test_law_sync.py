"""Laws of the synchronous planner, against a second, dumb account of which commits are where.

The account: every (S, k) that was ever in force may have acknowledged a commit that only some k of S hold, the primary
apart; a member proven under the one in force holds all that came before. A promotion by what is published must never
be won without such a holder, or the primary, among those heard.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import combinations

from hypothesis import given
from hypothesis import strategies as st

from pgctl.agent.core import sync
from pgctl.agent.core.sync import Confirming, Goal, Published, Standing

PRIMARY = "p"
MEMBERS = frozenset("wxyz")
MOST_STEPS = 8

some = st.frozensets(st.sampled_from(sorted(MEMBERS)))


@st.composite
def published(draw: st.DrawFn) -> Published:
    voters = draw(some)
    return Published(voters, draw(st.integers(0, len(voters))) if voters else 0)


@st.composite
def confirming(draw: st.DrawFn) -> Confirming:
    names = draw(some)
    return Confirming(names, draw(st.integers(1, len(names)))) if names else Confirming()


standings = st.builds(Standing, published(), confirming(), st.just(frozenset()), some)


@st.composite
def goals(draw: st.DrawFn, alive: frozenset[str]) -> Goal:
    """Some of those alive, in either mode."""
    chosen = frozenset(name for name in sorted(alive) if draw(st.booleans()))
    return sync.best(chosen, draw(st.integers(1, 3)), quorum=draw(st.booleans()))


def holders_of(names: Confirming) -> Iterator[frozenset[str]]:
    return (frozenset(chosen) for chosen in combinations(sorted(names.names), names.needed))


def promises_too_much(said: Published, commits: set[frozenset[str]]) -> bool:
    """Whether somebody may win and hear nobody who has one of the commits."""
    if not said.voters:
        return False
    electorate = sorted(said.voters | {PRIMARY})
    heard = [frozenset(some_of_them) for some_of_them in combinations(electorate, said.quorum + 1)]
    return any(not (winner & (held | {PRIMARY})) for winner in heard for held in commits)


@dataclass
class World:
    now: Standing
    commits: set[frozenset[str]] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.commits |= set(holders_of(self.now.confirming))

    def do(self, step: Published | Confirming) -> None:
        if isinstance(step, Published):
            self.now = self.now._replace(published=step)
        else:
            self.commits |= set(holders_of(step))
            self.now = self.now._replace(confirming=step, proven=frozenset())
        assert not promises_too_much(self.now.published, self.commits), (step, self)

    def catch_up(self, who: frozenset[str]) -> None:
        """These of the names in force have flushed all that was acknowledged before."""
        proven = self.now.proven | (who & self.now.alive & self.now.confirming.names)
        self.now = self.now._replace(proven=proven)
        self.commits = {held | proven for held in self.commits} | set(holders_of(self.now.confirming))


def settle(world: World, goal: Goal) -> None:
    """Nothing changes any more: the goal is reached within a few steps."""
    for _ in range(MOST_STEPS):
        step = sync.next_step(world.now, goal)
        if step is not None:
            world.do(step)
        elif (world.now.published, world.now.confirming) == tuple(goal):
            return
        else:
            assert not goal.confirming.names <= world.now.proven, f"waits for nothing: {world.now} {goal}"
            world.catch_up(MEMBERS)
    raise AssertionError(f"not at the goal after {MOST_STEPS} steps: {world.now} {goal}")


@given(standings, st.data())
def test_the_goal_is_reached_from_any_state_in_a_few_steps(now: Standing, data: st.DataObject) -> None:
    """WK34: also from states that nothing here would make."""
    goal = data.draw(goals(now.alive))
    world = World(now)
    if promises_too_much(now.published, world.commits):
        step = sync.next_step(now, goal)
        assert step is None or isinstance(step, Published), "first of all it promises less"
        now = now._replace(published=Published())
    settle(World(now), goal)


@given(st.data())
def test_no_prefix_of_any_life_promises_too_much(data: st.DataObject) -> None:
    """INV13: members come, go and lag, goals change, the planner forgets and is cut short, at any step."""
    world = World(Standing(Published(), Confirming(), frozenset(), MEMBERS))
    goal = data.draw(goals(world.now.alive))
    for _ in range(data.draw(st.integers(1, 25))):
        match data.draw(st.sampled_from(("step", "step", "step", "catch up", "alive", "goal", "forget"))):
            case "step":
                step = sync.next_step(world.now, goal)
                if step is not None:
                    world.do(step)
            case "catch up":
                world.catch_up(data.draw(some))
            case "forget":
                world.now = world.now._replace(proven=frozenset())
            case "alive":
                world.now = world.now._replace(alive=data.draw(some))
                goal = data.draw(goals(world.now.alive))
            case _:
                goal = data.draw(goals(world.now.alive))
    settle(world, goal)


@given(published())
def test_what_covers_the_published_overlaps_with_it(said: Published) -> None:
    """A promoted server, and one that starts as a primary, takes no write that a successor might miss."""
    names = sync.covering(said)
    assert sync.overlap(said, names)
    assert not promises_too_much(said, set(holders_of(names)))


@given(standings, st.data())
def test_commits_never_wait_for_more_than_are_alive(now: Standing, data: st.DataObject) -> None:
    """No step makes PostgreSQL wait for a confirmation that nobody can give."""
    step = sync.next_step(now, data.draw(goals(now.alive)))
    if isinstance(step, Confirming):
        assert step.needed <= len(step.names & now.alive)
