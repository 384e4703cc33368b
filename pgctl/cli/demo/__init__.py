"""A cluster to try things on: its plan, its files, its processes, and how it is shown. Started by `pgctl demo`."""
