"""Members' explanations as text: the verdict on the cluster, one line a member, or one member in full. Pure.

Written to be read at three in the morning: first whether somebody leads, and if not, what holds each member back.
"""

from collections.abc import Mapping, Sequence

from pgctl.model import document
from pgctl.units import show_seconds

Explained = Mapping[str, object]


def verdict(told: Sequence[Explained]) -> tuple[str, ...]:
    """What stands above the members: nobody leads, paused, the store is away; nothing while all is well."""
    answered = [each for each in told if "rule" in each]
    cut = [each for each in answered if each.get("cut")]
    lines = []
    if any(each.get("pause") is True for each in answered):
        lines.append("The cluster is paused: nobody is started, stopped or promoted without an order.")
    if cut:
        who = "No member that answers" if len(cut) == len(answered) else f"{_names(cut)}: the agent"
        lines.append(f"{who} can read the store ({text(cut[0], 'cut')}).".replace("agent can", "agent cannot"))
        if len(cut) == len(answered):
            lines.append("Without it nobody can be promoted; a primary goes on while its lease lasts.")
    elif answered and all("leader" in each and each["leader"] is None for each in answered):
        since = max((number(each, "leaderless_s") or 0.0 for each in answered), default=0.0)
        long = f", for {show_seconds(since)}" if since else ""
        formers = {text(each, "former_leader") for each in answered} - {str(each["name"]) for each in told}
        gone = "".join(f" {name} led last, and does not report." for name in sorted(formers) if name)
        lines.append(f"Nobody leads{long}.{gone} What holds each member back:")
        lines += [f"  {each['name']}: {holds_back(each)}" for each in told]
    return tuple(lines)


def holds_back(each: Explained) -> str:
    """Why this member is not promoted, in its own words."""
    if "rule" not in each:
        return text(each, "problem")
    return why(each)


def why(each: Explained) -> str:
    """The sentence of the rule, and the reason in this case."""
    said, reason = text(each, "sentence") or text(each, "problem"), text(each, "reason")
    return f"{said} ({reason})" if reason else said


def _names(some: Sequence[Explained]) -> str:
    return ", ".join(str(each["name"]) for each in some)


def text(each: Explained, key: str) -> str:
    return str(each.get(key) or "")


def number(each: Explained, key: str) -> float | None:
    value = each.get(key)
    return value if isinstance(value, int | float) else None


def seconds(each: Explained, key: str) -> str:
    value = number(each, key)
    return "" if value is None else show_seconds(value)


def notes(each: Explained) -> tuple[str, ...]:
    """What a member is at, and what it failed at last."""
    lines = []
    job = document.mapping(each.get("job"))
    if job and not job.get("ended"):
        spent = f" for {seconds(job, 'for_s')}" if seconds(job, "for_s") else ""
        lines.append(f"{each['name']}: {job.get('name')}{spent}: {job.get('progress') or 'under way'}")
    if each.get("last_failure"):
        lines.append(f"{each['name']}: last failure: {each['last_failure']}")
    if each.get("cut"):
        lines.append(f"{each['name']}: the store cannot be read: {each['cut']}")
    return tuple(lines)


def full(each: Explained) -> tuple[str, ...]:
    """One member: the rule, since when, what it looks at, what it waits for, and why no earlier rule held."""
    if "rule" not in each:
        return (f"{each['name']}: {text(each, 'problem')}",)
    held = ", ".join(map(str, listed)) if isinstance(listed := each.get("facts"), list) else ""
    line = f"timeline {each['timeline']}" if each.get("timeline") else ""
    waits, since = seconds(each, "next_look_s"), seconds(each, "since_s")
    parts = {
        "rule": f"{text(each, 'rule')}  {text(each, 'sentence')}",
        "reason": text(each, "reason"),
        "held": held.replace("_", " "),
        "since": f"{since} ago" if since else "",
        "server": ", ".join(filter(None, (text(each, "server"), line, text(each, "problem")))),
        "leader": _leader(each),
        "lease": f"{seconds(each, 'lease_left_s')} left" if each.get("lease_left_s") else "",
        "waits": f"looks again in {waits}, or when something changes" if waits else "",
    }
    lines = [f"{each['name']}  {text(each, 'role')}, {text(each, 'state')}"]
    lines += [f"  {name:<8}{value}" for name, value in parts.items() if value]
    lines += [f"  {line.removeprefix(str(each['name']) + ': ')}" for line in notes(each)]
    passed = each.get("passed_over")
    found = [document.mapping(item) or {} for item in passed] if isinstance(passed, list) else []
    if found:
        lines.append("  Rules tried before, and why each did not hold:")
    for item in found:
        lines.append(f"    {text(item, 'rule')}  {text(item, 'sentence')}".rstrip())
        lines.append(f"      {text(item, 'because') or 'it does not hold: ' + text(item, 'failed')}")
    return tuple(lines)


def _leader(each: Explained) -> str:
    if each.get("cut"):
        return f"not known: the store cannot be read ({each['cut']})"
    if "leader" not in each:
        return ""
    since = seconds(each, "leaderless_s")
    return str(each["leader"]) if each["leader"] else f"nobody{f', for {since}' if since else ''}"
