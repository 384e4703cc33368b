"""`files` and `removal`: atomic writes, what is empty, what is removed."""

import os
from pathlib import Path

import pytest

from pgctl.errors import ServerError
from pgctl.postgresql import files, removal


def test_a_write_replaces_the_file_and_its_mode(tmp_path: Path) -> None:
    path = tmp_path / "a"
    assert files.write_if_changed(path, "one", 0o600)
    os.link(path, tmp_path / "reader")
    assert not files.write_if_changed(path, "one", 0o600)
    assert files.write_if_changed(path, "one", 0o640) and path.stat().st_mode & 0o777 == 0o640
    assert files.write_if_changed(path, "two", 0o640)
    assert (path.read_text(), (tmp_path / "reader").read_text()) == ("two", "one")
    assert sorted(os.listdir(tmp_path)) == ["a", "reader"]


def test_bytes_that_are_no_text_survive(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"caf\xe9")
    text = files.read_text(tmp_path / "a")
    assert text is not None
    files.write(tmp_path / "b", text, 0o600)
    assert (tmp_path / "b").read_bytes() == b"caf\xe9"


def test_a_file_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    with pytest.raises(ServerError) as caught:
        files.write(tmp_path / "missing" / "a", "x", 0o600)
    assert "missing/a" in caught.value.message and caught.value.hint
    full = files.write_error(tmp_path, OSError(28, "No space left on device"))
    assert "Free space" in full.hint


def test_removing_what_is_not_there_is_done_already(tmp_path: Path) -> None:
    (tmp_path / "a").touch()
    assert files.remove_if_there(tmp_path / "a")
    assert not files.remove_if_there(tmp_path / "a")


def test_a_secret_lives_in_its_block_only(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), files.secret_file(tmp_path / "new", "pw\n") as path:
        assert (path.read_text(), path.stat().st_mode & 0o777) == ("pw\n", 0o600)
        raise ZeroDivisionError
    assert os.listdir(tmp_path / "new") == []


@pytest.mark.parametrize(
    ("names", "empty"),
    [([], True), ([".hidden", "lost+found"], True), (["PG_VERSION"], False), ([".x", "global/pg_control"], False)],
)
def test_what_counts_as_empty(tmp_path: Path, names: list[str], empty: bool) -> None:
    for name in names:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    assert files.is_empty(tmp_path) is empty
    assert files.is_empty(tmp_path / "missing")


def test_modes_follow_the_data_directory(tmp_path: Path) -> None:
    tmp_path.chmod(0o750)
    assert files.mode_below(tmp_path) == 0o640
    tmp_path.chmod(0o700)
    assert files.mode_below(tmp_path) == files.mode_below(tmp_path / "missing") == 0o600


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A data directory with pg_wal and a tablespace elsewhere."""
    (tmp_path / "wal" / "archive_status").mkdir(parents=True)
    (tmp_path / "space" / "PG_15_202209061").mkdir(parents=True)
    (tmp_path / "space" / "foreign").touch()
    data = tmp_path / "data"
    (data / "pg_tblspc").mkdir(parents=True)
    (data / "PG_VERSION").touch()
    (data / "pg_wal").symlink_to(tmp_path / "wal")
    (data / "pg_tblspc" / "16384").symlink_to(tmp_path / "space")
    return data


def test_removal_takes_what_belongs_to_it_and_no_more(data: Path, caplog: pytest.LogCaptureFixture) -> None:
    removal.remove(data, "empty.30: reinitialize was asked for")
    assert (os.listdir(data), os.listdir(data.parent / "wal")) == ([], [])
    assert os.listdir(data.parent / "space") == ["foreign"]
    assert "empty.30: reinitialize was asked for" in caplog.text


def test_what_was_there_before_stays(data: Path) -> None:
    (data / ".keep").touch()
    removal.remove_new(data, frozenset({".keep"}))
    assert os.listdir(data) == [".keep"]
    removal.remove_new(data, None)
    assert not data.exists()
    removal.remove_new(data, None)


def test_setting_aside_takes_the_links_targets_along(data: Path) -> None:
    (data.parent / "data.failed").mkdir()
    (data.parent / "data.failed" / "older").touch()
    removal.set_aside(data)
    failed = data.parent / "data.failed"
    assert not data.exists() and (failed / "PG_VERSION").exists() and not (failed / "older").exists()
    assert (failed / "pg_wal").resolve() == data.parent / "wal.failed"
    assert (failed / "pg_tblspc" / "16384" / "PG_15_202209061").is_dir()
    removal.set_aside(data)


def test_disk_usage_needs_a_directory(tmp_path: Path) -> None:
    found = files.disk_usage(tmp_path)
    assert 0 < found.free <= found.total == found.wal_total
    with pytest.raises(ServerError):
        files.disk_usage(tmp_path / "missing")
