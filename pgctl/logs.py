"""Logging set-up: text and JSON formatters, levels, a rotating file. Only the two programs call it.

Library rooms use `logging.getLogger` and never this room. No thread, no queue: a line is written when it is logged.
Setting up again replaces what an earlier call set up, so that a reload may change everything. Source: config.md 3.
"""

import json
import logging
import os
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from io import TextIOWrapper
from logging.handlers import RotatingFileHandler
from typing import Final, Protocol

from pgctl.errors import ConfigError

FILE: Final = "pgctl.log"
_TEXT: Final = "%(asctime)s %(levelname)s: %(message)s"
_FIELDS: Final = ("asctime", "levelname", "message")
_MARK: Final = "pgctl"


class Wishes(Protocol):
    """What is asked of the log: `config.sections.LogSection` is one. Ground rooms know no section by name."""

    @property
    def type(self) -> str: ...
    @property
    def level(self) -> str: ...
    @property
    def format(self) -> str | tuple[object, ...]: ...
    @property
    def dateformat(self) -> str: ...
    @property
    def traceback_level(self) -> str: ...
    @property
    def static_fields(self) -> Mapping[str, str]: ...
    @property
    def dir(self) -> str: ...
    @property
    def mode(self) -> int | None: ...
    @property
    def file_num(self) -> int: ...
    @property
    def file_size(self) -> int: ...
    @property
    def loggers(self) -> Mapping[str, str]: ...
    @property
    def deduplicate_heartbeat_logs(self) -> bool: ...


class TextFormatter(logging.Formatter):
    """One line a record. A traceback follows only where the section wants tracebacks; else its last line does."""

    def __init__(self, section: Wishes) -> None:
        shape = section.format if isinstance(section.format, str) and section.format else _TEXT
        super().__init__(shape, section.dateformat or None)
        self._tracebacks = _tracebacks(section)

    def format(self, record: logging.LogRecord) -> str:
        if record.exc_info is None or self._tracebacks:
            return super().format(record)
        brief = logging.makeLogRecord(record.__dict__ | {"exc_info": None, "exc_text": None})
        return f"{super().format(brief)} ({_brief(record)})"


class JsonFormatter(logging.Formatter):
    """One JSON object a record: the fields asked for, what was passed as `extra`, and the static fields."""

    def __init__(self, section: Wishes) -> None:
        super().__init__(_TEXT, section.dateformat or None)
        self._fields = _names(section.format)
        self._static = dict(section.static_fields)
        self._tracebacks = _tracebacks(section)

    def format(self, record: logging.LogRecord) -> str:
        values = record.__dict__ | {"message": record.getMessage(), "asctime": self._time(record)}
        written: dict[str, object] = {shown: values.get(name) for name, shown in self._fields}
        written |= {key: value for key, value in record.__dict__.items() if key not in _USUAL}
        written |= self._static
        if record.exc_info is not None:
            written["exc_info"] = self.formatException(record.exc_info) if self._tracebacks else _brief(record)
        return json.dumps(written, default=str)

    def _time(self, record: logging.LogRecord) -> str:
        if self.datefmt:
            return self.formatTime(record, self.datefmt)
        return datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")


class WithoutRepeats(logging.Filter):
    """Leaves out a line of a cycle that says the same as the one before it; any other line ends the silence."""

    def __init__(self) -> None:
        super().__init__()
        self._last = ""

    def filter(self, record: logging.LogRecord) -> bool:
        text = record.getMessage()
        repeated = getattr(record, "cycle", False) and text == self._last
        self._last = text
        return not repeated


class RotatingFile(RotatingFileHandler):
    """A file and its older ones, each with the mode asked for before a line is in it."""

    def __init__(self, path: str, section: Wishes) -> None:
        self._mode = section.mode
        super().__init__(path, "a", section.file_size, section.file_num, "utf-8")

    def _open(self) -> TextIOWrapper:
        stream = super()._open()
        if self._mode is not None:
            os.fchmod(stream.fileno(), self._mode)
        return stream


def set_up(section: Wishes) -> None:
    """Makes the root logger write as `section` says, to standard error or to `dir`/pgctl.log.

    A logger that an earlier call gave a level and this section does not name inherits again. Raises ConfigError.
    """
    level, levels = _level("log.level", section.level), _levels(section.loggers)
    handler = _handler(section)
    handler.name = _MARK
    handler.setFormatter(_formatter(section))
    if section.deduplicate_heartbeat_logs:
        handler.addFilter(WithoutRepeats())
    root = logging.getLogger()
    for old in [known for known in root.handlers if known.name == _MARK]:
        root.removeHandler(old)
        old.close()
    root.addHandler(handler)
    root.setLevel(level)
    for name, known in list(logging.root.manager.loggerDict.items()):
        if isinstance(known, logging.Logger) and name not in levels and known.level and getattr(known, _MARK, False):
            known.setLevel(logging.NOTSET)
    for name, wanted in levels.items():
        logger = logging.getLogger(name)
        logger.setLevel(wanted)
        setattr(logger, _MARK, True)


def _handler(section: Wishes) -> logging.Handler:
    if not section.dir:
        return logging.StreamHandler(sys.stderr)
    path = os.path.join(section.dir, FILE)
    try:
        return RotatingFile(path, section)
    except OSError as error:
        detail = f"{path}: {error.strerror or error}"
        raise ConfigError("cannot open the log file", detail=detail, hint="Check log.dir: it must exist.") from error


def _formatter(section: Wishes) -> logging.Formatter:
    try:
        return JsonFormatter(section) if section.type == "json" else TextFormatter(section)
    except ValueError as error:
        raise ConfigError("log.format cannot be used", detail=str(error)) from error


def _levels(loggers: Mapping[str, str]) -> dict[str, int]:
    return {name: _level(f"log.loggers.{name}", word) for name, word in loggers.items()}


def _level(place: str, word: str) -> int:
    known = logging.getLevelNamesMapping()
    if (level := known.get(word.upper())) is None:
        raise ConfigError(f'{place} must be DEBUG, INFO, WARNING, ERROR or CRITICAL, not "{word}"')
    return level


def _names(shape: object) -> tuple[tuple[str, str], ...]:
    """(field, name in the output) of a format list; a text or nothing means the usual three."""
    if not isinstance(shape, tuple) or not shape:
        return tuple((name, name) for name in _FIELDS)
    pairs: list[tuple[str, str]] = []
    for item in shape:
        pairs += [(str(key), str(value)) for key, value in item.items()] if isinstance(item, Mapping) else [
            (str(item), str(item))]
    return tuple(pairs)


def _tracebacks(section: Wishes) -> bool:
    """traceback_level DEBUG hides them unless the level is DEBUG too."""
    return section.traceback_level != "DEBUG" or section.level == "DEBUG"


def _brief(record: logging.LogRecord) -> str:
    """The kind and words of the record's exception, on one line."""
    error = record.exc_info[1] if isinstance(record.exc_info, tuple) else None
    return " ".join(f"{type(error).__name__}: {error}".split())


_USUAL = frozenset({*logging.makeLogRecord({}).__dict__, "message", "asctime", "taskName"})
"""What every record holds: anything else came as `extra`."""
