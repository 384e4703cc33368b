"""The tools that read the source find nothing: ruff, mypy (tests included) and import-linter."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.house.source import ROOT

TOOLS = {
    "ruff": ("ruff", "check", "--quiet", "--output-format=concise", "."),
    "mypy": ("mypy", "--no-error-summary"),
    "import-linter": ("lint-imports", "--no-logo"),
}


@pytest.mark.parametrize("name", TOOLS)
def test_has_nothing_to_say(name: str) -> None:
    program, *arguments = TOOLS[name]
    command = [str(Path(sys.executable).with_name(program)), *arguments]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        pytest.fail(done.stdout + done.stderr, pytrace=False)
