"""A CSV file of tasks, read and checked row by row. Pure."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import BinaryIO, TextIO
from uuid import uuid4

from pydantic import ValidationError
from todo_sql.todo.models import TaskImport

# What a file may hold; title alone is required. An empty cell is left out.
COLUMNS = ("public_id", "title", "description", "completed", "priority", "due_date", "created_at")

# Of one file: rows, and characters of one row; cells that may be stored are far shorter.
MAX_ROWS = 200_000
MAX_ROW = 20_000


class BadFile(Exception):
    """A place in the file that cannot be used.

    Attributes:
        line: Counted from 1, the header included.
        column: Its name, or None where the whole line is wrong.
        reason: What is wrong with it.
    """

    def __init__(self, line: int, column: str | None, reason: str) -> None:
        super().__init__(reason)
        self.line = line
        self.column = column
        self.reason = reason


def read(file: BinaryIO, *, at_once: int = 2000) -> Iterator[list[TaskImport]]:
    """Yield the tasks of a file, some at a time, so that memory does not grow with the file.

    Args:
        file: Its bytes, from the beginning; closed at the end.
        at_once: How many tasks to yield together.

    Raises:
        BadFile: It is no CSV in UTF-8, has an unknown column or too many rows, or a cell
            cannot be used. What came before was yielded already.
    """
    lines = _Lines(io.TextIOWrapper(file, "utf-8-sig", newline=""))
    reader = csv.reader(lines, strict=True)
    now = datetime.now(UTC)
    tasks: list[TaskImport] = []
    try:
        header = next(reader, [])
        for name in header:
            if name not in COLUMNS or header.count(name) > 1:
                raise BadFile(1, name, f"is not one of {', '.join(COLUMNS)}, each once")
        if "title" not in header:
            raise BadFile(1, "title", "is missing")
        for number, cells in enumerate(reader, start=1):
            if number > MAX_ROWS:
                raise BadFile(lines.number, None, f"is beyond the {MAX_ROWS} rows of one file")
            if cells:
                tasks.append(_task(header, cells, lines.number, now))
            if len(tasks) == at_once:
                yield tasks
                tasks = []
            lines.left = MAX_ROW
    except UnicodeDecodeError:
        raise BadFile(_line_that_is_not_utf8(file), None, "is not UTF-8") from None
    except csv.Error as error:
        raise BadFile(lines.number, None, f"is no CSV: {error}") from None
    if tasks:
        yield tasks


class _Lines:
    """The lines of a text; those of one row together may not be longer than `MAX_ROW`.

    Attributes:
        number: Of the line that was read last, from 1.
        left: How many characters the row may still have.
    """

    def __init__(self, text: TextIO) -> None:
        self.number = 0
        self.left = MAX_ROW
        self._text = text

    def __iter__(self) -> _Lines:
        return self

    def __next__(self) -> str:
        line = self._text.readline(self.left + 1)
        if not line:
            raise StopIteration
        self.number += 1
        self.left -= len(line)
        if self.left < 0:
            raise BadFile(self.number, None, f"belongs to a row of over {MAX_ROW} characters")
        return line


def _line_that_is_not_utf8(file: BinaryIO) -> int:
    file.seek(0)
    for number, line in enumerate(file, start=1):  # no character of UTF-8 contains a line end
        try:
            line.decode()
        except UnicodeDecodeError:
            break
    return number


def _task(header: list[str], cells: list[str], line: int, now: datetime) -> TaskImport:
    if len(cells) != len(header):
        raise BadFile(line, None, "has more or fewer cells than the header")
    given = {name: cell for name, cell in zip(header, cells, strict=True) if cell != ""}
    try:
        return TaskImport.model_validate({"public_id": uuid4(), "created_at": now, **given})
    except ValidationError as error:
        first = error.errors()[0]
        raise BadFile(line, str(first["loc"][0]), first["msg"]) from None
