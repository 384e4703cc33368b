"""What each major version can do, and calls things: one table. No other room compares version numbers.

What a server tells of itself needs no row: a column that is not there, a parameter that waits for a restart.

Versions are server_version_num (150018), majors are plain (15). Source: postgresql.md 20 and the release notes 13 to 18.
"""

from enum import StrEnum

from pgctl.errors import ServerError

OLDEST = 13
NEWEST_KNOWN = 18


class Feature(StrEnum):
    """Something a server or one of its programs can do, or a libpq keyword that it knows."""

    REWIND_CONFIG_FILE = "pg_rewind --config-file"
    SERVER_COMPRESSION = "pg_basebackup --compress=server-..."
    CHECKPOINT_ROLE = "pg_checkpoint may run CHECKPOINT"
    PROMOTE_TRIGGER_FILE = "promote_trigger_file"
    SSLCRLDIR = "sslcrldir"
    SSLNEGOTIATION = "sslnegotiation"
    DECODING_ON_STANDBY = "a standby makes logical slots itself"
    LOG_STANDBY_SNAPSHOT = "pg_log_standby_snapshot"


_TABLE: dict[Feature, tuple[int, int]] = {
    # feature: first and last major that has it
    Feature.REWIND_CONFIG_FILE: (15, 99),
    Feature.SERVER_COMPRESSION: (15, 99),
    Feature.CHECKPOINT_ROLE: (15, 99),
    Feature.PROMOTE_TRIGGER_FILE: (12, 15),
    Feature.SSLCRLDIR: (14, 99),
    Feature.SSLNEGOTIATION: (17, 99),
    Feature.DECODING_ON_STANDBY: (16, 99),
    Feature.LOG_STANDBY_SNAPSHOT: (16, 99),
}


def has(major: int, feature: Feature) -> bool:
    """Whether this major version has `feature`."""
    first, last = _TABLE[feature]
    return first <= major <= last


def major_of(version: int) -> int:
    """15 of 150018."""
    return version // 10000


def parse_major(text: str) -> int:
    """The major in the file PG_VERSION. Raises ServerError when it is no version that we support."""
    word = text.strip()
    if not word.isdigit():
        raise ServerError(
            f'PostgreSQL version "{word[:20]}" is not supported',
            detail=f"the oldest version supported is {OLDEST}",
            hint="Upgrade the data directory with pg_upgrade first.",
        )
    major = int(word)
    if major < OLDEST:
        raise ServerError(
            f"PostgreSQL {major} is not supported",
            detail=f"the oldest version supported is {OLDEST}",
            hint="Upgrade the data directory with pg_upgrade first.",
        )
    return major
