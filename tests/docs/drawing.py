"""Arrows between situations as a Mermaid flowchart, as hosts of Markdown draw it. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Arrow:
    """Solid: rules lead there, labelled with their ids. Dotted: something happened, and its words are the label."""

    start: str
    end: str
    labels: tuple[str, ...]
    by_rule: bool = True


SPACED = '%%{init: {"flowchart": {"nodeSpacing": 70, "rankSpacing": 70}}}%%'
"""Labels of neighbouring arrows lie over each other, else."""


def chart(arrows: Iterable[Arrow], direction: str, here: str = "") -> list[str]:
    """Lines of Markdown. `direction` as Mermaid has it: LR or TD. The node `here` is drawn with a thick border."""
    drawn = list(arrows)
    names = list(dict.fromkeys(name for arrow in drawn for name in (arrow.start, arrow.end)))
    lines = ["```mermaid", SPACED, f"flowchart {direction}"]
    lines += [f'    {_id(name)}(["{name}"])' for name in names]
    for arrow in drawn:
        line = "-->" if arrow.by_rule else "-.->"
        lines.append(f'    {_id(arrow.start)} {line}|"{"<br/>".join(arrow.labels)}"| {_id(arrow.end)}')
    if here:
        lines.append(f"    style {_id(here)} stroke-width:3px")
    return [*lines, "```"]


def _id(name: str) -> str:
    """`end` and the like are words of Mermaid."""
    return f"at_{name.replace(' ', '_')}"
