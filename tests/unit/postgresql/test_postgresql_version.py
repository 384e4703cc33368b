"""`version`: the table of what majors can do."""

import pytest

from pgctl.errors import ServerError
from pgctl.postgresql import version
from pgctl.postgresql.version import Feature


@pytest.mark.parametrize(
    ("major", "feature", "there"),
    [
        (14, Feature.CHECKPOINT_ROLE, False),
        (15, Feature.CHECKPOINT_ROLE, True),
        (15, Feature.PROMOTE_TRIGGER_FILE, True),
        (16, Feature.PROMOTE_TRIGGER_FILE, False),
        (16, Feature.SSLNEGOTIATION, False),
        (18, Feature.SSLNEGOTIATION, True),
    ],
)
def test_features_come_and_go_with_a_major(major: int, feature: Feature, there: bool) -> None:
    assert version.has(major, feature) is there


def test_every_feature_has_a_row() -> None:
    assert all(version.has(version.NEWEST_KNOWN, one) or version.has(version.OLDEST, one) for one in Feature)


def test_majors_are_read_from_both_spellings() -> None:
    assert version.major_of(150018) == 15
    assert version.parse_major("17\n") == 17


@pytest.mark.parametrize("text", ["9.6", "12", "", "x"])
def test_what_is_too_old_or_no_version_is_refused(text: str) -> None:
    with pytest.raises(ServerError, match="not supported"):
        version.parse_major(text)
