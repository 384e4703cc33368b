"""Switchovers under load: how long nobody could write, and whether anything acknowledged was lost."""

import sys

from bench import lab, report
from tests.e2e.cluster import Cluster


def _switch(cluster: Cluster) -> None:
    done = cluster.pgctl("switchover", "--candidate", cluster.replicas()[0], "--force")
    if done.returncode:
        sys.exit(f"switchover failed:\n{done.stdout}{done.stderr}")


def main() -> None:
    """Measures and prints."""
    found = lab.options(__doc__, count=20)
    with lab.running(found) as cluster:
        measured = [lab.outage(cluster, lambda: _switch(cluster)) for _ in range(found.count)]
    report.head(f"switchover, {found.nodes} members on {found.dcs}")
    report.row("without an acknowledged write", [gap for gap, _ in measured], 1.0)
    report.count("acknowledged writes lost", sum(lost for _, lost in measured))


if __name__ == "__main__":
    main()
