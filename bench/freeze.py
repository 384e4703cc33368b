"""Agents killed and frozen while they lead: are two servers ever writable at once? The answer must be never."""

import signal

from bench import lab, report
from tests.e2e.cluster import Cluster
from tests.e2e.witness import Overlap, Witness


def _round(cluster: Cluster, number: signal.Signals) -> tuple[float, tuple[Overlap, ...]]:
    """Harms the leader's agent under the eyes of a witness; the outage, and the overlaps seen."""
    with Witness(cluster) as witness:
        leader = cluster.wait_leader()

        def harm() -> None:
            cluster.signal_agent(leader, number)
            cluster.wait_leader(other_than=leader)

        gap, _ = lab.outage(cluster, harm)
    return gap, witness.overlaps


def main() -> None:
    """Measures and prints."""
    found = lab.options(__doc__, count=5, ttl=5)
    results: dict[str, list[tuple[float, tuple[Overlap, ...]]]] = {}
    with lab.running(found) as cluster:
        for number in (signal.SIGKILL, signal.SIGSTOP):
            results[number.name] = [_round(cluster, number) for _ in range(found.count)]
    report.head(f"the leader's agent killed or frozen, {found.nodes} members on {found.dcs}, ttl {found.ttl}")
    for name, measured in results.items():
        report.row(f"{name}: without an acknowledged write", [gap for gap, _ in measured], found.ttl + 3.0)
        report.count(f"{name}: two servers writable at once", sum(len(seen) for _, seen in measured))


if __name__ == "__main__":
    main()
