"""Pages of docs/ that are generated say what the tables say, and no other pages lie among them; `make docs` writes them."""

import re
from pathlib import Path

import pytest

from pgctl.agent.core import job
from pgctl.agent.core.rules.tables import SENTENCES, TABLES
from pgctl.model import settings
from tests.docs import aftermath, rule_pages

DOCS = Path(__file__).parents[2] / "docs"
PAGES = {"settings.md": settings.markdown(), **{f"rules/{name}": text for name, text in rule_pages.pages().items()}}


@pytest.mark.parametrize("name", PAGES)
def test_a_generated_page_is_current(name: str, request: pytest.FixtureRequest) -> None:
    wanted, page = PAGES[name], DOCS / name
    if request.config.getoption("--rewrite"):
        page.parent.mkdir(exist_ok=True)
        page.write_text(wanted)
    assert page.exists() and page.read_text() == wanted, "run `make docs`, and read the difference"


def test_no_generated_page_is_left_over(request: pytest.FixtureRequest) -> None:
    """A page of a situation that is no more would be believed."""
    left = [page for page in DOCS.rglob("*.md") if rule_pages.GENERATED in page.read_text() and _name(page) not in PAGES]
    if request.config.getoption("--rewrite"):
        for page in left:
            page.unlink()
        left = []
    assert left == [], "run `make docs`"


def test_every_deed_is_known_to_lead_somewhere() -> None:
    known: set[type[job.Job]] = {*aftermath.ENDS_IN, job.Restart}
    assert {kind.name for kind in known} == {kind.name for kind in job.Job.__subclasses__()}


def test_pages_written_by_hand_name_rules_that_are_there() -> None:
    """`lead.30` in a page is a rule of that id."""
    tables = "|".join(TABLES)
    pages = [page for page in DOCS.rglob("*.md") if rule_pages.GENERATED not in page.read_text()]
    named = {found for page in pages for found in re.findall(rf"`((?:{tables})\.\d+)`", page.read_text())}
    assert "race.80" in named and named <= set(SENTENCES)


def _name(page: Path) -> str:
    return str(page.relative_to(DOCS))
