"""Command lines of the deeds (start, clone, rewind, bootstrap) and `transitions`: what is run, without running it."""

from dataclasses import replace
from pathlib import Path

import pytest

from pgctl.clock import SystemClock
from pgctl.config.sections import BootstrapSection, Credentials, PostgresSection
from pgctl.errors import ServerError
from pgctl.model.conf import Conf, Upstream
from pgctl.model.lsn import Lsn
from pgctl.model.server import ControlData, Phase
from pgctl.postgresql import archive, bootstrap, clone, history, options, rewind, start, transitions
from pgctl.postgresql.options import Options
from pgctl.postgresql.site import Site
from pgctl.postgresql.transitions import Verb

SOURCE = Upstream("beta", "10.0.0.2", 5433)


@pytest.fixture
def site(tmp_path: Path) -> Site:
    (tmp_path / "PG_VERSION").write_text("15\n")
    section = PostgresSection(
        str(tmp_path),
        bin_dir="/pg/bin",
        bin_names={"postgres": "postgres-wrapped"},
        superuser=Credentials("postgres", "secret1"),
        replication=Credentials("rep", "secret2"),
    )
    return Site(section, "main", "alpha", SystemClock(), {})


def test_the_postmasters_command_line(site: Site) -> None:
    control = ControlData("shut down", "1", Lsn(1), 1, settings=(("max_connections", "300"),))
    words = start.command(site, Options(), Conf(), control)
    assert words[:4] == [
        "/pg/bin/postgres-wrapped",
        "-D",
        site.section.data_dir,
        f"--config-file={site.section.data_dir}/postgresql.conf",
    ]
    assert "--max_connections=300" in words and "--cluster_name=main" in words
    assert not [word for word in words if word.startswith("--wal_keep")]
    assert "--max_connections=100" in start.command(site, Options(), Conf(standby=False), control)


def test_rewind_without_secrets(site: Site) -> None:
    words = rewind.command(site, Options(), SOURCE, Conf())
    assert words == [
        "/pg/bin/pg_rewind",
        f"--target-pgdata={site.section.data_dir}",
        "--source-server=dbname=postgres user=postgres host=10.0.0.2 port=5433 target_session_attrs=read-write",
        "--progress",
    ]


def test_rewind_restores_wal_where_it_can(site: Site, tmp_path: Path) -> None:
    own = options.merge({"recovery_conf": {"restore_command": "cp"}, "rewind": ["debug", {"dry-run": True}]}, {})
    assert rewind.command(site, own, SOURCE, Conf())[-2:] == ["--restore-target-wal", "--debug"]
    moved = options.merge({"recovery_conf": {"restore_command": "cp"}, "config_base_name": "main"}, {})
    assert f"--config-file={tmp_path}/main.conf" in rewind.command(site, moved, SOURCE, Conf())
    (tmp_path / "PG_VERSION").write_text("14\n")
    words = rewind.command(site, moved, SOURCE, Conf())
    assert not [word for word in words if word.startswith(("--config-file", "--restore-target-wal"))]


def test_archive_command_is_filled_in() -> None:
    assert archive.substituted("cp %p /a/%f 100%%", "0001") == "cp pg_wal/0001 /a/0001 100%"


def test_ready_wal_is_archived_until_the_first_failure(site: Site, tmp_path: Path) -> None:
    status = tmp_path / "pg_wal" / "archive_status"
    status.mkdir(parents=True)
    for name in ("A", "B", "C"):
        (tmp_path / "pg_wal" / name).write_text(name)
        (status / f"{name}.ready").touch()
    given = {"archive_mode": "on", "archive_command": f"test %f != B && cp %p {tmp_path}/%f"}
    archive.ready(site, options.merge({"parameters": {**given, "archive_mode": "off"}}, {}))
    assert not (tmp_path / "A").exists()
    archive.ready(site, options.merge({"parameters": given}, {}))
    assert sorted(path.name for path in status.iterdir()) == ["A.done", "B.ready", "C.ready"]
    assert (tmp_path / "A").read_text() == "A" and not (tmp_path / "C").exists()


