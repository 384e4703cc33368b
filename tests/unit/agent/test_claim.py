"""Two agents never share a data directory."""

import os
from pathlib import Path

import pytest

from pgctl.agent import claim
from pgctl.errors import ConfigError


def test_a_second_claim_is_refused_and_names_the_first(tmp_path: Path) -> None:
    with claim.take(str(tmp_path / "data")), pytest.raises(ConfigError, match=f"its process is {os.getpid()}"):
        claim.take(str(tmp_path / "data"))


def test_another_spelling_of_the_path_is_the_same_directory(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path)
    with claim.take(str(tmp_path / "data")), pytest.raises(ConfigError, match="another agent looks after"):
        claim.take(str(tmp_path / "link" / "." / "data"))


def test_a_claim_ends_with_its_holder(tmp_path: Path) -> None:
    claim.take(str(tmp_path / "data")).close()
    with claim.take(str(tmp_path / "data")), claim.take(str(tmp_path / "other")):
        pass
