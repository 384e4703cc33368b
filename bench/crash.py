"""kill -9 of the primary's postmaster under load: how long until writes are acknowledged again."""

from bench import lab, report


def main() -> None:
    """Measures and prints."""
    found = lab.options(__doc__, count=10, ttl=30)
    with lab.running(found) as one:
        measured = [lab.outage(one, lambda: one.kill_server(one.wait_leader())) for _ in range(found.count)]
    report.head(f"crash of the primary's server, {found.nodes} members on {found.dcs}, ttl {found.ttl}")
    report.row("without an acknowledged write", [gap for gap, _ in measured], 2.0)
    report.count("acknowledged writes lost", sum(lost for _, lost in measured))


if __name__ == "__main__":
    main()
