"""The command line: gather, judge, render."""
