"""A CSV file of tasks, read and checked row by row. Pure."""

from __future__ import annotations

import csv
import io
from datetime import UTC, datetime
from uuid import uuid4

from pydantic import ValidationError
from todo_sql.todo.models import TaskImport

# What a file may hold; title alone is required. An empty cell is left out.
COLUMNS = ("public_id", "title", "description", "completed", "priority", "due_date", "created_at")


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


def read(data: bytes) -> list[TaskImport]:
    """Return the tasks in a file.

    Raises:
        BadFile: It is no CSV in UTF-8, has an unknown column, or a cell cannot be used.
    """
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise BadFile(data.count(b"\n", 0, error.start) + 1, None, "is not UTF-8") from None
    reader = csv.DictReader(io.StringIO(text, newline=""), strict=True)
    try:
        header = list(reader.fieldnames or ())
        for name in header:
            if name not in COLUMNS or header.count(name) > 1:
                raise BadFile(1, name, f"is not one of {', '.join(COLUMNS)}, each once")
        if "title" not in header:
            raise BadFile(1, "title", "is missing")
        now = datetime.now(UTC)
        return [_task(row, reader.line_num, now) for row in reader]
    except csv.Error as error:
        raise BadFile(reader.line_num, None, f"is no CSV: {error}") from None


def _task(row: dict[str, str], line: int, now: datetime) -> TaskImport:
    if None in row or None in row.values():
        raise BadFile(line, None, "has more or fewer cells than the header")
    cells = {name: cell for name, cell in row.items() if cell != ""}
    try:
        return TaskImport.model_validate({"public_id": uuid4(), "created_at": now, **cells})
    except ValidationError as error:
        first = error.errors()[0]
        raise BadFile(line, str(first["loc"][0]), first["msg"]) from None
