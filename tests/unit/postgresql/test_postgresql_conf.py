"""`conf` and `conf_files`: texts, and the files of a data directory."""

from dataclasses import replace
from pathlib import Path

import pytest

from pgctl.clock import SystemClock
from pgctl.config.sections import Credentials, PostgresSection
from pgctl.model.conf import Conf, Upstream
from pgctl.postgresql import conf, conf_files, options
from pgctl.postgresql.options import Options
from pgctl.postgresql.site import Site

UPSTREAM = Upstream("beta", "10.0.0.2", 5433, "alpha")


@pytest.fixture
def site(tmp_path: Path) -> Site:
    data = tmp_path / "data"
    data.mkdir(mode=0o700)
    (data / "PG_VERSION").write_text("15\n")
    (data / "postgresql.conf").write_text("shared_buffers = '1MB'\n")
    section = PostgresSection(str(data), pgpass=str(tmp_path / "pgpass"), replication=Credentials("rep", "pw"))
    return Site(section, "main", "alpha", SystemClock(), {})


def merged(**section: object) -> Options:
    return options.merge(section, {})


def test_values_are_quoted_as_the_server_reads_them() -> None:
    assert conf.quoted("it's C:\\x") == "'it''s C:\\\\x'"
    assert conf.assignments({"a": "1", "b": ""}) == "a = '1'\nb = ''\n"


def test_a_standby_is_told_whom_to_follow(site: Site) -> None:
    found = conf.recovery_settings(site, merged(), Conf(upstream=UPSTREAM), 15)
    assert found["primary_slot_name"] == "alpha"
    assert found["recovery_target_timeline"] == "latest"
    assert found["recovery_target"] == found["recovery_target_lsn"] == ""
    assert "host=10.0.0.2" in found["primary_conninfo"] and "pw" not in found["primary_conninfo"].split()
    assert list(found) == sorted(found)


def test_the_operators_recovery_settings_count_but_not_for_what_is_ours(site: Site) -> None:
    own = merged(
        recovery_conf={"restore_command": "cp x", "primary_conninfo": "host=evil", "recovery_target_time": "now"},
        parameters={"archive_cleanup_command": "clean", "restore_command": "older"},
    )
    found = conf.recovery_settings(site, own, Conf(), 15)
    assert (found["restore_command"], found["archive_cleanup_command"]) == ("cp x", "clean")
    assert (found["primary_conninfo"], found["recovery_target_time"]) == ("", "")
    assert conf.recovery_settings(site, own, Conf(restore_command="far"), 15)["restore_command"] == "far"


def test_a_primary_is_told_nobody(site: Site) -> None:
    found = conf.recovery_settings(site, merged(), Conf(standby=False), 15)
    assert "primary_conninfo" not in found


def test_promote_trigger_file_went_away_in_16(site: Site) -> None:
    own = merged(recovery_conf={"promote_trigger_file": "/x"})
    assert "promote_trigger_file" in conf.recovery_settings(site, own, Conf(), 15)
    assert "promote_trigger_file" not in conf.recovery_settings(site, own, Conf(), 16)


def test_what_the_agent_decides_on_is_taken_out_of_auto_conf(site: Site, caplog: pytest.LogCaptureFixture) -> None:
    """The names of synchronous standbys only where the cluster decides on them."""
    auto, names = Path(site.section.data_dir) / "postgresql.auto.conf", "synchronous_standby_names = 'x'\n"
    kept = "# Do not edit\nwork_mem = '1MB'\n"
    auto.write_text(kept + names + "primary_conninfo = 'host=a'\nRecovery_Target_Timeline='3'\n")
    assert conf_files.write(site, merged(), Conf(standby=False))
    assert auto.read_text() == kept + names
    assert "decides on it: primary_conninfo, recovery_target_timeline" in caplog.text
    assert conf_files.write(site, merged(), Conf(standby=False, sync_names='"b"'))
    assert auto.read_text() == kept
    assert not conf_files.write(site, merged(), Conf(standby=False, sync_names='"b"'))


def test_all_files_of_a_standby(site: Site) -> None:
    own = merged(pg_hba=["local all all trust"], parameters={"work_mem": "2MB"})
    assert conf_files.write(site, own, Conf(upstream=UPSTREAM))
    data = site.data_dir
    main = (data / "postgresql.conf").read_text()
    assert main.startswith(conf.HEAD + "include 'postgresql.base.conf'\n")
    assert f"hba_file = '{data}/pg_hba.conf'" in main and "work_mem = '2MB'" in main
    assert (data / "postgresql.base.conf").read_text() == "shared_buffers = '1MB'\n"
    assert (data / "pg_hba.conf").read_text() == conf.HEAD + "local all all trust\n"
    assert (data / "standby.signal").read_text() == ""
    assert site.pgpass.read_text() == "10.0.0.2:5433:*:rep:pw\n"
    assert site.pgpass.stat().st_mode & 0o777 == (data / "postgresql.conf").stat().st_mode & 0o777 == 0o600


def test_writing_again_changes_nothing(site: Site) -> None:
    conf_files.write(site, merged(), Conf(upstream=UPSTREAM))
    before = {path: path.stat().st_mtime_ns for path in site.data_dir.iterdir()}
    assert not conf_files.write(site, merged(), Conf(upstream=UPSTREAM))
    assert {path: path.stat().st_mtime_ns for path in site.data_dir.iterdir()} == before


def test_a_primary_has_no_signal_file(site: Site) -> None:
    conf_files.write(site, merged(), Conf(upstream=UPSTREAM))
    (site.data_dir / "recovery.signal").touch()
    assert conf_files.write(site, merged(), Conf(standby=False))
    assert not list(site.data_dir.glob("*.signal"))


def test_a_file_that_the_operator_named_is_left_alone(site: Site) -> None:
    own = merged(pg_hba=["local all all trust"], parameters={"hba_file": "mine.conf"})
    conf_files.write(site, own, Conf())
    assert not (site.data_dir / "pg_hba.conf").exists()
    assert f"hba_file = '{site.data_dir}/mine.conf'" in (site.data_dir / "postgresql.conf").read_text()


def test_custom_conf_takes_the_base_files_place(site: Site) -> None:
    conf_files.write(site, merged(custom_conf="/etc/mine.conf"), Conf())
    assert "include '/etc/mine.conf'" in (site.data_dir / "postgresql.conf").read_text()
    assert not (site.data_dir / "postgresql.base.conf").exists()


def test_a_config_dir_elsewhere(site: Site, tmp_path: Path) -> None:
    elsewhere = tmp_path / "etc"
    elsewhere.mkdir()
    moved = replace(site, section=replace(site.section, config_dir=str(elsewhere)))
    conf_files.write(moved, merged(), Conf())
    assert sorted(path.name for path in elsewhere.iterdir()) == ["pg_ident.conf", "postgresql.base.conf", "postgresql.conf"]
    assert (site.data_dir / "standby.signal").exists()


def test_a_restored_directory_keeps_its_own_recovery(site: Site) -> None:
    (site.data_dir / "recovery.signal").touch()
    (site.data_dir / "postgresql.auto.conf").write_text("restore_command = 'x'\n")
    conf_files.write(site, merged(), Conf(standby=False), {"recovery_target_name": "before"})
    assert (site.data_dir / "recovery.signal").exists()
    assert "restore_command" in (site.data_dir / "postgresql.auto.conf").read_text()
    assert "recovery_target_name = 'before'" in (site.data_dir / "postgresql.conf").read_text()
