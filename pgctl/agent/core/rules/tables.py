"""The tables by situation, in the order in which situations are tried."""

from pgctl.agent.core.rules.alien import ALIEN
from pgctl.agent.core.rules.cut import CUT
from pgctl.agent.core.rules.down import DOWN
from pgctl.agent.core.rules.empty import EMPTY
from pgctl.agent.core.rules.follow import FOLLOW
from pgctl.agent.core.rules.job import JOB
from pgctl.agent.core.rules.lame import LAME
from pgctl.agent.core.rules.lead import LEAD
from pgctl.agent.core.rules.paused import PAUSED
from pgctl.agent.core.rules.race import RACE
from pgctl.agent.core.rules.resting import RESTING
from pgctl.agent.core.rules.standby_lead import STANDBY_LEAD
from pgctl.agent.core.rules.unrecorded import UNRECORDED
from pgctl.agent.core.situation import Situation
from pgctl.agent.core.table import Rule

TABLES: dict[Situation, tuple[Rule, ...]] = {
    Situation.JOB: JOB,
    Situation.CUT: CUT,
    Situation.PAUSED: PAUSED,
    Situation.RESTING: RESTING,
    Situation.ALIEN: ALIEN,
    Situation.EMPTY: EMPTY,
    Situation.LAME: LAME,
    Situation.DOWN: DOWN,
    Situation.UNRECORDED: UNRECORDED,
    Situation.RACE: RACE,
    Situation.LEAD: LEAD,
    Situation.STANDBY_LEAD: STANDBY_LEAD,
    Situation.FOLLOW: FOLLOW,
}

SENTENCES = {row.id: row.sentence for rows in TABLES.values() for row in rows}
