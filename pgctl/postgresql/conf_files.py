"""Brings the files of a data directory to a `Conf`: the texts are `conf`'s, the writing `files`'.

Order: everything that a server reads only when told to comes first, the signal file last but before any start.
"""

import logging
from collections.abc import Mapping
from pathlib import Path

from pgctl.model.conf import Conf
from pgctl.postgresql import conf as texts
from pgctl.postgresql import conninfo, files, parameters, skipped, version
from pgctl.postgresql import options as opts
from pgctl.postgresql.options import Options
from pgctl.postgresql.site import Site

log = logging.getLogger(__name__)


def write(site: Site, options: Options, conf: Conf, recovery: Mapping[str, str] | None = None) -> bool:
    """True if any file changed. Raises ServerError.

    `recovery` is for a data directory that was restored from a backup: its settings are used in place of those made from
    `conf`, and signal files and postgresql.auto.conf are left as the restore made them.
    """
    for objection in parameters.objections(options):
        log.warning(objection)
    major = version.parse_major(files.major_version(site.data_dir) or "")
    changed = [
        _pass_file(site, conf),
        _lines(site, options, conf, "hba"),
        _lines(site, options, conf, "ident"),
        _main(site, options, conf, texts.recovery_settings(site, options, conf, major) if recovery is None else recovery),
    ]
    if recovery is None:
        changed += [_auto_conf(site, conf), signals(site, standby=conf.standby)]
    return any(changed)


def signals(site: Site, *, standby: bool) -> bool:
    """standby.signal is there exactly for a standby, recovery.signal never."""
    signal = site.data_dir / "standby.signal"
    changed = files.remove_if_there(site.data_dir / "recovery.signal")
    if standby:
        skipped.forget(site)
        return files.write_if_changed(signal, "", files.mode_below(site.data_dir)) or changed
    return files.remove_if_there(signal) or changed


def mode_of(site: Site, path: Path) -> int:
    """0600 or 0640 in the data directory; 0640 elsewhere: hba lines and commands are no one else's business."""
    return files.mode_below(site.data_dir) if path.is_relative_to(site.data_dir) else 0o640


def main_path(site: Site, options: Options) -> Path:
    """postgresql.conf, which the postmaster is told with --config-file."""
    return site.config_dir / f"{options.config_base_name}.conf"


def lines_path(site: Site, options: Options, kind: str) -> Path:
    """hba_file or ident_file: the operator's, relative to config_dir, or ours."""
    given = options.parameters.get(f"{kind}_file")
    return site.config_dir / str(given) if given else site.config_dir / f"pg_{kind}.conf"


def _main(site: Site, options: Options, conf: Conf, recovery: Mapping[str, str]) -> bool:
    path = main_path(site, options)
    base = site.config_dir / f"{options.config_base_name}.base.conf"
    if not options.custom_conf and not base.exists():
        _keep_operators_file(path, base, mode_of(site, base))
    wanted = parameters.wanted(site, options, conf)
    wanted["hba_file"] = str(lines_path(site, options, "hba"))
    wanted["ident_file"] = str(lines_path(site, options, "ident"))
    text = texts.main_file(options.custom_conf or base.name, wanted, recovery)
    return files.write_if_changed(path, text, mode_of(site, path))


def _keep_operators_file(path: Path, base: Path, mode: int) -> None:
    """The first time, what is there becomes the base file; one that we wrote ourselves holds nothing to keep."""
    found = files.read_text(path) or ""
    files.write(base, "" if found.startswith(texts.HEAD) else found, mode)


def _lines(site: Site, options: Options, conf: Conf, kind: str) -> bool:
    """pg_hba.conf and pg_ident.conf are ours only where lines are configured and no file of the operator's is named."""
    path = lines_path(site, options, kind)
    wanted = opts.for_role(options, f"pg_{kind}", parameters.role_of(conf))
    if options.parameters.get(f"{kind}_file"):
        return False
    if wanted:
        return files.write_if_changed(path, texts.lines_file(wanted), mode_of(site, path))
    if kind == "ident" and not path.exists():
        files.write(path, "", mode_of(site, path))
    return False


def _auto_conf(site: Site, conf: Conf) -> bool:
    """What ALTER SYSTEM wrote there would override what is decided here."""
    path = site.data_dir / "postgresql.auto.conf"
    ours = parameters.RECOVERY if conf.sync_names is None else {*parameters.RECOVERY, "synchronous_standby_names"}
    kept, removed = texts.without(files.read_text(path) or "", ours)
    if not removed:
        return False
    log.warning("removed from postgresql.auto.conf, for the agent decides on it: %s", ", ".join(removed))
    return files.write_if_changed(path, kept, files.mode_below(site.data_dir))


def _pass_file(site: Site, conf: Conf) -> bool:
    """The walreceiver's password. A change needs no reload: the file is read at each connection."""
    if conf.upstream is None or not conf.standby:
        return False
    text = conninfo.passfile_text([(conf.upstream.host, conf.upstream.port)], site.section.replication)
    if text:
        site.pgpass.parent.mkdir(parents=True, exist_ok=True)
        files.write_if_changed(site.pgpass, text, 0o600)
    return False
