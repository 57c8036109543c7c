"""What a caller or a query file did wrong. Pure."""

from __future__ import annotations

from todo_sql.errors import Finding, FindingsError, UsageError


class QueryFileError(FindingsError):
    """Query files hold mistakes: carries a finding with a place for every one of them."""

    code = "Q100"

    def __init__(self, findings: list[Finding]) -> None:
        noun = "problem" if len(findings) == 1 else "problems"
        super().__init__(f"{len(findings)} {noun} in the query files", findings)


class BadParameter(UsageError):
    """A call's arguments do not fit the query: missing, surplus, partly given, unknown case.

    Attributes:
        parameter: The name of the parameter at fault.
    """

    code = "Q201"

    def __init__(self, message: str, *, parameter: str, fix: str | None = None) -> None:
        super().__init__(message, fix=fix)
        self.parameter = parameter


class BadCursor(UsageError):
    """A cursor is not one that this query made: foreign, outdated, cut or changed."""

    code = "Q210"
