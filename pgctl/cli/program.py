"""The program: its own options, errors → messages and exit codes. The only room that exits. Imports no command."""

import errno
import os
import sys
from typing import Any

import click

import pgctl
from pgctl.cli import output
from pgctl.cli.context import Call
from pgctl.cli.lazy import LazyGroup
from pgctl.clock import SystemClock
from pgctl.errors import ExitCode, PgctlError

_NO_ROOM = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO}


class Program(LazyGroup):
    """The group; whatever ends a command becomes a line or two on stderr and an exit code."""

    def main(self, *args: Any, **extra: Any) -> Any:
        """Runs one command and exits."""
        call = Call(SystemClock())
        extra["standalone_mode"] = False
        try:
            code = super().main(*args, obj=call, **extra)
        except click.exceptions.NoArgsIsHelpError as error:
            output.write(sys.stderr, error.format_message().rstrip("\n") + "\n")
            code = ExitCode.USAGE
        except click.ClickException as error:
            code = _usage(error)
        except click.Abort:
            code = _interrupted(call)
        except PgctlError as error:
            output.error(error.message, detail=error.detail, hint=error.hint)
            code = error.exit_code
        except OSError as error:
            code = _unwritten(error) if error.errno in _NO_ROOM else _fault(error)
        except Exception as error:
            if "--debug" in (extra.get("args") or sys.argv[1:]):
                raise
            code = _fault(error)
        finally:
            call.close()
        sys.exit(int(code or 0))

    def invoke(self, ctx: click.Context) -> Any:
        """Flushes while a closed pipe is still looked after."""
        code = super().invoke(ctx)
        sys.stdout.flush()
        return code


def _usage(error: click.ClickException) -> ExitCode:
    context = getattr(error, "ctx", None)
    if isinstance(context, click.Context):
        output.write(sys.stderr, context.get_usage() + "\n")
    message = error.format_message()
    hint = f"`{context.command_path} --help` says more." if isinstance(context, click.Context) else ""
    output.error(message[:1].lower() + message[1:].rstrip("."), hint=hint)
    return ExitCode.USAGE if isinstance(error, click.UsageError) else ExitCode.FAILED


def _interrupted(call: Call) -> ExitCode:
    output.error("interrupted")
    for line in call.ordered:
        output.write(sys.stderr, f"already ordered, and carried out all the same: {line}\n")
    if not call.ordered:
        output.write(sys.stderr, "nothing was ordered\n")
    return ExitCode.FAILED


def _unwritten(error: OSError) -> ExitCode:
    """The output has no room. What is still buffered goes nowhere, or the interpreter would stumble over it at its end."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.__stdout__.fileno() if sys.__stdout__ else 1)
    output.error("the output could not be written", detail=error.strerror or "",
                 hint="Make room where it goes, or send it elsewhere.")
    return ExitCode.FAILED


def _fault(error: Exception) -> ExitCode:
    """A fault of ours: one line, and the whole story on demand."""
    output.error(f"this is a fault of pgctl ({type(error).__name__})", detail=str(error),
                 hint="Run it again as `pgctl --debug ...` and report what it prints.")
    return ExitCode.FAILED


_SETTINGS = {"help_option_names": ["-h", "--help"], "max_content_width": 100}


@click.group(cls=Program, no_args_is_help=True, context_settings=_SETTINGS)
@click.option("-c", "--config-file", metavar="PATH",
              help="Configuration: a file or a directory; an agent's own will do.  [env: PGCTL_CONFIG_FILE]")
@click.option("-d", "--dcs-url", "--dcs", metavar="URL",
              help="The store, such as etcd3://host:2379/service or sqlite:///path.  [env: PGCTL_DCS_URL]")
@click.option("-k", "--insecure", is_flag=True, help="Do not verify the members' certificates.")
@click.option("--timeout", type=click.FloatRange(min=0, min_open=True), metavar="SECONDS",
              help="Give up after so long, whatever is being waited for.")
@click.option("--debug", is_flag=True, help="On an unforeseen error print where it happened.")
@click.version_option(pgctl.__version__, prog_name="pgctl", message="%(prog)s %(version)s")
@click.pass_context
def cli(ctx: click.Context, /, **parameters: object) -> None:
    """Look at a PostgreSQL cluster, and tell it what to do.

    CLUSTER may be left out where the configuration names one. Exit codes: 0 done or already so, 1 refused or failed,
    2 wrong usage, 3 outcome unknown, 4 the store does not answer.
    """
    ctx.ensure_object(Call).configure(parameters)
