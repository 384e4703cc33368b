"""The entry point: starts the program with little garbage collection. Knows nothing else.

A call is over before collecting pays: doing it while modules load, and once more at the exit, is a sixth of the time of
`list`. Hence the program is imported here when it is started, and not before.
"""

import gc
from importlib import import_module

_SELDOM = 100_000
"""Objects between two collections: twice what one call makes, so that only a watch of hours ever collects."""


def main() -> None:
    """Runs one command and exits."""
    gc.set_threshold(_SELDOM)
    try:
        import_module("pgctl.cli.program").cli()
    finally:
        gc.freeze()  # what is left ends with the process, and need not be searched


if __name__ == "__main__":
    main()
