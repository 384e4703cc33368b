"""Pairs of host and port in every form that people write."""

import pytest

from pgctl.model import addresses


@pytest.mark.parametrize(("text", "pair"), [
    ("h:1", ("h", 1)), (" h ", ("h", 9)), ("*:1", ("*", 1)), ("[::1]:1", ("::1", 1)), ("[::1]", ("::1", 9)),
    ("::1", ("::1", 9)), ("::1:5432", ("::1", 5432)), ("fe80::1%eth0", ("fe80::1%eth0", 9)), ("::5432", ("::5432", 9)),
    ("1:2:3:4:5:6:7:8", ("1:2:3:4:5:6:7:8", 9)), ("1:2:3:4:5:6:7:8:5432", ("1:2:3:4:5:6:7:8", 5432)),
    ("::ffff:10.0.0.1", ("::ffff:10.0.0.1", 9)), ("1:2:3:4:5:6:7:5432", ("1:2:3:4:5:6:7:5432", 9)),
    ("", None), (":1", None), ("h:", None), ("h:x", None), ("h:0", None), ("h:65536", None), ("a:1,b:2", None),
    ("[::1", None), ("a b", None), ("h:1/x", None), ("u@h", None),
])
def test_split(text: str, pair: tuple[str, int] | None) -> None:
    assert addresses.split(text, 9) == pair


@pytest.mark.parametrize(("host", "text"), [("h", "h:1"), ("::1", "[::1]:1"), ("[::1]", "[::1]:1")])
def test_join(host: str, text: str) -> None:
    assert addresses.join(host, 1) == text
