"""Restarts of the primary under load: how long nobody could write."""

import sys

from bench import lab, report
from tests.e2e.cluster import Cluster


def _restart(cluster: Cluster) -> None:
    done = cluster.pgctl("restart", cluster.plan.scope, cluster.wait_leader(), "--force")
    if done.returncode:
        sys.exit(f"restart failed:\n{done.stdout}{done.stderr}")


def main() -> None:
    """Measures and prints."""
    found = lab.options(__doc__, count=10)
    with lab.running(found) as cluster:
        measured = [lab.outage(cluster, lambda: _restart(cluster)) for _ in range(found.count)]
    report.head(f"restart of the primary, {found.nodes} members on {found.dcs}")
    report.row("without an acknowledged write", [gap for gap, _ in measured], 1.0)
    report.count("acknowledged writes lost", sum(lost for _, lost in measured))


if __name__ == "__main__":
    main()
