"""Atomic writes and what lies in a data directory. Knows no content.

A file is replaced by rename after fsync, so that a reader, and a crash, find the old text or the new one.
"""

import os
import shutil
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from pgctl.errors import ServerError


@dataclass(frozen=True, slots=True)
class DiskUsage:
    """Bytes of the file systems that hold the data directory and pg_wal (often the same one)."""

    total: int
    free: int
    wal_total: int
    wal_free: int


def write_error(path: Path, error: OSError) -> ServerError:
    """The error for a file that cannot be written."""
    full = error.errno == 28
    return ServerError(
        f'could not write "{path}"',
        detail=error.strerror or str(error),
        hint="Free space on this file system." if full else "Check the owner and the permissions of the directory.",
    )


def read_text(path: Path) -> str | None:
    """The content, or None when the file is absent. Raises ServerError."""
    try:
        return path.read_text("utf-8", "surrogateescape")
    except FileNotFoundError:
        return None
    except OSError as error:
        raise ServerError(f'could not read "{path}"', detail=error.strerror or str(error)) from error


def write_if_changed(path: Path, text: str, mode: int) -> bool:
    """Replaces the file when its content or mode differs; True if it did. Raises ServerError."""
    try:
        if read_text(path) == text and stat.S_IMODE(path.stat().st_mode) == mode:
            return False
        write(path, text, mode)
    except OSError as error:
        raise write_error(path, error) from error
    return True


def write(path: Path, text: str, mode: int) -> None:
    """Replaces the file: temporary file, fsync, rename, fsync of the directory. Raises ServerError."""
    try:
        fd, temporary = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
        try:
            with os.fdopen(fd, "w", encoding="utf-8", errors="surrogateescape") as out:
                os.fchmod(out.fileno(), mode)
                out.write(text)
                out.flush()
                os.fsync(out.fileno())
            os.replace(temporary, path)
        except OSError:
            Path(temporary).unlink(missing_ok=True)
            raise
        sync_directory(path.parent)
    except OSError as error:
        raise write_error(path, error) from error


def sync_directory(path: Path) -> None:
    """Makes renames and removals in a directory durable."""
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def remove_if_there(path: Path) -> bool:
    """Removes a file; True if it was there. Raises ServerError."""
    try:
        path.unlink()
        sync_directory(path.parent)
    except FileNotFoundError:
        return False
    except OSError as error:
        raise write_error(path, error) from error
    return True


@contextmanager
def secret_file(directory: Path, text: str) -> Iterator[Path]:
    """A file of mode 0600 that exists only inside the block: for passwords that programs read. Raises ServerError."""
    try:
        directory.mkdir(parents=True, exist_ok=True)
        fd, name = tempfile.mkstemp(prefix=".pgctl.", dir=directory)
    except OSError as error:
        raise write_error(directory, error) from error
    path = Path(name)
    try:
        with os.fdopen(fd, "w", encoding="utf-8") as out:
            out.write(text)
        yield path
    finally:
        path.unlink(missing_ok=True)


def mode_below(data_dir: Path) -> int:
    """The mode of a file in the data directory: 0640 where the group may read it, else 0600. Source: initdb -g."""
    with suppress(OSError):
        if data_dir.stat().st_mode & stat.S_IRGRP:
            return 0o640
    return 0o600


def is_empty(data_dir: Path) -> bool:
    """Absent, or nothing but hidden files and lost+found. Raises OSError. Source: postgresql.md 9 row 1."""
    if (data_dir / "global" / "pg_control").exists():
        return False
    try:
        names = os.listdir(data_dir)
    except FileNotFoundError:
        return True
    return all(name.startswith(".") or name == "lost+found" for name in names)


def major_version(data_dir: Path) -> str | None:
    """The content of PG_VERSION, or None. Raises ServerError."""
    text = read_text(data_dir / "PG_VERSION")
    return text.strip() if text is not None else None


def disk_usage(data_dir: Path) -> DiskUsage:
    """Sizes of the file systems below the data directory and pg_wal. Raises ServerError."""
    try:
        data = shutil.disk_usage(data_dir)
        wal_dir = data_dir / "pg_wal"
        wal = shutil.disk_usage(wal_dir) if wal_dir.exists() else data
    except OSError as error:
        raise ServerError(f'could not look at the disk below "{data_dir}"', detail=error.strerror or "") from error
    return DiskUsage(data.total, data.free, wal.total, wal.free)
