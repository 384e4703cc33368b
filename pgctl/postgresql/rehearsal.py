"""Tries a configuration beside a server that runs: what would keep it from starting is found before it is stopped.

PostgreSQL takes a reload with a fault in silence (its own log apart) and goes on with the old values; the fault then waits
for the next start. Changes nothing. Source: PostgreSQL 15, postgres, option -C; 54.12 pg_hba_file_rules.
"""

import logging

from pgctl.errors import ServerError
from pgctl.model.conf import Conf
from pgctl.model.server import ControlData
from pgctl.postgresql import connection, run, start, start_log
from pgctl.postgresql.controldata import ControlReader
from pgctl.postgresql.options import Options
from pgctl.postgresql.site import Site, child_environment
from pgctl.units import Instant

log = logging.getLogger(__name__)

_FAILURE = "the server could not start again"


def run_through(site: Site, options: Options, conf: Conf, control: ControlData | None, deadline: Instant) -> None:
    """Has the program read postgresql.conf, and the running server read pg_hba.conf, as they are now.

    Raises ServerError for a fault; a server that cannot be asked for pg_hba.conf is none.
    """
    done = run.run(
        [*start.command(site, options, conf, control), "-C", "data_directory"],
        clock=site.clock,
        environment=child_environment(site.environment),
        deadline=deadline,
    )
    text = "" if done.ok else "\n".join(done.lines)
    if text := text or _hba_faults(site, options, deadline):
        raise start_log.explain(text, port=site.section.port, data_dir=site.section.data_dir, failure=_FAILURE)


def tell(site: Site, options: Options, conf: Conf, control: ControlReader, deadline: Instant) -> None:
    """The same after a change, into the log, while there is time to mend it."""
    try:
        run_through(site, options, conf, control.read(), deadline)
    except ServerError as error:
        log.error("%s", f"{error}  hint: {error.hint}" if error.hint else error)


def _hba_faults(site: Site, options: Options, deadline: Instant) -> str:
    """What is wrong with pg_hba.conf, as the server would log it when it started; empty when nothing is."""
    sql = "SELECT line_number, error FROM pg_catalog.pg_hba_file_rules WHERE error IS NOT NULL ORDER BY line_number"
    try:
        with connection.local(site, options, "rehearsal", deadline) as conn:
            rows = conn.rows(sql, None, deadline)
    except ServerError as error:
        log.debug("pg_hba.conf was not looked at: %s", error)
        return ""
    said = [f"LOG:  line {number} is invalid: {error}" for number, error in rows]
    return "\n".join([*said, "FATAL:  could not load pg_hba.conf"]) if said else ""
