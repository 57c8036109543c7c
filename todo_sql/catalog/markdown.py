"""Markdown of names and texts that nobody vouches for: they show as they are, and do nothing."""

from __future__ import annotations

import re
from collections.abc import Sequence

_MARKS = re.compile(r"[\\`*\[~]|(?<!\w)_|_(?!\w)")
_TAG = re.compile(r"<(?=[A-Za-z/!?])|&(?=#?\w+;)")


def prose(text: str | None) -> str:
    """Return a text as one line in which nothing but `code` is Markdown, or HTML."""
    parts = re.split(r"`([^`]+)`", " ".join((text or "").split()))
    parts[::2] = [untagged(_MARKS.sub(r"\\\g<0>", part)) for part in parts[::2]]
    parts[1::2] = map(code, parts[1::2])  # whoever writes `code` means it
    return re.sub(r"^([#>+=|-])", r"\\\1", "".join(parts))


def untagged(text: str) -> str:
    """Return Markdown with its HTML shown, not obeyed."""
    return _TAG.sub(lambda sign: "&lt;" if sign[0] == "<" else "&amp;", text)


def code(text: str) -> str:
    """Return a text as code in a line; nothing for nothing."""
    text = " ".join(text.split())
    if _TAG.search(text):  # raw, for those who show the file as HTML without reading Markdown
        return f"<code>{prose(text)}</code>"
    fence = "`" * (max(map(len, re.findall("`+", text)), default=0) + 1)
    space = " " if text.startswith("`") or text.endswith("`") else ""
    return f"{fence}{space}{text}{space}{fence}" if text else ""


def link(name: str) -> str:
    """Return a link to the heading of that name, as GitHub makes its anchor."""
    return f"[{prose(name)}](#{anchor(name)})"


def anchor(heading: str) -> str:
    """Return what a link to a heading ends with."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def block(language: str, text: str) -> str:
    """Return a block of code that no line of it ends."""
    fence = "`" * max(3, *(len(run) + 1 for run in re.findall("`+", text)), 3)
    return f"{fence}{language}\n{text}\n{fence}"


def grid(head: Sequence[str], body: Sequence[Sequence[str]]) -> str:
    """Return a table; cells are Markdown."""
    cells = ([cell.replace("|", "\\|").replace("\n", " ") for cell in row] for row in body)
    lines = [f"| {' | '.join(row)} |" for row in (head, *cells)]
    return "\n".join([lines[0], "|" + "---|" * len(head), *lines[1:]])
