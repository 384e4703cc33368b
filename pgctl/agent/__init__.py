"""The daemon beside each server: the shell does what the core decides."""
