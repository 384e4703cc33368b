"""`conninfo`: strings that libpq reads back, without passwords."""

import psycopg2.extensions
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pgctl.config.sections import Credentials
from pgctl.model.conf import Upstream
from pgctl.postgresql import conninfo

ROLE = Credentials("replicator", "se:cr\\et", {"sslmode": "require", "sslnegotiation": "direct"})
UPSTREAM = Upstream("beta", "10.0.0.2", 5433, "alpha")


@given(
    st.dictionaries(
        st.sampled_from(["user", "password", "host", "dbname", "application_name"]),
        st.text(st.characters(blacklist_characters="\0", blacklist_categories=["Cs"]), min_size=1),
    )
)
def test_libpq_and_we_read_back_what_we_wrote(keywords: dict[str, str]) -> None:
    text = conninfo.text(keywords)
    assert conninfo.parse(text) == keywords
    assert psycopg2.extensions.parse_dsn(text) == keywords


def test_primary_conninfo_has_the_order_that_peers_write() -> None:
    text = conninfo.primary_conninfo(UPSTREAM, ROLE, "alpha", "/var/lib/pgpass", "", 15)
    assert text == (
        "dbname=postgres user=replicator passfile=/var/lib/pgpass host=10.0.0.2 port=5433 sslmode=require"
        " application_name=alpha gssencmode=prefer channel_binding=prefer"
    )


def test_newer_keywords_are_written_for_newer_servers() -> None:
    assert "sslnegotiation=direct" in conninfo.primary_conninfo(UPSTREAM, ROLE, "alpha", "/p", "", 17)
    plain = Credentials("replicator")
    text = conninfo.primary_conninfo(UPSTREAM, plain, "alpha", "/p", "krb", 17)
    assert "sslnegotiation=postgres" in text and "krbsrvname=krb" in text and "passfile" not in text


def test_a_remote_with_several_hosts_must_be_the_primary() -> None:
    remote = Upstream("remote", "a,b", 5432, None, remote=True)
    assert "target_session_attrs=read-write" in conninfo.primary_conninfo(remote, ROLE, "alpha", "/p", "", 15)
    assert conninfo.to_upstream(remote, ROLE, "", 15)["target_session_attrs"] == "read-write"
    assert "target_session_attrs" not in conninfo.primary_conninfo(UPSTREAM, ROLE, "alpha", "/p", "", 15)


def test_no_password_stands_in_a_string() -> None:
    assert "secret" not in conninfo.without_secrets("host=a password='a secret' sslpassword=secret user=b")
    assert conninfo.without_secrets("host=a password='a secret' user=b") == "user=b host=a"
    assert "se:cr" not in conninfo.text(conninfo.to_upstream(UPSTREAM, ROLE, "", 15))


@pytest.mark.parametrize(
    ("hosts", "text"),
    [
        ([("10.0.0.2", 5433)], "10.0.0.2:5433:*:replicator:se\\:cr\\\\et\n"),
        ([("a,b", 1)], "a:1:*:replicator:se\\:cr\\\\et\nb:1:*:replicator:se\\:cr\\\\et\n"),
        ([("/run/pg", 5432)], "localhost:5432:*:replicator:se\\:cr\\\\et\n"),
        ([("::1", 5432)], "\\:\\:1:5432:*:replicator:se\\:cr\\\\et\n"),
    ],
)
def test_password_file_lines(hosts: list[tuple[str, int]], text: str) -> None:
    assert conninfo.passfile_text(hosts, ROLE) == text


def test_without_a_password_there_is_no_line() -> None:
    assert conninfo.passfile_text([("a", 1)], Credentials("x")) == ""
