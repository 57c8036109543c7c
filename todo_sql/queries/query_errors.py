"""What a caller or a query file did wrong. Pure.

`BadParameter` and `BadCursor` are raised here, before anything is sent, and in
`todo_sql.database` (a value that PostgreSQL's type cannot hold), which re-exports them.
"""

from __future__ import annotations

from typing import Any

from todo_sql.errors import Finding, FindingsError, UsageError


class QueryFileError(FindingsError):
    """Query files hold mistakes: carries a finding with a place for every one of them."""

    code = "Q100"

    def __init__(self, findings: list[Finding]) -> None:
        noun = "problem" if len(findings) == 1 else "problems"
        super().__init__(f"{len(findings)} {noun} in the query files", findings)


class BadParameter(UsageError):
    """An argument is missing, unknown, or of the wrong type; nothing was sent.

    Attributes:
        parameter: The name of the parameter.
    """

    code = "D204"

    def __init__(self, message: str, parameter: str, **details: Any) -> None:
        super().__init__(message, **details)
        self.parameter = parameter


class BadCursor(UsageError):
    """A page cursor was not made by this query, or was altered; no row was read."""

    code = "D205"

    def __init__(self, message: str, *, cause: str | None = None) -> None:
        super().__init__(message, cause=cause, fix="start at the first page, without a cursor")


class ShapeError(ValueError):
    """A query's text has not the form that its cardinality asks for.

    Attributes:
        start: Character offset in the text.
        end: Past its end.
        fix: What to write.
    """

    def __init__(self, message: str, start: int, end: int, fix: str) -> None:
        super().__init__(message)
        self.start, self.end, self.fix = start, end, fix
