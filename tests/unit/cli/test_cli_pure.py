"""The pure rooms of the command line: choosing, times, trees, phases, tables, progress."""

from datetime import UTC, datetime, timedelta

import pytest

from pgctl.cli import choose, follow, health, members, output, rebuild, tables, times
from pgctl.cli.follow import Standing
from pgctl.cli.members import Row
from pgctl.cli.output import Format, Shown
from pgctl.cli.rebuild import Progress
from pgctl.cli.tables import Table
from pgctl.errors import UsageError
from pgctl.model.cluster import Cluster, Leader, Revision, Status
from pgctl.model.lsn import Lsn
from pgctl.model.member import Member, MemberName, Tags
from pgctl.rest import schema
from pgctl.units import Wall

NOW = times.local(Wall(1903860000.0))


def standby(name: str, timeline: int = 3, state: str = "running", replication: str | None = "streaming") -> Member:
    return Member(MemberName(name), state=state, role="replica", timeline=timeline, replication_state=replication,
                  receive_lsn=Lsn(100), replay_lsn=Lsn(100))


def primary(name: str, timeline: int = 3) -> Member:
    return Member(MemberName(name), state="running", role="primary", timeline=timeline)


def cluster(leader: str | None, *found: Member, optime: int = 100) -> Cluster:
    held = Leader(MemberName(leader), Revision(1)) if leader else None
    return Cluster("prod", leader=held, members=found, status=Status(Lsn(optime)))


# --- choosing ---------------------------------------------------------------------------------------------------------


def test_roles_are_what_the_leader_key_says() -> None:
    found = cluster("a", primary("a"), standby("b"), primary("c"))
    chosen = {role: [member.name for member in choose.members(found, role=role)] for role in choose.ROLES}
    assert chosen == {"leader": ["a"], "primary": ["a"], "standby-leader": [], "replica": ["b", "c"], "standby": ["b", "c"],
                      "any": ["a", "b", "c"]}


def test_names_and_roles_must_fit() -> None:
    found = cluster("a", primary("a"), standby("b"))
    with pytest.raises(choose.UnknownMember) as caught:
        choose.members(found, ("b", "bb"))
    assert caught.value.hint == 'Did you mean "b"? Members of prod: a, b.'
    with pytest.raises(UsageError):
        choose.members(found, ("a",), "replica")


@pytest.mark.parametrize(("words", "wanted"), [
    ((), ("prod", ())), (("prod",), ("prod", ())), (("prod", "a"), ("prod", ("a",))), (("a", "b"), ("prod", ("a", "b"))),
    (("test", "a"), ("test", ("a",))),
])
def test_words(words: tuple[str, ...], wanted: tuple[str, tuple[str, ...]]) -> None:
    assert choose.split(words, "prod", ("a", "b")) == wanted


# --- times ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("text", "wanted"), [
    ("+90s", NOW + timedelta(seconds=90)),
    ("+1h", NOW + timedelta(hours=1)),
    ("18:00", NOW.replace(hour=18, minute=0, second=0)),
    ("8:30:15", NOW.replace(hour=8, minute=30, second=15)),
    ("2030-06-01T10:00:00+00:00", datetime(2030, 6, 1, 10, tzinfo=UTC)),
    ("2030-06-01 10:00Z", datetime(2030, 6, 1, 10, tzinfo=UTC)),
    ("2030-06-01 10:00 UTC", datetime(2030, 6, 1, 10, tzinfo=UTC)),
    ("now", None), ("NOW", None), ("", None), (None, None),
])
def test_times(text: str | None, wanted: datetime | None) -> None:
    assert times.parse(text, NOW) == wanted


@pytest.mark.parametrize("text", ["soon", "+1parsec", "10", "01/02/2030", "2030-01-01T10:00 Mars/Olympus", "25:00"])
def test_what_is_no_time(text: str) -> None:
    with pytest.raises(UsageError):
        times.parse(text, NOW)


def test_without_a_zone_it_is_the_local_one() -> None:
    found = times.parse("2030-06-01T10:00:00", times.local(Wall(0)))
    assert found is not None and found.tzinfo is not None
    assert found.replace(tzinfo=None) == datetime(2030, 6, 1, 10)  # noqa: DTZ001


# --- members and health -----------------------------------------------------------------------------------------------


def test_nobody_is_lost_from_a_tree() -> None:
    rows = (Row("a", leader=True), Row("b", upstream="c"), Row("c", upstream="b"), Row("d", upstream="a"),
            Row("e", upstream="d"), Row("f", upstream="gone"), Row("g", upstream="g"))
    assert [(row.name, row.depth) for row in members.tree(rows)] == [
        ("a", 0), ("d", 1), ("e", 2), ("f", 1), ("g", 1), ("b", 1), ("c", 1)]


def test_an_old_members_single_position() -> None:
    streaming = Member(MemberName("b"), xlog_location=Lsn(50), replication_state="streaming")
    restoring = Member(MemberName("c"), xlog_location=Lsn(50))
    first, second = members.rows(cluster(None, streaming, restoring))
    assert (first.receive.lag, first.replay.lsn) == (50, None)
    assert (second.receive.lsn, second.replay.lag) == (None, 50)


