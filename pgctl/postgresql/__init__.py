"""One PostgreSQL server on this host. Nothing here knows that a cluster exists."""
