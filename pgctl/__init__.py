"""pgctl: a command line and a thin daemon that keep a PostgreSQL cluster available."""

__version__ = "0.1.0"
