"""Removes a data directory, or sets it aside, with what lies behind its symlinks: pg_wal and tablespaces.

Never called without a rule that allows it: the reason is logged before anything is touched. Source: ha.md B30, B44.
"""

import logging
import os
import shutil
from pathlib import Path

from pgctl.errors import ServerError

log = logging.getLogger(__name__)


def outside(data_dir: Path) -> list[tuple[Path, Path]]:
    """(symlink, directory) for what belongs to this server and lies elsewhere: pg_wal first, then tablespaces."""
    links = [data_dir / "pg_wal"]
    spaces = data_dir / "pg_tblspc"
    if spaces.is_dir():
        links += sorted(spaces.iterdir())
    return [(link, link.resolve()) for link in links if link.is_symlink() and link.resolve().is_dir()]


def remove(data_dir: Path, reason: str) -> None:
    """Removes everything; where the file system refuses, sets it aside instead. Raises ServerError."""
    log.warning('removing the data directory "%s": %s', data_dir, reason)
    try:
        _remove_outside(data_dir)
        if data_dir.is_dir():
            empty(data_dir.resolve())
    except OSError as error:
        log.error('could not remove "%s": %s; setting it aside', error.filename or data_dir, error.strerror)
        set_aside(data_dir)


def remove_new(data_dir: Path, before: frozenset[str] | None) -> None:
    """Removes what came into `data_dir` since `before` (None: it did not exist), outside too. Raises ServerError."""
    if not data_dir.is_dir():
        return
    try:
        _remove_outside(data_dir)
        if before is None:
            shutil.rmtree(data_dir)
        else:
            empty(data_dir.resolve(), keep=before)
    except OSError as error:
        raise ServerError(f'could not clean up "{data_dir}"', detail=error.strerror or str(error)) from error


def _remove_outside(data_dir: Path) -> None:
    for link, path in outside(data_dir):
        log.warning('removing what is in "%s", which belongs to it', path)
        empty(path, only="" if link.name == "pg_wal" else "PG_")


def empty(directory: Path, *, keep: frozenset[str] = frozenset({"lost+found"}), only: str = "") -> None:
    """Removes what is in a directory, or what begins with `only`; the directory stays: it may be a mount. Raises OSError."""
    with os.scandir(directory) as entries:
        for entry in entries:
            if entry.name in keep or not entry.name.startswith(only):
                continue
            if entry.is_dir(follow_symlinks=False):
                shutil.rmtree(entry.path)
            else:
                os.unlink(entry.path)


def set_aside(data_dir: Path) -> None:
    """Renames the data directory, and what lies outside, to `.failed`; an older one of that name is replaced.

    Raises ServerError.
    """
    if not data_dir.exists():
        return
    try:
        for link, path in outside(data_dir):
            renamed = _rename(path)
            link.unlink()
            link.symlink_to(renamed)
        _rename(data_dir.resolve())
    except OSError as error:
        raise ServerError(
            f'could not set "{data_dir}" aside',
            detail=error.strerror or str(error),
            hint="Move it away by hand; its parent directory must be writable.",
        ) from error


def _rename(path: Path) -> Path:
    failed = path.with_name(f"{path.name}.failed")
    if failed.exists():
        shutil.rmtree(failed)
    path.rename(failed)
    log.warning('"%s" is now "%s"', path, failed)
    return failed
