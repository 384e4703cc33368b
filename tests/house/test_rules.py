"""The rules of the house find what they are for, and leave alone what only looks like it."""

from collections.abc import Callable, Iterable

import pytest

from tests.house import rules
from tests.house.rules import Found
from tests.house.source import Room

LONG = "def f():\n" + '    """' + "words\n" * 30 + '    """\n' + "    x = 1\n" * 40

CASES: list[tuple[Callable[[Room], Found], str, str, list[str]]] = [
    (rules.size, "net.py", "x = 1\n" * 300, []),
    (rules.size, "net.py", "x = 1\n" * 301, [""]),
    (rules.function_size, "net.py", LONG.replace("    x = 1\n", "", 1), []),
    (rules.function_size, "net.py", LONG, ["f"]),
    (rules.docstring, "net.py", '"""Says."""', []),
    (rules.docstring, "net.py", "x = 1", [""]),
    (rules.bare_init, "__init__.py", '"""Says."""\n__version__ = "1"', []),
    (rules.bare_init, "dcs/__init__.py", '"""Says."""\n__version__ = "1"', [""]),
    (rules.bare_init, "dcs/store.py", "x = 1", []),
    (rules.hidden_import, "net.py", "def f():\n    import re", ["re"]),
    (rules.hidden_import, "net.py", "class C:\n    def f(self):\n        from re import sub", ["re.sub"]),
    (rules.hidden_import, "cli/lazy.py", "def f():\n    import re", []),
    (rules.hidden_import, "net.py", "import typing\nif typing.TYPE_CHECKING:\n    import re", ["TYPE_CHECKING"]),
    (rules.door, "net.py", "import time", ["time"]),
    (rules.door, "clock.py", "import time\ntime.sleep(1)", []),
    (rules.door, "net.py", "import timeit", []),
    (rules.door, "net.py", "import os\nos.environ['A']", ["os.environ"]),
    (rules.door, "net.py", "from os import environ as e", ["os.environ"]),
    (rules.door, "config/load.py", "import os\nos.environ['A']", []),
    (rules.door, "net.py", "import os\nos.path.join('a')", []),
    (rules.door, "net.py", "import os\nos.execvp('a', ['a'])", ["subprocess"]),
    (rules.door, "net.py", "import datetime as d\nd.datetime.now(d.UTC)", ["datetime.datetime.now"]),
    (rules.door, "net.py", "from datetime import datetime\ndatetime.now()", ["datetime.datetime.now"]),
    (rules.door, "net.py", "clock.now()", []),
    (rules.door, "dcs/etcd3.py", "import threading\nthreading.Lock()", []),
    (rules.door, "dcs/etcd3.py", "import threading\nthreading.Thread()", ["threading.Thread"]),
    (rules.door, "cli/ask.py", "import importlib.metadata", ["importlib"]),
    (rules.door, "cli/ask.py", "from importlib import metadata", []),
    (rules.door, "cli/ask.py", "from urllib3 import Timeout", ["urllib3"]),
    (rules.door, "cli/ask.py", "raise SystemExit(1)", ["sys.exit"]),
    (rules.pure, "agent/core/view.py", "from pgctl.model import lsn\nfrom collections.abc import Set", []),
    (rules.pure, "agent/core/view.py", "import logging\nfrom pgctl.agent import jobs", ["logging", "pgctl.agent.jobs"]),
    (rules.pure, "model/lsn.py", "from pgctl.modelling import x", ["pgctl.modelling.x"]),
    (rules.pure, "model/lsn.py", "def f():\n    global x", ["global"]),
    (rules.pure, "agent/jobs.py", "import logging", []),
]


def _subjects(found: Iterable[rules.Violation]) -> list[str]:
    return [each.subject for each in found]


@pytest.mark.parametrize(("rule", "path", "text", "subjects"), CASES)
def test_a_rule(rule: Callable[[Room], Found], path: str, text: str, subjects: list[str]) -> None:
    assert _subjects(rule(Room(path, text))) == subjects
