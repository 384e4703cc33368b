"""A member's configuration file, changed as its administrator would."""

import signal
from collections.abc import Callable, Mapping
from pathlib import Path

import yaml

from pgctl.cli.demo.plan import Plan
from tests.e2e.cluster import Cluster

Change = Callable[[dict[str, object]], None]


def edit(plan: Plan, name: str, change: Change) -> None:
    """Changes one member's configuration file."""
    path = Path(plan.agent_file(plan.node(name)))
    document = yaml.safe_load(path.read_text(encoding="utf-8"))
    change(document)
    path.write_text(yaml.safe_dump(document), encoding="utf-8")


def section(document: Mapping[str, object], *path: str) -> dict[str, object]:
    """The mapping at `path` of a document."""
    here: object = document
    for step in path:
        assert isinstance(here, dict)
        here = here[step]
    assert isinstance(here, dict)
    return here


def tag(cluster: Cluster, name: str, **tags: object) -> None:
    """Gives a member these tags and no others, while it runs, and waits until it says so."""
    edit(cluster.plan, name, lambda document: document.update(tags=tags))
    cluster.signal_agent(name, signal.SIGHUP)

    def said() -> bool:
        member = cluster.member(name)
        return member is not None and member.tags.published == tags

    cluster.wait(f"{name} has the tags {tags}", said, 10)
