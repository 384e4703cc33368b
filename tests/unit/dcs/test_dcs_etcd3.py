"""etcd's gateway in words: documents, and refusals and what they mean."""

import json

import pytest

from pgctl.dcs import etcd3_wire as wire
from pgctl.dcs.etcd3_wire import Meaning, Refusal
from pgctl.model.cluster import Revision


def test_ranges_and_numbers() -> None:
    assert wire.below("/service/prod/") == {"key": wire.b64("/service/prod/"), "range_end": wire.b64("/service/prod0")}
    written: list[object] = ["177", 5, None, "x", "-1", []]
    assert [wire.number(value) for value in written] == [177, 5, 0, 0, -1, 0]
    assert wire.unb64(wire.b64("Zo\u00eb")) == "Zo\u00eb"


def test_a_revision_of_zero_compares_with_absence() -> None:
    assert wire.is_at("k", Revision(0))["target"] == "CREATE"
    assert wire.is_at("k", Revision(7)) == {"key": "aw==", "target": "MOD", "result": "EQUAL", "mod_revision": "7"}


def test_a_stream_answers_with_its_first_result() -> None:
    first = {"header": {"revision": "3"}, "ID": "1", "TTL": "30"}
    assert wire.answer(200, json.dumps({"result": first}).encode() + b'\n{"result":{}}') == first
    assert wire.answer(200, b'{"header":{"revision":"3"}}') == {"header": {"revision": "3"}}


@pytest.mark.parametrize(("code", "text", "meaning"), [
    (3, "etcdserver: user name is empty", Meaning.TOKEN),
    (16, "etcdserver: invalid auth token", Meaning.TOKEN),
    (5, "etcdserver: requested lease not found", Meaning.LEASE_GONE),
    (14, "etcdserver: no leader", Meaning.ELSEWHERE),
    (2, "lease: not a primary lessor", Meaning.ELSEWHERE),
    (14, "etcdserver: request timed out", Meaning.UNSURE),
    (14, "etcdserver: request timed out, possibly due to previous leader failure", Meaning.UNSURE),
    (4, "context deadline exceeded", Meaning.UNSURE),
    (2, "something new", Meaning.UNSURE),
    (8, "etcdserver: mvcc: database space exceeded", Meaning.REFUSED),
    (3, "etcdserver: key is not provided", Meaning.REFUSED),
])
def test_what_a_refusal_means(code: int, text: str, meaning: Meaning) -> None:
    for body in ({"error": text, "message": text, "code": code},
                 {"code": code, "message": text},
                 {"error": {"grpc_code": code, "http_code": 503, "message": text}}):
        with pytest.raises(Refusal) as caught:
            wire.answer(503, json.dumps(body).encode())
        assert (caught.value.meaning, caught.value.detail) == (meaning, text)


def test_an_error_within_a_stream_is_an_error() -> None:
    with pytest.raises(Refusal, match="user name is empty"):
        wire.answer(200, b'{"error":{"grpc_code":3,"http_code":400,"message":"etcdserver: user name is empty"}}')


@pytest.mark.parametrize("body", [b"", b"<html>", b"\xff", b'{"a":', b"{}", b"[]", b'{"result": {"ID": "1"}}'])
def test_what_is_not_an_answer_of_etcd_leaves_the_outcome_open(body: bytes) -> None:
    for status in (200, 502):
        with pytest.raises(Refusal) as caught:
            wire.answer(status, body)
        assert caught.value.meaning is Meaning.UNSURE


def test_news_of_a_watch() -> None:
    put = {"kv": {"key": wire.b64("/p/leader"), "mod_revision": "8", "value": "YQ=="}}
    gone = {"type": "DELETE", "kv": {"key": wire.b64("/p/sync"), "mod_revision": "9"}}
    heard = wire.news({"header": {"revision": "9"}, "events": [put, gone]})
    assert heard.keys == (("/p/leader", 8), ("/p/sync", 9)) and heard.revision == 9
    assert wire.news({"created": True, "header": {"revision": "3"}}).created
    lost = wire.news({"canceled": True, "compact_revision": "5"})
    assert lost.compacted and lost.ended and not wire.news({}).compacted


@pytest.mark.parametrize(("cluster", "prefix"), [
    ("3.4.0", "/v3"), ("3.5.16", "/v3"), ("4.0.0", "/v3"), ("3.3.0", "/v3beta"), ("3.2.1", None), ("2.3.0", None),
    ("not_decided", None), ("", None),
])
def test_the_prefix_follows_the_clusters_version(cluster: str, prefix: str | None) -> None:
    assert wire.api_prefix({"etcdserver": "3.5.0", "etcdcluster": cluster}) == prefix
