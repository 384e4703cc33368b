"""One table of rules for each situation, in the order in which they are tried."""
