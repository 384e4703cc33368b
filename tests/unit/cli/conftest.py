"""Fixtures of the command line's tests: see `cli_site`."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.unit.cli.cli_site import Site


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    """An empty store."""
    made = Site(tmp_path)
    yield made
    made.close()


@pytest.fixture
def prod(site: Site) -> Site:
    """A healthy cluster of three."""
    site.fill()
    return site
