"""Runs every benchmark, each in a process of its own, with the options given here."""

import subprocess
import sys

EACH = ("footprint", "switchover", "restart", "crash", "hostloss", "freeze", "stores")


def main() -> int:
    """1 when one of them failed."""
    codes = [subprocess.run([sys.executable, "-m", f"bench.{name}", *sys.argv[1:]], check=False).returncode
             for name in EACH]
    return int(any(codes))


if __name__ == "__main__":
    sys.exit(main())
