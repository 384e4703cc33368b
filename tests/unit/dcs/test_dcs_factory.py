"""Which store a section opens, and what is said when it cannot; one retry policy; the layout of keys."""

import subprocess
import sys

import pytest

from pgctl.clock import SystemClock
from pgctl.config.sections import StoreSection
from pgctl.dcs import factory, keys, retry
from pgctl.errors import ConfigError
from pgctl.units import Instant, Seconds, Wall


@pytest.mark.parametrize(("kind", "options", "name"), [
    ("sqlite", {"path": "/nowhere/store"}, "SqliteStore"),
    ("etcd3", {"host": "127.0.0.1:1"}, "Etcd3Store"),
    ("etcd", {"host": "127.0.0.1:1"}, "Etcd2Store"),
    ("consul", {"host": "127.0.0.1:1"}, "ConsulStore"),
])
def test_a_store_is_opened_by_its_kind_without_asking_it(kind: str, options: dict[str, object], name: str) -> None:
    store = factory.open_store(StoreSection(kind, options, scope="prod"), SystemClock())
    assert type(store).__name__ == name
    store.close()


@pytest.mark.parametrize("kind", ["raft", "exhibitor", ""])
def test_an_unsupported_kind_names_those_that_are(kind: str) -> None:
    with pytest.raises(ConfigError, match=f'store "{kind}" is not supported by this version') as caught:
        factory.open_store(StoreSection(kind, {}), SystemClock())
    assert "etcd3" in caught.value.hint and "sqlite" in caught.value.hint


@pytest.mark.parametrize(("kind", "library"), [("consul", "consul"), ("etcd", "etcd")])
def test_a_client_that_is_not_installed_is_said_with_the_extra_that_brings_it(kind: str, library: str) -> None:
    code = (f"import sys; sys.modules['{library}'] = None\n"
            "from pgctl.clock import SystemClock; from pgctl.config.sections import StoreSection\n"
            "from pgctl.dcs import factory; from pgctl.errors import ConfigError\n"
            f"try: factory.open_store(StoreSection('{kind}', {{'host': 'a'}}), SystemClock())\n"
            "except ConfigError as error: print(error.message, error.hint, sep='\\n')")
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == [f'store "{kind}" needs the Python library {library}, which is not installed',
                                        f'Install it: pip install "pgctl-ha[{kind}]".']


def test_the_embedded_store_does_not_bring_the_network_with_it() -> None:
    code = ("import sys; from pgctl.clock import SystemClock; from pgctl.config.sections import StoreSection;"
            "from pgctl.dcs import factory;"
            "factory.open_store(StoreSection('sqlite', {'path': '/nowhere/x'}), SystemClock()).close();"
            "print([name for name in ('urllib3', 'pgctl.net', 'pgctl.dcs.etcd3') if name in sys.modules])")
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_the_embedded_store_says_what_it_is_for() -> None:
    assert "this host only" in factory.notice(StoreSection("sqlite"))
    assert factory.notice(StoreSection("etcd3")) == ""


class CountingClock:
    def __init__(self) -> None:
        self.time = 0.0
        self.pauses: list[float] = []

    def now(self) -> Instant:
        return Instant(self.time)

    def wall(self) -> Wall:
        return Wall(self.time)

    def sleep(self, duration: Seconds) -> None:
        self.pauses.append(round(duration, 3))
        self.time += duration


def test_pauses_double_to_a_second_and_end_with_the_budget() -> None:
    clock = CountingClock()
    left = [round(each, 3) for each in retry.attempts(Seconds(4), clock, lambda: 0.0)]
    assert clock.pauses == [0.1, 0.2, 0.4, 0.8, 1.0, 1.0, 0.5]
    assert left == [4, 3.9, 3.7, 3.3, 2.5, 1.5, 0.5] and clock.time == 4


def test_chance_lengthens_pauses() -> None:
    clock = CountingClock()
    list(retry.attempts(Seconds(1), clock, lambda: 1.0))
    assert clock.pauses == [0.18, 0.36, 0.46]


def test_without_time_one_attempt_is_made() -> None:
    assert list(retry.attempts(Seconds(0), CountingClock())) == [0]


@pytest.mark.parametrize(("namespace", "scope", "group", "path"), [
    ("service", "prod", None, "/service/prod"), ("/service/", "batman", None, "/service/batman"),
    ("", "prod", None, "/service/prod"), ("//a//b/", "c", 0, "/a/b/c/0"), ("service", "", None, "/service"),
])
def test_paths(namespace: str, scope: str, group: int | None, path: str) -> None:
    assert keys.base_path(namespace, scope, group) == path


def test_only_direct_keys_are_members() -> None:
    found = [keys.member_name(key) for key in ("members/a", "members/a/b", "members/", "member/a", "leader")]
    assert found == ["a", None, None, None, None]
    assert keys.member("a") == "members/a"
