"""What the scripts share does what its comment says: it is run by `sh`, as they run it."""

import subprocess
import sys

from tests.house.source import ROOT


def test_of_an_active_virtual_environment_the_python_is_taken_that_made_it() -> None:
    assert sys.prefix != sys.base_prefix, "the tests run in a virtual environment"
    found = subprocess.run(["sh", "-c", '. scripts/lib.sh; interpreter "$1"', "sh", sys.executable], cwd=ROOT,
                           capture_output=True, text=True, check=True).stdout.strip()
    where = subprocess.run([found, "-c", "import sys; print(sys.prefix, sys.base_prefix)"],
                           capture_output=True, text=True, check=True).stdout.split()
    assert where == [sys.base_prefix, sys.base_prefix]
