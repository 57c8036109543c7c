"""Python source laid out as ruff's formatter would. Pure.

Generated code is written, not post-processed, so that `generate` needs no formatter.
"""

from __future__ import annotations

import textwrap
from dataclasses import dataclass

WIDTH = 100
_INDENT = "    "


@dataclass(frozen=True)
class Group:
    """A bracketed list of items, such as a call: ``head`` + items + ``tail``."""

    head: str
    items: tuple[str | Group, ...]
    tail: str

    def flat(self) -> str:
        """Return everything on one line."""
        items = (item if isinstance(item, str) else item.flat() for item in self.items)
        return f"{self.head}{', '.join(items)}{self.tail}"


def lay_out(group: Group, indent: str = "", suffix: str = "") -> list[str]:
    """Return lines: all on one, else the items on one, else one item a line."""
    flat = f"{indent}{group.flat()}{suffix}"
    if len(flat) <= WIDTH or not group.items:
        return [flat]
    inner = indent + _INDENT
    together = inner + Group("", group.items, "").flat()
    if len(together) <= WIDTH and not group.head.endswith("{"):
        return [indent + group.head, together, indent + group.tail + suffix]
    lines = [indent + group.head]
    for item in group.items:
        if isinstance(item, str):
            lines.append(f"{inner}{item}" if item == "*" else f"{inner}{item},")
        else:
            lines += lay_out(item, inner, ",")
    if lines[-1] == f"{inner}*":
        lines[-1] += ","
    lines = [line + "," if line.strip() == "*" else line for line in lines]
    return [*lines, indent + group.tail + suffix]


def docstring(text: str, indent: str) -> list[str]:
    """Return the lines of a docstring, long ones wrapped."""
    text = text.replace("\\", "\\\\").replace('"""', '\\"""').strip()
    if text.endswith('"'):
        text = text[:-1] + '\\"'
    if "\n" not in text and len(indent) + len(text) + 6 <= WIDTH:
        return [f'{indent}"""{text}"""']
    room = WIDTH - len(indent)
    lines = [part for line in f'"""{text}'.split("\n") for part in _wrapped(line.rstrip(), room)]
    return [*((indent + line).rstrip() for line in lines), f'{indent}"""']


def _wrapped(line: str, width: int) -> list[str]:
    if len(line) <= width:
        return [line]
    margin = line[: len(line) - len(line.lstrip())]
    if margin:
        margin += _INDENT
    return textwrap.wrap(
        line, width, subsequent_indent=margin, break_long_words=False, break_on_hyphens=False
    )
