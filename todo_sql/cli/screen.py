"""The two streams: plain text where a program reads, rich where a person looks.

No data is trusted: characters that steer a terminal are escaped here, also in a pipe, whose
reader may be a log that somebody looks at; and rich's markup is never read.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, TextIO

from rich.cells import cell_len

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

Part = str | tuple[str, str]
"""Text, or text and its style."""

Branch = tuple[str, Sequence["Branch"]]
"""A node of a tree, of one or more lines, and what is below it."""

_EXCERPT = re.compile(r"\s+\d* \| ")

_STEERING = {
    code: f"\\u{code:04x}"  # as JSON has it, so that a document stays one
    for codes in (
        range(0x20),  # C0
        range(0x7F, 0xA0),  # delete and C1
        (0x061C, 0x200E, 0x200F),  # marks of direction
        range(0x202A, 0x202F),  # embeddings and overrides of direction
        range(0x2066, 0x206A),  # isolates
    )
    for code in codes
}
_IN_TEXT = {code: text for code, text in _STEERING.items() if chr(code) not in "\t\n"}
_IN_A_CELL = _STEERING | {
    **{ord(sign): text for sign, text in {"\n": r"\n", "\r": r"\r", "\t": r"\t"}.items()},
    **{code: f"\\u{code:04x}" for code in (0x2028, 0x2029)},  # separators of lines
}


def count_of(number: int, noun: str = "migration") -> str:
    """Return ``1 migration`` or ``3 migrations``."""
    if number != 1:
        noun = f"{noun[:-1]}ies" if noun.endswith("y") else f"{noun}s"
    return f"{number} {noun}"


def visible(text: str) -> str:
    """Escape what would steer a terminal; tabs and newlines stay."""
    return text.translate(_IN_TEXT)


def in_a_line(text: str) -> str:
    """Escape what would steer a terminal or end the line."""
    return text.translate(_IN_A_CELL)


class Screen:
    """One of the two standard streams.

    Attributes:
        colours: Whether it may be coloured, if it is a terminal.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self.colours = not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
        if hasattr(self.stream, "reconfigure"):
            self.stream.reconfigure(errors="backslashreplace")

    @property
    def stream(self) -> TextIO:
        """The stream itself."""
        stream: TextIO = getattr(sys, self._name)
        return stream

    @property
    def is_terminal(self) -> bool:
        """Whether a person looks at it."""
        return self.stream.isatty()

    @cached_property
    def console(self) -> Console:
        """Rich's console of a terminal."""
        from rich.console import Console

        return Console(
            stderr=self._name == "stderr",
            color_system="auto" if self.colours else None,
            highlight=False,
            markup=False,
            emoji=False,
        )

    def write(
        self, *parts: Part, end: str = "\n", prose: bool = False, verbatim: bool = False
    ) -> None:
        """Write a line (or several); long ones are the terminal's to wrap, prose is wrapped here.

        Args:
            parts: What stands in them.
            end: What follows.
            prose: Whether a terminal gets whole words to its width, further lines indented.
            verbatim: Whether a pipe gets them as they are: a file's text, for a program.
        """
        if not self.is_terminal:
            plain = "".join(part if isinstance(part, str) else part[0] for part in parts)
            print(plain if verbatim else visible(plain), end=end, file=self.stream)
            return
        from rich.text import Text

        shown = [
            visible(part) if isinstance(part, str) else (visible(part[0]), part[1])
            for part in parts
        ]
        text = Text.assemble(*shown)
        self.console.print(self._wrapped(text) if prose else text, soft_wrap=True, end=end)

    def _wrapped(self, text: Text) -> Text:
        """Return a text with whole words to the width; an excerpt of a file stays as it is."""
        from rich.text import Text

        width = max(self.console.width - 2, 20)
        lines = [
            [line] if _EXCERPT.match(line.plain) else line.wrap(self.console, width)
            for line in text.split("\n", allow_blank=True)
        ]
        for line in lines:
            for piece in line[:-1]:
                piece.rstrip()
        return Text("\n").join(Text("\n  ").join(line) for line in lines)

    def has_room(self, columns: Sequence[str], rows: Sequence[Sequence[object]]) -> bool:
        """Whether a table fits without wrapping a cell; a pipe has room for everything."""
        if not self.is_terminal:
            return True
        widths = [
            max(cell_len(str(cell)) for cell in column)
            for column in zip(columns, *rows, strict=True)
        ]
        return sum(widths) + 2 * (len(widths) - 1) <= self.console.width

    def table(
        self,
        columns: Sequence[str],
        rows: Sequence[Sequence[object]],
        styles: Mapping[str, str] | None = None,
    ) -> None:
        """Write rows in aligned columns; a number stands at the right of its column.

        A row is a line in a pipe. On a terminal long cells are wrapped, and where not even
        the names fit, each row is a list of its own.

        Args:
            columns: Their names.
            rows: Their cells.
            styles: Styles of the first cell of a row, by its text.
        """
        right = [
            all(isinstance(row[index], int | float) or row[index] in ("", None) for row in rows)
            and any(isinstance(row[index], int | float) for row in rows)
            for index in range(len(columns))
        ]
        names = [in_a_line(name) for name in columns]
        cells = [["" if cell is None else in_a_line(str(cell)) for cell in row] for row in rows]
        if not self.is_terminal:
            padded = [
                _padded(column, at_right)
                for column, at_right in zip(zip(names, *cells, strict=True), right, strict=True)
            ]
            for line in zip(*padded, strict=True):
                self.write("  ".join(line).rstrip())
            return
        from rich.table import Table
        from rich.text import Text

        if sum(cell_len(name) + 2 for name in names) - 2 > self.console.width:
            for number, row in enumerate(cells, 1):
                self.write((f"row {number}", "dim"))
                record = Table.grid(padding=(0, 2), pad_edge=False)
                record.add_column(style="bold", no_wrap=True)
                record.add_column(overflow="fold")
                for name, cell in zip(names, row, strict=True):
                    record.add_row(Text(name), Text(cell))
                self.console.print(record)
            return
        table = Table(box=None, pad_edge=False, header_style="bold")
        for name, at_right in zip(names, right, strict=True):
            table.add_column(Text(name), justify="right" if at_right else "left", overflow="fold")
        for first, *others in cells:
            style = (styles or {}).get(first, "")
            table.add_row(Text(first, style), *map(Text, others))
        self.console.print(table)

    def tree(self, root: Branch) -> None:
        """Write a tree: with guides on a terminal, else indented."""
        if not self.is_terminal:
            self._indented(root, "")
            return
        from rich.text import Text
        from rich.tree import Tree

        def grown(branch: Branch, into: Tree | None) -> Tree:
            first, newline, rest = visible(branch[0]).partition("\n")
            label = Text.assemble(first, (newline + rest, "dim"))
            tree = into.add(label) if into else Tree(label, guide_style="dim")
            for below in branch[1]:
                grown(below, tree)
            return tree

        self.console.print(grown(root, None))

    def _indented(self, branch: Branch, margin: str) -> None:
        self.write(margin + branch[0].replace("\n", f"\n{margin}    "))
        for below in branch[1]:
            self._indented(below, margin + "  ")


def _padded(cells: Sequence[str], at_right: bool) -> list[str]:
    """Return the cells of a column, all as wide as the widest, as a terminal counts."""
    spaces = [cell_len(cell) for cell in cells]
    spaces = [max(spaces) - width for width in spaces]
    pairs = zip(cells, spaces, strict=True)
    return [" " * space + cell if at_right else cell + " " * space for cell, space in pairs]
