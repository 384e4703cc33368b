"""One file a command, three functions each: gather (I/O), judge (pure), render (pure)."""
