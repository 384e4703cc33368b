"""What a range of histories has shown: how often each act was made, in how many histories each law was tried.

Pure. What never happened proves nothing, so each line that counts nothing says so.
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from tests.sim.checkers import LAWS, Finding, Verdict
from tests.sim.modes import Mode, drawable
from tests.sim.record import Event, Struck
from tests.sim.record_agents import Spared


@dataclass
class Tally:
    """Counts by the kind of the act and by the name of the law; grows by one history at a time."""

    struck: Counter[str] = field(default_factory=Counter)
    spared: Counter[str] = field(default_factory=Counter)
    """Of those struck, the ones that came to nothing."""
    laws: Counter[tuple[str, Verdict]] = field(default_factory=Counter)

    def add(self, events: Iterable[Event], findings: Iterable[Finding]) -> None:
        for event in events:
            match event:
                case Struck(kind=kind):
                    self.struck[kind] += 1
                case Spared(kind=kind):
                    self.spared[kind] += 1
                case _:
                    pass
        self.laws.update((each.law, each.verdict) for each in findings)

    def merge(self, other: "Tally") -> None:
        self.struck.update(other.struck)
        self.spared.update(other.spared)
        self.laws.update(other.laws)

    def lines(self, modes: Iterable[Mode]) -> Iterator[str]:
        """A line for each act that these modes may draw, then one for each law that they may break; each by name."""
        asked = frozenset(modes)
        for kind in sorted(frozenset().union(*map(drawable, asked)) | self.struck.keys()):
            nothing = self.spared[kind]
            made = self.struck[kind] - nothing
            yield f"{kind:36} made {made:6}   to no effect {nothing:6}{'   NEVER MADE' if not made else ''}\n"
        for law in sorted(law.name for law in LAWS if law.modes & asked):
            held, broken, untried = (self.laws[law, each] for each in (Verdict.YES, Verdict.NO, Verdict.UNTRIED))
            never = "" if held or broken else "   NEVER TRIED"
            yield f"{law:36} held {held:6}   broken {broken:6}   untried {untried:6}{never}\n"
