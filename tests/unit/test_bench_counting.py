"""The counting proxy of the benchmarks: every request once, however its bytes are cut."""

from bench import counting


def _told(reader: counting.Reader, sent: bytes, size: int) -> list[str]:
    return [what for at in range(0, len(sent), size) for what in reader(sent[at:at + size])]


def test_requests_are_counted_once_however_they_are_cut() -> None:
    sent = (b"POST /v3/kv/range HTTP/1.1\r\nhost: a\r\ncontent-length: 9\r\n\r\n{\"key\":1}"
            b"GET /v1/kv/service/prod/?recurse=1 HTTP/1.1\r\nhost: a\r\n\r\n")
    for size in (1, 7, 33, len(sent)):
        assert _told(counting.http(), sent, size) == ["POST /v3/kv/range", "GET /v1/kv/service"]


def test_frames_of_zookeeper_are_told_by_their_type() -> None:
    def frame(number: int, kind: int, rest: bytes = b"") -> bytes:
        body = number.to_bytes(4, "big", signed=True) + kind.to_bytes(4, "big", signed=True) + rest
        return len(body).to_bytes(4, "big") + body

    sent = frame(0, 0, b"a session, please") + frame(1, 4, b"/path") + frame(-2, 11) + frame(2, 77)
    for size in (1, 5, len(sent)):
        assert _told(counting.zookeeper(), sent, size) == ["connect", "getData", "ping", "type 77"]
