"""What this host was told, typed. Nothing here opens a connection."""
