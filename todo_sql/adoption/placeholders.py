"""Values that other tools put into a text before they send it. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from todo_sql.adoption.revisions import Half, refusal
from todo_sql.errors import Finding
from todo_sql.sql.comments import ScanError
from todo_sql.sql.scanner import COMMENTS, scan


def filled(
    half: Half,
    pattern: re.Pattern[str],
    values: Mapping[str, str],
    findings: list[Finding],
    *,
    comments: bool = False,
) -> Half:
    """Return a text with values in the place of its placeholders.

    Args:
        half: The text.
        pattern: A placeholder; its group `name` is the name, its group `default` a value.
        values: By name.
        findings: Takes one for each placeholder without a value.
        comments: Whether those in comments count, too.
    """
    from dataclasses import replace

    spared = [] if comments else list(comments_in(half.text))

    def value(found: re.Match[str]) -> str:
        name = found["name"]
        if any(start <= found.start() < end for start, end in spared):
            return found[0]
        if name in values:
            return values[name]
        default = found.groupdict().get("default")
        if default is not None:
            return default
        source = half.source
        at = half.line - 1 + found.start()
        findings.append(
            refusal(
                "A110",
                f"the placeholder `{found[0]}` has no value",
                source.place(at, at + len(found[0])),
                fix=f"give it with `--set {name}=VALUE`: the value is written into the file",
            )
        )
        return found[0]

    return replace(half, text=pattern.sub(value, half.text))


def comments_in(text: str) -> Iterator[tuple[int, int]]:
    """Yield where the comments of a text stand; a text that is not lexical has none."""
    try:
        tokens = scan(text)
    except ScanError:
        return
    yield from ((one.start, one.end) for one in tokens if one.kind in COMMENTS)
