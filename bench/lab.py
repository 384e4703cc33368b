"""A throw-away cluster for one benchmark, and the options that all of them share."""

import argparse
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

from tests.e2e import cluster as clusters
from tests.e2e.cluster import Cluster
from tests.e2e.writer import Writer


def options(purpose: str | None, *, count: int, ttl: int = 10) -> argparse.Namespace:
    """`--count`, `--dcs`, `--nodes`, `--ttl`; ends with the reason when such a cluster cannot run here."""
    parser = argparse.ArgumentParser(description=purpose)
    parser.add_argument("--count", type=int, default=count, help="how often (%(default)s)")
    parser.add_argument("--dcs", choices=["sqlite", "etcd3", "consul"], default="sqlite")
    parser.add_argument("--nodes", type=int, default=3)
    parser.add_argument("--ttl", type=int, default=ttl, help="seconds of lease (%(default)s)")
    found = parser.parse_args()
    reason = clusters.why_not(found.dcs)
    if reason:
        print(f"not measured: {reason}")
        sys.exit(0)
    return found


def timing(ttl: int) -> Mapping[str, object]:
    """Settings with this lease that keep loop_wait + 2 * retry_timeout + margin <= ttl."""
    retry = max(1, (ttl - 3) // 2 - 1)
    return {"ttl": ttl, "loop_wait": 1 if ttl < 10 else 2, "retry_timeout": retry}


@contextmanager
def running(found: argparse.Namespace) -> Iterator[Cluster]:
    """A cluster as asked for, streaming; stopped and removed afterwards."""
    with tempfile.TemporaryDirectory(prefix="pgctl-bench-") as directory:
        cluster = Cluster(f"{directory}/cluster", nodes=found.nodes, dcs=found.dcs, settings=timing(found.ttl))
        with cluster.running():
            yield cluster


def outage(cluster: Cluster, deed: Callable[[], object], *, settle: float = 0.5) -> tuple[float, int]:
    """The longest time without an acknowledged write around `deed`, in seconds, and how many of them were lost.

    The cluster is whole again when this returns.
    """
    with Writer(cluster) as writer:
        time.sleep(settle)
        since = time.monotonic()
        deed()
        writer.wait_more(50)
        cluster.heal()
    return writer.gap(since - settle), len(writer.lost())
