"""Text and JSON lines, levels, files, and setting up again (config.md 3)."""

import json
import logging
from collections.abc import Iterator
from pathlib import Path

import pytest

from pgctl import logs
from pgctl.config.sections import LogSection
from pgctl.errors import ConfigError


@pytest.fixture(autouse=True)
def restored() -> Iterator[None]:
    """The root logger as it was before."""
    root = logging.getLogger()
    level, known = root.level, list(root.handlers)
    yield
    for handler in [handler for handler in root.handlers if handler not in known]:
        root.removeHandler(handler)
        handler.close()
    root.setLevel(level)


def lines(path: Path) -> list[str]:
    return (path / logs.FILE).read_text().splitlines()


def test_text_lines_of_the_level_and_above(tmp_path: Path) -> None:
    logs.set_up(LogSection(dir=str(tmp_path), format="%(levelname)s %(message)s"))
    logging.getLogger("pgctl.x").debug("hidden")
    logging.getLogger("pgctl.x").info("lead.90 all is well")
    assert lines(tmp_path) == ["INFO lead.90 all is well"]


def test_json_lines_hold_fields_extras_and_static_fields(tmp_path: Path) -> None:
    logs.set_up(LogSection(dir=str(tmp_path), type="json", static_fields={"host": "a"},
                           format=("message", {"levelname": "level"})))
    logging.getLogger("pgctl.x").info('it said "%s"', "no", extra={"rule": "lead.90"})
    assert json.loads(lines(tmp_path)[0]) == {"message": 'it said "no"', "level": "INFO", "rule": "lead.90", "host": "a"}


def test_json_without_a_list_has_the_usual_fields_and_a_time_with_zone(tmp_path: Path) -> None:
    logs.set_up(LogSection(dir=str(tmp_path), type="json"))
    logging.getLogger("pgctl.x").warning("x")
    found = json.loads(lines(tmp_path)[0])
    assert list(found) == ["asctime", "levelname", "message"] and found["asctime"].endswith("+00:00")


@pytest.mark.parametrize("kind", ["plain", "json"])
@pytest.mark.parametrize(("traceback_level", "level", "shown"), [
    ("ERROR", "INFO", True), ("DEBUG", "INFO", False), ("DEBUG", "DEBUG", True)])
def test_tracebacks_are_shown_where_they_are_wanted(
    tmp_path: Path, kind: str, traceback_level: str, level: str, shown: bool
) -> None:
    logs.set_up(LogSection(dir=str(tmp_path), type=kind, level=level, traceback_level=traceback_level))
    try:
        raise ValueError("why\nso")
    except ValueError:
        logging.getLogger("pgctl.x").exception("went wrong")
    text = (tmp_path / logs.FILE).read_text()
    assert ("Traceback" in text) is shown and "went wrong" in text
    assert shown or "ValueError: why so" in text


def test_setting_up_again_replaces_file_levels_and_loggers(tmp_path: Path) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    one.mkdir()
    two.mkdir()
    noisy = logging.getLogger("pgctl.test.noisy")
    logs.set_up(LogSection(dir=str(one), loggers={"pgctl.test.noisy": "error"}))
    noisy.info("hidden")
    logs.set_up(LogSection(dir=str(two), level="WARNING"))
    noisy.warning("shown")
    noisy.info("hidden")
    assert (one / logs.FILE).read_text() == "" and [line.split(": ")[1] for line in lines(two)] == ["shown"]


def test_files_rotate_with_the_mode_asked_for(tmp_path: Path) -> None:
    logs.set_up(LogSection(dir=str(tmp_path), file_size=200, file_num=2, mode=0o600))
    for number in range(50):
        logging.getLogger("pgctl.x").info("line %d", number)
    assert {path.name for path in tmp_path.iterdir()} == {"pgctl.log", "pgctl.log.1", "pgctl.log.2"}
    assert {path.stat().st_mode & 0o777 for path in tmp_path.iterdir()} == {0o600}


def test_a_repeated_line_of_a_cycle_is_left_out(tmp_path: Path) -> None:
    logs.set_up(LogSection(dir=str(tmp_path), format="%(message)s", deduplicate_heartbeat_logs=True))
    for text, cycle in (("well", True), ("well", True), ("other", False), ("other", False), ("well", True)):
        logging.getLogger("pgctl.x").info(text, extra={"cycle": cycle})
    assert lines(tmp_path) == ["well", "other", "other", "well"]


@pytest.mark.parametrize("section", [
    LogSection(level="LOUD"), LogSection(loggers={"x": "LOUD"}), LogSection(dir="/no/such/directory"),
    LogSection(format="%(message"),
])
def test_what_cannot_be_set_up_is_the_operators_to_mend_and_changes_nothing(section: LogSection) -> None:
    before = list(logging.getLogger().handlers)
    with pytest.raises(ConfigError):
        logs.set_up(section)
    assert logging.getLogger().handlers == before
