"""The wire between members, and from the command line to a member."""
