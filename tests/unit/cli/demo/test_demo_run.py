"""Following a log: whole lines, once each, also after it began anew."""

import re
from pathlib import Path

from pgctl.cli.demo import look
from pgctl.cli.demo.run import Log

CLOCK = re.compile(r"^\d\d:\d\d ")


def test_only_what_is_new_and_whole_is_read(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_text("10:00 old\n", encoding="utf-8")
    log = Log(str(path), CLOCK)
    assert log.new_lines() == []
    with open(path, "a", encoding="utf-8") as file:
        file.write("10:01 one\n10:02 tw")
    assert log.new_lines() == ["one"]
    with open(path, "a", encoding="utf-8") as file:
        file.write("o\n")
    assert log.new_lines() == ["two"]


def test_a_log_that_began_anew_is_read_from_its_start(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_text("10:00 a long line of before\n", encoding="utf-8")
    log = Log(str(path), CLOCK)
    path.write_text("10:05 new\n", encoding="utf-8")
    assert log.new_lines() == ["new"]


def test_a_log_that_is_not_there_yet_has_nothing_to_say(tmp_path: Path) -> None:
    log = Log(str(tmp_path / "log"), CLOCK)
    assert log.new_lines() == []
    (tmp_path / "log").write_text("10:00 first\n  a line that goes on\n", encoding="utf-8")
    assert log.new_lines() == ["first"]


def test_the_stamp_of_an_agents_line_is_known() -> None:
    assert look.STAMP.sub("", "2026-11-23 20:53:19,438 INFO: all is well") == "all is well"
