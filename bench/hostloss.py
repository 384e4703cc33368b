"""Loss of the primary's host (agent, fence and server at one blow) under load: how long until another one writes."""

from bench import lab, report


def main() -> None:
    """Measures and prints. Replication is asynchronous here: the last moments before the loss may be lost with it."""
    found = lab.options(__doc__, count=5, ttl=5)
    with lab.running(found) as cluster:
        measured = [lab.outage(cluster, lambda: cluster.lose_host(cluster.wait_leader())) for _ in range(found.count)]
    report.head(f"loss of the primary's host, {found.nodes} members on {found.dcs}, ttl {found.ttl}")
    report.row("without an acknowledged write", [gap for gap, _ in measured], found.ttl + 1.5)
    report.row("acknowledged writes lost (asynchronous)", [float(lost) for _, lost in measured], unit="rows")


if __name__ == "__main__":
    main()
