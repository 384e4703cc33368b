"""What the demo tells: progress, table, hints; and a screen that is a terminal or is not."""

import io

from pgctl.cli.demo import look, show
from pgctl.cli.demo.plan import Node, Plan
from pgctl.cli.demo.screen import Screen
from pgctl.model.cluster import Cluster, Leader, Revision, Status
from pgctl.model.lsn import Lsn
from pgctl.model.member import Member, MemberName

PLAN = Plan("/d", "/bin", (Node("pg1", 5001, 8001), Node("pg2", 5002, 8002)))
PG1 = Member(MemberName("pg1"), state="running", role="primary", timeline=1, xlog_location=Lsn(2048))
PG2 = Member(MemberName("pg2"), state="running", role="replica", timeline=1, xlog_location=Lsn(1024),
             replication_state="streaming")
WELL = Cluster("demo", Leader(MemberName("pg1"), Revision(1)), (PG1, PG2), status=Status(Lsn(2048)))
NAMES = frozenset({"pg1", "pg2"})


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_progress_says_what_each_member_does() -> None:
    assert show.progress(PLAN, WELL) == {"pg1": "running as primary", "pg2": "streaming from pg1"}
    assert show.progress(PLAN, None) == {"pg1": "starting", "pg2": "starting"}
    young = Cluster("demo", members=(Member(MemberName("pg1"), state="initializing new cluster"),))
    assert show.progress(PLAN, young)["pg1"] == "initializing new cluster"


def test_only_news_is_told() -> None:
    assert show.changed({"a": "x", "b": "y"}, {"a": "x", "b": "z"}) == ["  b  z"]


def test_the_table_shows_everybody_the_silent_ones_too() -> None:
    lines = show.live(PLAN, Cluster("demo", WELL.leader, (PG1,), status=WELL.status), "")
    assert any("pg1" in line and "Leader" in line for line in lines)
    assert any("pg2" in line and "silent" in line for line in lines)
    assert not any("silent" in line for line in show.live(PLAN, WELL, ""))


def test_a_store_that_is_away_is_said() -> None:
    assert "no such file" in show.live(PLAN, None, "no such file")[0]


def test_health_is_one_primary_and_everyone_streaming_on_its_timeline() -> None:
    assert look.healthy(WELL, NAMES)
    assert not look.healthy(None, NAMES)
    assert not look.healthy(Cluster("demo", None, (PG1, PG2)), NAMES)
    assert not look.healthy(Cluster("demo", WELL.leader, (PG1,)), NAMES)
    stopped = Member(MemberName("pg2"), state="stopped", role="replica")
    assert not look.healthy(Cluster("demo", WELL.leader, (PG1, stopped)), NAMES)
    old = Member(MemberName("pg2"), state="running", role="replica", timeline=2, replication_state="streaming")
    assert not look.healthy(Cluster("demo", WELL.leader, (PG1, old)), NAMES)


def test_the_way_to_the_configuration_is_told_when_plain_pgctl_would_not_find_it() -> None:
    assert not any("PGCTL_CONFIG_FILE" in line for line in show.to_try(PLAN, "pg2", user_file=True))
    assert any("PGCTL_CONFIG_FILE=/d/pgctl.yaml" in line for line in show.to_try(PLAN, "pg2", user_file=False))
    assert any("/d/pg2/data/postmaster.pid" in line for line in show.to_try(PLAN, "pg2", user_file=True))


def test_status_names_what_is_missing() -> None:
    assert show.status(PLAN, []) == ["The demo is stopped."]
    assert "Not running: pg2." in show.status(PLAN, ["pg1", "supervisor"])
    assert len(show.status(PLAN, ["pg1", "pg2", "supervisor"])) == 1


def test_a_stream_gets_lines_and_no_block() -> None:
    stream = io.StringIO()
    screen = Screen(stream)
    screen.block(["table"])
    screen.line("news")
    assert stream.getvalue() == "news\n"


def test_a_terminal_gets_its_block_below_the_lines() -> None:
    stream = Terminal()
    screen = Screen(stream)
    screen.block(["a", "b"])
    screen.block(["a", "b"])
    assert stream.getvalue() == "a\nb\n"
    screen.line("news")
    assert stream.getvalue() == "a\nb\n\x1b[2A\x1b[Jnews\na\nb\n"


def test_a_long_line_is_cut_to_the_terminal() -> None:
    stream = Terminal()
    Screen(stream).block(["x" * 200])
    assert stream.getvalue() == "x" * 80 + "\n"


def test_a_block_left_behind_is_not_erased() -> None:
    stream = Terminal()
    screen = Screen(stream)
    screen.block(["a"])
    screen.leave()
    screen.line("end")
    assert "\x1b" not in stream.getvalue()
