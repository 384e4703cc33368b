"""`pgctl-agent`: arguments, configuration, signals, exit codes. The only room of the agent that exits or prints.

SIGTERM and SIGINT end it in order; SIGHUP reads the configuration again. Source: config.md 16.
"""

import argparse
import logging
import signal
import sys
from collections.abc import Mapping
from functools import partial
from types import FrameType

from pgctl import __version__, logs
from pgctl.agent import first_process
from pgctl.agent.core import decide
from pgctl.agent.wiring import Agent
from pgctl.config import check, load, local, machine, sample
from pgctl.errors import ConfigError, ExitCode, PgctlError

log = logging.getLogger("pgctl.agent")


def arguments(words: list[str] | None = None) -> argparse.Namespace:
    """The command line, parsed; wrong words end the program with 2."""
    parser = argparse.ArgumentParser(
        prog="pgctl-agent", description="Keeps one PostgreSQL server of a cluster available.",
        epilog="`pgctl-agent rules` prints the tables by which it decides.",
    )
    parser.add_argument("file", nargs="?", metavar="FILE", help="configuration file or directory; default: environment")
    parser.add_argument("--version", action="version", version=f"pgctl-agent {__version__}")
    parser.add_argument("--validate-config", action="store_true", help="tell every fault of the configuration, and end")
    parser.add_argument("--generate-sample-config", action="store_true", help="print a commented sample, and end")
    parser.add_argument("-i", "--ignore-listen-port", action="store_true",
                        help="with --validate-config: ports may be in use")
    return parser.parse_args(words)


def main(words: list[str] | None = None) -> int:
    """Runs the program; the exit code."""
    chosen = arguments(words)
    environment = load.take_environment()
    try:
        if chosen.generate_sample_config:
            print(sample.sample(), end="")
            return ExitCode.DONE
        if chosen.file == "rules":
            decide.show(print)
            return ExitCode.DONE
        if chosen.validate_config:
            return validate(chosen.file, environment, listen_ports=not chosen.ignore_listen_port)
        if first_process.needed():
            return first_process.run(lambda: guarded(chosen.file, environment))
    except PgctlError as error:
        complain(error)
        return ExitCode.FAILED
    return guarded(chosen.file, environment)


def guarded(path: str | None, environment: Mapping[str, str]) -> int:
    """The agent's life, its end told."""
    try:
        return run(path, environment)
    except PgctlError as error:
        complain(error)
        return ExitCode.FAILED


def complain(error: PgctlError) -> None:
    """Message, detail and hint on standard error, a line each."""
    print(f"pgctl-agent: error: {error.message}", file=sys.stderr)
    for word, text in (("detail", error.detail), ("hint", error.hint)):
        if text:
            print(f"{word}: {text}", file=sys.stderr)


def validate(path: str | None, environment: Mapping[str, str], *, listen_ports: bool) -> int:
    """Every fault of the configuration, a line each on standard error; warnings alone do not fail. Raises ConfigError."""
    document, _, _ = load.document(path, environment)
    found = check.faults(document, environment=environment, machine=machine.ThisMachine(), listen_ports=listen_ports)
    for fault in found:
        word = "error" if fault.error else "warning"
        print(f"{word}: {fault.place}: {fault.message}{'. ' + fault.hint if fault.hint else ''}", file=sys.stderr)
    return ExitCode.FAILED if any(fault.error for fault in found) else ExitCode.DONE


def run(path: str | None, environment: Mapping[str, str]) -> int:
    """The agent's life. Raises PgctlError when it cannot come up."""
    configuration = local.read(path, environment)
    logs.set_up(configuration.log)
    log.info("pgctl-agent %s  member=%s cluster=%s configuration=%s", __version__, configuration.agent.name,
             configuration.agent.scope, configuration.source)
    if configuration.ignored:
        log.warning("these keys have no effect yet: %s", ", ".join(configuration.ignored))
    agent = Agent(configuration, path, environment)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, partial(_on_stop, agent))
    signal.signal(signal.SIGHUP, partial(_on_reload, agent))
    reason = agent.run()
    if reason:
        raise ConfigError(reason)
    log.info("pgctl-agent ended")
    return ExitCode.DONE


def _on_stop(agent: Agent, number: int, frame: FrameType | None) -> None:
    agent.stop()


def _on_reload(agent: Agent, number: int, frame: FrameType | None) -> None:
    agent.ask_reload()


if __name__ == "__main__":
    sys.exit(main())
