"""What both programs share: statements as they were sent, with their values in place."""

from __future__ import annotations

import contextlib
import datetime
import decimal
import json
import math
import os
import re
import sys
import traceback
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

_READS = re.compile(r"(?is)\s*(?:--[^\n]*\n\s*|/\*.*?\*/\s*)*(select|show|explain|fetch|declare)\b")
_CALLS = re.compile(r"(?is)\s*select\s+(?:[\w\".]+\.)?(?:setval|nextval|set_config)\s*\(")
_ENDS = re.compile(r"(?is)\s*(begin|start transaction|commit|end|rollback|release)\b")
_CATALOG = re.compile(r"(?i)\b(pg_catalog|information_schema|pg_\w+)\b")
_POINTER = re.compile(r"https://errors\.pydantic\.dev|^\(Background on this error at:")
_ONLY_BOOKKEEPING = re.compile(r"(?i)\b(alembic_version|django_migrations)\b")


class Capture:
    """The statements of one migration, or of what goes on outside of any.

    Attributes:
        statements: What was sent and stays.
        outside: Whether something was committed in the middle.
        read_rows: Whether rows of the project's own tables were read.
        asked_catalog: Whether the catalog was.
    """

    def __init__(self) -> None:
        self.statements: list[str] = []
        self.outside = False
        self.read_rows = False
        self.asked_catalog = False
        self._savepoints: list[tuple[str, int]] = []

    def add(self, text: str, wrote: bool) -> None:
        """Take a statement that succeeded.

        Args:
            text: With its values.
            wrote: Whether the log of the server went on.
        """
        words = text.split()
        head = " ".join(words[:2]).lower()
        if _ONLY_BOOKKEEPING.search(text):
            return
        if head.startswith("savepoint"):
            self._savepoints.append((words[1], len(self.statements)))
        elif head.startswith("rollback to"):
            name = words[-1]
            for known, length in reversed(self._savepoints):
                if known == name:
                    del self.statements[length:]
                    break
        elif _ENDS.match(text):
            return
        elif _READS.match(text) and not wrote and not _CALLS.match(text):
            if _CATALOG.search(text):
                self.asked_catalog = True
            elif re.search(r"(?i)\bfrom\b", text):
                self.read_rows = True
        else:
            self.statements.append(text.strip().rstrip(";").rstrip())

    def as_dict(self) -> dict[str, Any]:
        """Return the JSON form."""
        return {
            "statements": self.statements,
            "outside": self.outside,
            "read_rows": self.read_rows,
            "asked_catalog": self.asked_catalog,
        }


def main(run_of: Callable[[dict[str, Any]], dict[str, Any]]) -> None:
    """Run what the orders say, in the project, and write what was found.

    Args:
        run_of: Makes the pass of the orders; what it prints goes to standard error.
    """
    orders = json.load(sys.stdin)
    os.chdir(orders["root"])
    for place in orders["path"]:
        sys.path.insert(0, place)
    with contextlib.redirect_stdout(sys.stderr):
        found = run_of(orders)
    Path(orders["out"]).write_text(json.dumps(found), encoding="utf-8")


def told(error: BaseException, root: str) -> str:
    """Return an error: its class, its words, and last where in the project it was raised."""
    lines = [one for one in str(error).splitlines() if one.strip() and not _POINTER.search(one)]
    kind = "" if isinstance(error, SystemExit) else f"{type(error).__name__}: "
    frames = [
        f"{path}:{one.lineno}"
        for one in traceback.extract_tb(error.__traceback__)
        if (path := Path(one.filename).absolute()).is_relative_to(root)
        and "site-packages" not in path.parts
        and path.is_file()
    ]
    place = frames[-1] if frames else ""
    return "\n".join([kind + (lines[0] if lines else "without words"), *lines[1:20], place])


def sent(cursor: Any, connection: Any, statement: str, parameters: Any) -> str:
    """Return a statement as the server got it.

    Args:
        cursor: Of the driver.
        connection: Of the driver.
        statement: With placeholders.
        parameters: Their values, or None.
    """
    query = getattr(cursor, "query", None)
    if isinstance(query, bytes):  # psycopg2
        return query.decode()
    driver = getattr(connection, "driver_connection", connection)
    if type(driver).__module__.split(".")[0] == "psycopg" and parameters is not None:
        import psycopg

        # Without values, too: a `%` of the text was sent as one, though it is written as two.
        kind = (
            psycopg.ClientCursor
            if isinstance(driver, psycopg.Connection)
            else psycopg.AsyncClientCursor
        )
        return str(kind(driver).mogrify(statement, parameters))
    if not parameters:
        return statement
    if isinstance(parameters, dict):
        return re.sub(
            r"%\((\w+)\)s", lambda found: literal(parameters[found[1]]), statement
        ).replace("%%", "%")
    values = list(parameters)
    if re.search(r"\$\d", statement):
        return re.sub(r"\$(\d+)", lambda found: literal(values[int(found[1]) - 1]), statement)
    rest = iter(values)
    return re.sub(r"%s", lambda _: literal(next(rest)), statement).replace("%%", "%")


def literal(value: Any) -> str:
    """Return a value as PostgreSQL writes it."""
    if value is None:
        return "NULL"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float | decimal.Decimal):
        plain = isinstance(value, int) or math.isfinite(value)
        return str(value) if plain else f"'{value}'"  # NaN and infinity are words
    if isinstance(value, bytes | bytearray | memoryview):
        return f"'\\x{bytes(value).hex()}'"
    if isinstance(value, list | tuple):
        if not value:
            return "'{}'"
        return f"ARRAY[{', '.join(map(literal, value))}]"
    if isinstance(value, dict):
        value = json.dumps(value)
    if isinstance(value, datetime.date | datetime.time | datetime.timedelta | uuid.UUID):
        value = str(value)
    text = str(value).replace("'", "''")
    return f"E'{text.replace(chr(92), chr(92) * 2)}'" if "\\" in text else f"'{text}'"
