"""What pgctl costs: memory of an agent and its fence, and the command line's time as a ratio to Python's own."""

import subprocess
import sys
import time

from bench import lab, report
from tests.e2e import cluster as clusters
from tests.e2e.cluster import Cluster

MEGABYTE = 1024.0


def pss(pid: int) -> float:
    """A process's proportional share of memory, in MiB. Source: proc(5), smaps_rollup."""
    with open(f"/proc/{pid}/smaps_rollup", encoding="ascii") as file:
        lines = dict(line.split(":", 1) for line in file.read().splitlines()[1:] if ":" in line)
    return int(lines["Pss"].split()[0]) / MEGABYTE


def timed(command: list[str]) -> float:
    """Seconds that a command takes."""
    begun = time.monotonic()
    subprocess.run(command, capture_output=True, check=True, stdin=subprocess.DEVNULL, timeout=60)
    return time.monotonic() - begun


def _fences(cluster: Cluster) -> list[int]:
    return [fence.pid for name in cluster.names for fence in clusters.fences(cluster.plan.path(name, "run"))]


def main() -> None:
    """Measures and prints."""
    found = lab.options(__doc__, count=10)
    with lab.running(found) as cluster:
        time.sleep(20)
        agents = [pss(agent.pid) for agent in cluster.agents.values()]
        fences = [pss(pid) for pid in _fences(cluster)]
        listing = [sys.executable, "-m", "pgctl.cli.main", "-c", cluster.plan.ctl_file, "list"]
        pairs = [(timed(listing), timed([sys.executable, "-c", "pass"])) for _ in range(found.count)]
    report.head(f"footprint, {found.nodes} members on {found.dcs}")
    report.row("memory of an agent (PSS)", agents, 30.0, "MiB")
    report.row("memory of a fence (PSS)", fences, 8.0, "MiB")
    report.row("pgctl list", [listed for listed, _ in pairs])
    report.row("pgctl list : python -c pass", [listed / bare for listed, bare in pairs], 200 / 15, "times")


if __name__ == "__main__":
    main()
