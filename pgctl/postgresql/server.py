"""`Server`: the verbs of one local PostgreSQL server, behind one thin façade. Holds handles, no state of the server.

Two threads use it: the cycle thread looks and makes small changes (`probe` to `run_callback`), one job thread does one
deed at a time. They share no connection. `transitions` says which verb is possible when; nothing here says which is wise.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace

from pgctl.clock import Clock
from pgctl.config.sections import BootstrapSection, PostgresSection
from pgctl.errors import ServerError
from pgctl.model.conf import Conf, LogicalFound, LogicalPlan, SlotPlan, StopMode, Upstream
from pgctl.model.member import nothing
from pgctl.model.server import ControlData, Phase, Postmaster, ServerState
from pgctl.model.timeline import TimelineHistory
from pgctl.postgresql import (
    bootstrap,
    clone,
    conf_files,
    files,
    history,
    logical_slots,
    options,
    probe,
    process,
    promotion,
    queries,
    rehearsal,
    removal,
    rewind,
    slot_copy,
    slots,
    start,
    transitions,
)
from pgctl.postgresql.callbacks import Callbacks
from pgctl.postgresql.controldata import ControlReader
from pgctl.postgresql.files import DiskUsage
from pgctl.postgresql.options import Options
from pgctl.postgresql.site import Site
from pgctl.postgresql.transitions import Verb
from pgctl.units import Instant, Seconds

Cancelled = Callable[[], bool]
Progress = Callable[[str], None]
_REHEARSAL = Seconds(3.0)
never: Cancelled = bool  # of a deed that nobody cancels: bool() is False


class Server:
    """One data directory and its postmaster. `name` is the member's, and becomes application_name. `environment` is the
    agent's own: child processes are given it without what is ours (`site.child_environment`).
    """

    def __init__(self, section: PostgresSection, scope: str, clock: Clock, *, name: str,
                 environment: Mapping[str, str]) -> None:
        self._site = Site(section, scope, name, clock, environment)
        self._dynamic: Mapping[str, object] = nothing()
        self._control = ControlReader(self._site)
        self._eye = probe.Eye(self._site, self._control)
        self._callbacks = Callbacks(self._site)
        self._problem = ""

    # --- looking: cycle thread ----------------------------------------------------------------------------------------

    def probe(self, budget: Seconds, known_timeline: int | None = None) -> ServerState:
        """One look, within `budget`. Never raises for a sick server: HUNG, UNREADABLE and STARTING carry `problem`.

        `known_timeline` is the leader's: a standby found on it is not asked for its timeline again.
        """
        self._callbacks.reap()
        state = self._eye.look(self._options(), budget, known_timeline)
        return replace(state, problem=state.problem or self._problem) if state.phase is Phase.DOWN else state

    def postmaster_fd(self) -> int | None:
        """A pidfd of the postmaster, readable when it exits; the same one until then. None when there is no postmaster.

        The façade owns and closes it. Source: pidfd_open(2).
        """
        return self._eye.postmaster_fd()

    def timeline_history(self, timeline: int) -> TimelineHistory | None:
        """The local history file of `timeline`; None when there is none (timeline 1 never has one)."""
        return history.local(self._site, timeline)

    def is_running(self) -> bool:
        """Whether there is a postmaster; asks it nothing, and may be called from any thread."""
        return self._postmaster() is not None

    def upstream_history(self, upstream: Upstream, budget: Seconds) -> TimelineHistory:
        """The current timeline and history of another server, over a replication connection. Raises ServerError."""
        return history.remote(self._site, self._options(), upstream, self._after(budget))

    def disk_usage(self) -> DiskUsage:
        """Sizes of the file systems below the data directory and below pg_wal. Raises ServerError."""
        return files.disk_usage(self._site.data_dir)

    # --- small changes: cycle thread, or within a deed ------------------------------------------------------------------

    def use_dynamic(self, document: Mapping[str, object]) -> None:
        """The dynamic `postgresql` section now in force; every verb that takes a `Conf` takes it from there as well.

        To be called whenever the store was read: a server that is down has no other way to know use_pg_rewind.
        """
        self._dynamic = document

    def write_conf(self, conf: Conf, *, reload: bool) -> bool:
        """True if any file changed; then reloads if asked. An empty directory is left alone. Raises ServerError."""
        self._dynamic = conf.postgresql
        if probe.phase_from_files(self._site) in (Phase.EMPTY, Phase.UNREADABLE):
            return False
        changed = conf_files.write(self._site, self._options(conf), conf)
        if changed and reload:
            if conf.standby:
                slots.reserve_if_possible(self._site, self._options(conf), conf.upstream)
            self.reload()
            rehearsal.tell(self._site, self._options(conf), conf, self._control, self._after(_REHEARSAL))
        return changed

    def reload(self) -> None:
        """Tells the postmaster to read its files again; without one, nothing."""
        process.reload(self._postmaster())

    def set_slots(self, plan: SlotPlan) -> None:
        """Drops, creates and advances slots; what fails does not keep the others. Raises ServerError naming each failure."""
        slots.apply(self._site, self._options(), plan, self._after(Seconds(5.0)))

    def keep_logical(self, plan: LogicalPlan, stopped: Cancelled) -> tuple[LogicalFound, tuple[str, ...]]:
        """What was found, and a line for each step that failed. The slot keeper's thread, with connections of its own."""
        return logical_slots.keep(self._site, self._options(), plan, stopped)

    def stir(self, budget: Seconds) -> None:
        """Has standbys answer. Raises ServerError."""
        queries.stir(self._site, self._options(), self._after(budget))

    def run_callback(self, action: str, role: str) -> None:
        """Starts the configured callback beside us, ending one that still runs; its result is only logged."""
        self._callbacks.run(self._options(), action, role)

    # --- deeds: job thread ----------------------------------------------------------------------------------------------

    def start(self, conf: Conf, *, deadline: Instant, cancelled: Cancelled = never, archive_first: bool = False) -> None:
        """Writes the configuration and starts the server; returns when it accepts connections. `archive_first`: the last
        segment of a primary that becomes a standby of another cluster.

        Raises ServerError: `message` names what is wrong, `detail` quotes the server log, `hint` says what to do. When the
        deadline passes or the deed is cancelled the postmaster is left starting.
        """
        self._require(Verb.START)
        self._problem = ""
        try:
            self.write_conf(conf, reload=False)
            slots.reserve_if_possible(self._site, self._options(), conf.upstream)
            if archive_first:
                start.archive_last(self._site, self._options(conf), self._control.read())
            slot_copy.copy_missing(self._site, self._options(conf), conf)
            start.start(self._site, self._options(conf), conf, self._control.read(), deadline, cancelled)
        except ServerError as error:
            self._problem = str(error)
            raise

    def stop(
        self,
        mode: StopMode, *, checkpoint: bool,
        deadline: Instant | None,
        on_safe: Callable[[ControlData], None] | None = None,
        on_signal: Callable[[], None] = lambda: None,
        cancelled: Cancelled = never,
    ) -> ControlData | None:
        """Stops the server and returns what pg_control then says; a stopped one is left so.

        With a deadline: when it passes, an immediate stop, five seconds later SIGKILL of the whole process tree. Without:
        waits until it is gone or the deed is cancelled. `on_signal`: from now on it takes no connections. `on_safe`: the
        shutdown checkpoint is written, even if archiver and walsenders still work. Raises ServerError.
        """
        postmaster = self._postmaster()
        if postmaster is None:
            return self._control.read()
        self._require(Verb.STOP)
        if mode is not StopMode.IMMEDIATE:
            self._callbacks.run_and_wait(self._options(), "before_stop", deadline)
            if checkpoint:
                queries.checkpoint_before_stop(self._site, self._options(), deadline)
        on_signal()
        process.stop(self._site, self._control, postmaster, mode, deadline, on_safe, cancelled)
        self._problem = ""
        return self._control.read()

    def kill(self) -> None:
        """The last resort: SIGKILL to the postmaster and all its children, without asking anything."""
        postmaster = self._postmaster()
        if postmaster is not None:
            process.kill_tree(self._site, postmaster)
        process.end_orphans(self._site)

    def restart(self, conf: Conf, *, deadline: Instant, cancelled: Cancelled = never) -> None:
        """Rehearsal, checkpoint, fast stop, start with `conf`, all before `deadline`. Raises ServerError."""
        self.rehearse(conf)
        self.stop(StopMode.FAST, checkpoint=True, deadline=deadline, cancelled=cancelled)
        self.start(conf, deadline=deadline, cancelled=cancelled)

    def rehearse(self, conf: Conf, *, copying: bool = False) -> None:
        """Before a stop: raises ServerError when the running server could not start again with `conf`, which is written;
        `copying`: or when the start would bring none of the logical slots that are missing.
        """
        if copying:
            slot_copy.check(self._site, self._options(conf), conf)
        if self._postmaster() is not None:
            self.write_conf(conf, reload=False)
            control, until = self._control.read(), self._after(_REHEARSAL)
            rehearsal.run_through(self._site, self._options(conf), conf, control, until)

    def promote(self, *, timeline: int = 0, deadline: Instant, point_of_no_return: Callable[[], bool]) -> int:
        """Runs pre_promote, asks `point_of_no_return` once, promotes, and returns the new timeline: at least `timeline`.

        Raises ServerError; nothing was promoted if the script failed or the point was refused, else see its `detail`.
        """
        self._require(Verb.PROMOTE)
        if not self._callbacks.run_and_wait(self._options(), "pre_promote", deadline):
            hint = "Run the script by hand and look at its exit status, or remove postgresql.pre_promote."
            raise ServerError("the pre_promote script failed", detail="the server was not promoted", hint=hint)
        return promotion.promote(self._site, self._options(), timeline, deadline, point_of_no_return)

    def bootstrap(self, section: BootstrapSection, conf: Conf, *, progress: Progress, cancelled: Cancelled = never) -> None:
        """Makes a new cluster in an empty data directory and leaves it running as a primary.

        Raises ServerError; the data directory is then stopped and renamed to `<data_dir>.failed`.
        """
        self._require(Verb.BOOTSTRAP)
        self._dynamic = conf.postgresql
        try:
            bootstrap.create_data(self._site, self._options(conf), section, conf, progress, cancelled)
            bootstrap.first_start(self._site, self._options(conf), section, conf, progress, cancelled)
            bootstrap.finish(self._site, self._options(conf), section, conf, progress, cancelled)
        except ServerError:
            bootstrap.set_aside(self._site)
            raise

    def clone(self, source: Upstream | None, conf: Conf, *, progress: Progress, cancelled: Cancelled = never) -> None:
        """Fills the empty data directory from `source` (None: only methods that need no leader). Does not start.

        Raises ServerError; only what this clone made is then removed."""
        self._require(Verb.CLONE)
        self._dynamic = conf.postgresql
        clone.clone(self._site, self._options(conf), source, progress, cancelled, conf.create_replica_methods)

    def reach(self, source: Upstream | None, conf: Conf) -> None:
        """Asked before data is removed to be cloned anew. Raises SourceAway."""
        clone.reach(self._site, self._options(conf), source, conf.create_replica_methods)

    def rewind(self, source: Upstream, conf: Conf, *, progress: Progress, cancelled: Cancelled = never) -> None:
        """Stops the server if it runs, and brings its data back to the fork point with `source`. Does not start.

        Raises SourceAway, and nothing was done; ServerError: the data is as pg_rewind left it, which `detail` tells."""
        self._dynamic = conf.postgresql
        rewind.reach(self._site, self._options(conf), source)
        if self._postmaster() is not None:
            self.stop(StopMode.FAST, checkpoint=False, deadline=self._after(Seconds(60.0)), cancelled=cancelled)
        self._require(Verb.REWIND)
        rewind.rewind(self._site, self._options(conf), source, conf, progress, cancelled)

    def remove_data(self, reason: str) -> None:
        """Removes the data directory, pg_wal and tablespaces behind symlinks too. `reason` names the rule that allows it.

        Raises ServerError, above all while a postmaster runs.
        """
        self._require(Verb.REMOVE)
        process.end_orphans(self._site)
        removal.remove(self._site.data_dir, reason)
        self._problem = ""

    def reconfigure(self, section: PostgresSection) -> None:
        """Takes a section that was read again; a deed under way goes on with the old one. Cycle thread."""
        if section == self._site.section:
            return
        self._site = replace(self._site, section=section)
        self._control = ControlReader(self._site)
        self._eye.close()
        self._eye = probe.Eye(self._site, self._control)

    def close(self) -> None:
        """Closes the handles; the server itself is left as it is."""
        self._eye.close()
        self._callbacks.reap()

    # --- within -------------------------------------------------------------------------------------------------------

    def _options(self, conf: Conf | None = None) -> Options:
        """Those of `conf`; without one those of the last document seen, which another thread may replace any time."""
        return options.merge(self._site.section.local, self._dynamic if conf is None else conf.postgresql)

    def _after(self, duration: Seconds) -> Instant:
        return Instant(self._site.clock.now() + duration)

    def _postmaster(self) -> Postmaster | None:
        return process.find(self._site)

    def _require(self, verb: Verb) -> None:
        transitions.require(verb, probe.phase_from_files(self._site))
