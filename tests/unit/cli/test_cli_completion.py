"""Names for the shell: from the store, within half a second; and the scripts in `completion/`, which are generated."""

import time
from pathlib import Path

import pytest
from click.shell_completion import ShellComplete, get_completion_class

from pgctl.cli.context import Call
from pgctl.cli.program import cli
from pgctl.clock import SystemClock
from tests.unit.cli.cli_site import Site

SCRIPTS = Path(__file__).parents[3] / "completion"


def offered(site: Site, *words: str) -> set[str]:
    *before, incomplete = words
    complete = ShellComplete(cli, {"obj": Call(SystemClock())}, "pgctl", "_PGCTL_COMPLETE")
    return {item.value for item in complete.get_completions(["-c", str(site.config), *before], incomplete)}


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_scripts_are_current(shell: str) -> None:
    """Written by `_PGCTL_COMPLETE=<shell>_source pgctl > completion/pgctl.<shell>`."""
    kind = get_completion_class(shell)
    assert kind is not None
    wanted = ShellComplete.source(kind(cli, {}, "pgctl", "_PGCTL_COMPLETE"))
    assert (SCRIPTS / f"pgctl.{shell}").read_text(encoding="utf-8").rstrip("\n") == wanted.rstrip("\n")


def test_commands_and_options(site: Site) -> None:
    assert offered(site, "sw") == {"switchover"}
    assert "--candidate" in offered(site, "switchover", "--c")


def test_clusters_and_members(prod: Site) -> None:
    assert offered(prod, "list", "") == {"prod"}
    assert offered(prod, "switchover", "--candidate", "") == {"a", "b", "c"}
    assert offered(prod, "restart", "") == {"prod", "a", "b", "c"}
    assert offered(prod, "restart", "prod", "b") == {"b"}


def test_nothing_and_soon_without_a_store(site: Site) -> None:
    site.config.write_text("scope: prod\netcd3:\n  host: 127.0.0.1:9\n", encoding="utf-8")
    begun = time.monotonic()
    assert offered(site, "restart", "") == set()
    assert time.monotonic() - begun < 3
    site.config.write_text("{", encoding="utf-8")
    assert offered(site, "restart", "") == set()