def test_ports_are_shown_when_they_tell_members_apart() -> None:
    same = (Row("a", host="h", port=5432), Row("b", host="h", port=5432))
    assert members.ports_needed(same)
    assert members.ports_needed((Row("a", host="h", port=5433),))
    assert not members.ports_needed((Row("a", host="h1"), Row("b", host="h2"), Row("c"), Row("d")))


def test_health() -> None:
    assert health.problems(cluster("a", primary("a"), standby("b"))) == ()
    archive = Member(MemberName("c"), state="running", role="replica", tags=Tags(nostream=True))
    assert health.problems(cluster("a", primary("a"), archive)) == ()
    assert health.problems(cluster("a", standby("a"), standby("b", state="crashed"))) == (
        "a holds the leader key and runs as replica", "b is crashed")
    assert health.problems(cluster("x", standby("b"))) == ("x holds the leader key and is silent",)


# --- following --------------------------------------------------------------------------------------------------------


def test_standings_of_a_switchover() -> None:
    before = cluster("a", primary("a"), standby("b"), standby("c"))
    order = follow.begin(before, "b")
    steps = [
        (before, Standing.ORDERED),
        (cluster(None, standby("a", state="stopped"), standby("b"), standby("c")), Standing.ORDERED),
        (cluster("b", standby("b"), standby("c")), Standing.LEADS),
        (cluster("b", primary("b", 4), standby("c")), Standing.PROMOTED),
        (cluster("b", primary("b", 4), standby("a"), standby("c", 4)), Standing.PROMOTED),
        (cluster("b", primary("b", 4), standby("a", 4), standby("c", 4)), Standing.COMPLETE),
    ]
    assert [follow.standing(order, step) for step, _ in steps] == [wanted for _, wanted in steps]
    assert follow.waiting_for(order, steps[3][0]) == "a, c"
    assert follow.phases(order, steps[5][0])[-1] == "c follows b"


def test_a_standby_that_did_not_stream_before_is_not_waited_for() -> None:
    before = cluster("a", primary("a"), standby("b"), standby("c", replication=None))
    order = follow.begin(before, None)
    assert follow.standing(order, cluster("b", primary("b", 4), standby("a", 4))) is Standing.COMPLETE


def test_progress_of_a_copy() -> None:
    def status(**fields: object) -> schema.PeerStatus:
        return schema.read_status("b", output.text(Shown(value={"patroni": {}, **fields}), Format.JSON))

    before = status(state="running", postmaster_start_time="1")
    silent = schema.PeerStatus("b", False, problem="refused")
    looks: list[tuple[schema.PeerStatus, dict[str, object], Progress]] = [
        (silent, {}, Progress.WAITING),
        (before, {}, Progress.WAITING),
        (before, {"last_failure": "the source cannot be copied now"}, Progress.FAILED),
        (before, {"job": {"name": "clone", "ended": False}}, Progress.BUSY),
        (status(state="creating replica"), {}, Progress.BUSY),
        (status(state="stopped"), {"last_failure": "no space left"}, Progress.FAILED),
        (status(state="running", postmaster_start_time="2"), {"job": {"name": "clone", "ended": True}}, Progress.DONE),
    ]
    assert [rebuild.judge(before, now, told).progress for now, told, _ in looks] == [wanted for *_, wanted in looks]


# --- output -----------------------------------------------------------------------------------------------------------


def test_a_rule_between_rows_when_a_cell_has_lines() -> None:
    lines = tables.boxed(Table(("A", "B"), (("x", "1\n2"), ("y", "3")), title=" T ")).splitlines()
    assert [line[0] for line in lines] == ["+", "|", "+", "|", "|", "+", "|", "+"]


@pytest.mark.parametrize("rows", [
    (), (("a", "1", ""),), (("a", "1", "x"), ("bbb", "1000", "")), (("a", "1\n22", "x"), ("", "", "y\n\nz")),
])
def test_both_ways_of_drawing_give_the_same(rows: tuple[tuple[str, ...], ...]) -> None:
    table = Table(("Name", "N", "Long title"), rows, frozenset({1}), " T ")
    assert tables.drawn(table) == tables.pretty(table)


def test_wide_letters_keep_the_box_straight() -> None:
    lines = tables.boxed(Table(("N", "Size"), (("表", "1"), ("a", "2")), title=" T ")).splitlines()
    assert lines[3] == "| 表 | 1    |" and lines[4] == "| a  | 2    |"


def test_alignment() -> None:
    text = tables.boxed(Table(("N", "Size"), (("a", "1"), ("bb", "1000")), frozenset({1})))
    assert "| a  |    1 |" in text


def test_an_empty_table_is_its_header() -> None:
    assert tables.tsv(Table(("A", "B"), ())) == "A\tB\n"
    assert "| A | B |" in tables.boxed(Table(("A", "B"), ()))


def test_values_become_plain() -> None:
    shown = Shown(value=[{"a": (1, 2.5), "b": Lsn(7), "c": None, "ü": Format.TSV}])
    assert output.text(shown, Format.JSON) == '[{"a": [1, 2.5], "b": 7, "c": null, "ü": "tsv"}]\n'
    assert output.text(shown, Format.YAML) == "- a:\n  - 1\n  - 2.5\n  b: 7\n  c: null\n  ü: tsv\n"
