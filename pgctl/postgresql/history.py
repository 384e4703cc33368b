"""Timeline histories: the local server's from its files, another server's over a replication connection."""

from pgctl.model import timeline as timelines
from pgctl.model.conf import Upstream
from pgctl.model.timeline import TimelineHistory
from pgctl.postgresql import connection, files
from pgctl.postgresql.options import Options
from pgctl.postgresql.site import Site
from pgctl.units import Instant


def local(site: Site, timeline: int) -> TimelineHistory | None:
    """The content of pg_wal/<timeline>.history; None without the file. Raises ServerError."""
    text = files.read_text(site.data_dir / "pg_wal" / f"{timeline:08X}.history")
    return timelines.parse(timeline, text) if text is not None else None


def remote(site: Site, options: Options, upstream: Upstream, deadline: Instant) -> TimelineHistory:
    """The timeline another server is on, and its ancestors. Raises ServerError. Source: PostgreSQL 15, 55.4."""
    with connection.remote_replication(site, options, upstream, deadline) as conn:
        timeline = int(conn.row("IDENTIFY_SYSTEM", None, deadline)[1])
        if timeline == 1:
            return TimelineHistory(1)
        content = conn.row(f"TIMELINE_HISTORY {timeline}", None, deadline)[1]
    text = bytes(content).decode("utf-8", "replace") if not isinstance(content, str) else content
    return timelines.parse(timeline, text)
