"""Measurements on real clusters: `python -m bench` runs all, `python -m bench.switchover` one. Never a timed test."""
