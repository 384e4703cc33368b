"""A store's server without room on its disk."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.contract.full_disk import OWN_MOUNTS
from tests.contract.test_contract_apart import NEEDS, why_not

pytestmark = [pytest.mark.contract, pytest.mark.slow]


@pytest.mark.parametrize("kind", [pytest.param(kind, marks=pytest.mark.store(kind)) for kind in NEEDS])
def test_a_full_disk_of_the_store_is_no_answer_and_heals(kind: str, tmp_path: Path) -> None:
    """What was written is there once there is room again, what was unknown may be; the lease was not lost by it."""
    if reason := why_not():
        pytest.skip(reason)
    NEEDS[kind]()
    seen = subprocess.run([*OWN_MOUNTS, sys.executable, "-m", "tests.contract.full_disk", kind, str(tmp_path)],
                          capture_output=True, text=True, timeout=240, check=False)
    assert seen.returncode == 0, seen.stdout + seen.stderr