def test_the_segment_in_which_a_primary_ended_is_archived_once(site: Site, tmp_path: Path) -> None:
    status = tmp_path / "pg_wal" / "archive_status"
    status.mkdir(parents=True)
    (tmp_path / "pg_wal" / "0A").write_text("log")
    given = options.merge({"parameters": {"archive_mode": "on", "archive_command": f"echo %f >>{tmp_path}/told"}}, {})
    ended = ControlData("shut down", "1", Lsn(0x5000028), 1, redo_wal_file="0A")
    archive.last(site, given, replace(ended, state="in production"))
    archive.last(site, options.merge({"parameters": {"archive_mode": "on"}}, {}), ended)
    assert not (tmp_path / "told").exists()
    archive.last(site, given, ended)
    archive.last(site, given, ended)
    assert (tmp_path / "told").read_text() == "0A\n"
    assert [path.name for path in status.iterdir()] == ["0A.done"]


@pytest.mark.parametrize(
    ("own", "major", "accepted", "left_out"),
    [
        (None, 15, ["--checkpoint=fast"], []),
        ([{"checkpoint": "spread"}, "no-sync"], 15, ["--checkpoint=spread", "--no-sync"], []),
        ([{"compress": "server-zstd"}], 15, ["--compress=server-zstd", "--checkpoint=fast"], []),
        ([{"compress": "server-zstd"}], 14, ["--checkpoint=fast"], ["compress"]),
        (
            {"compress": 5, "format": "t", "max-rate": "10M"},
            15,
            ["--max-rate=10M", "--checkpoint=fast"],
            ["format", "compress"],
        ),
    ],
)
def test_basebackup_options(own: object, major: int, accepted: list[str], left_out: list[str]) -> None:
    assert clone.basebackup_arguments(own, major) == (accepted, left_out)


def test_a_replica_methods_command(site: Site) -> None:
    own = {"command": "/bin/restore 'a b'", "no_leader": 1, "keep_data": True, "threads": 4}
    assert clone.custom_command(site, "mine", own, "host=x") == [
        "/bin/restore",
        "a b",
        "--threads=4",
        "--scope=main",
        "--role=replica",
        f"--datadir={site.section.data_dir}",
        "--connstring=host=x",
    ]
    assert clone.custom_command(site, "mine", {"no_params": "on", "x": 1}, "host=x") == ["mine", "--x=1"]
    with pytest.raises(ServerError, match="cannot be split"):
        clone.custom_command(site, "mine", {"command": "'"}, "")


def test_without_a_source_only_methods_that_need_none_are_tried(site: Site) -> None:
    with pytest.raises(ServerError, match="no server to clone from"):
        clone.clone(site, options.merge({"create_replica_methods": ["mine", "basebackup"]}, {}), None, print, bool)


def test_a_bootstrap_methods_command(site: Site) -> None:
    own = {"command": "restore", "keep_existing_recovery_conf": True, "recovery_conf": {}, "target": "latest"}
    section = BootstrapSection(method="mine", methods={"mine": own, "empty": {}})
    assert bootstrap.method_of(section) == own
    words = ["restore", "--scope=main", f"--datadir={site.section.data_dir}", "--target=latest"]
    assert bootstrap.custom_command(site, own) == words


@pytest.mark.parametrize("method", ["initdb", "unknown", "empty"])
def test_a_method_without_a_command_is_initdb(method: str) -> None:
    assert bootstrap.method_of(BootstrapSection(method=method, methods={"empty": {}, "initdb": {"command": "x"}})) is None


def test_a_local_history(site: Site, tmp_path: Path) -> None:
    (tmp_path / "pg_wal").mkdir()
    (tmp_path / "pg_wal" / "00000003.history").write_text("1\t0/3000000\tx\n\n2\t0/5000060\tno recovery target specified\n")
    found = history.local(site, 3)
    assert found is not None and [(one.timeline, one.lsn) for one in found.switches] == [(1, 0x3000000), (2, 0x5000060)]
    assert history.local(site, 2) is None


def test_every_verb_and_phase_stands_in_the_table() -> None:
    assert set(transitions.ALLOWED) == set(Verb)
    assert set().union(*transitions.ALLOWED.values()) == set(Phase)
    for verb in Verb:
        for phase in Phase:
            if phase in transitions.ALLOWED[verb]:
                transitions.require(verb, phase)
            else:
                with pytest.raises(ServerError, match=f"cannot {verb}") as caught:
                    transitions.require(verb, phase)
                assert caught.value.detail


def test_a_directory_with_data_is_never_cloned_into() -> None:
    with pytest.raises(ServerError, match="not empty"):
        transitions.require(Verb.CLONE, Phase.DOWN)
