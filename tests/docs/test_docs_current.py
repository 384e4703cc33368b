"""Pages of docs/ that are generated from tables say what the tables say; `pytest --rewrite` writes them anew."""

from pathlib import Path

import pytest

from pgctl.agent.core import decide
from pgctl.model import settings

DOCS = Path(__file__).parents[2] / "docs"
PAGES = {"settings.md": settings.markdown, "rules.md": decide.markdown}


@pytest.mark.parametrize("name", PAGES)
def test_a_generated_page_is_current(name: str, request: pytest.FixtureRequest) -> None:
    wanted = PAGES[name]()
    page = DOCS / name
    if request.config.getoption("--rewrite"):
        page.write_text(wanted)
    assert page.read_text() == wanted, "run pytest --rewrite, and read the difference"
