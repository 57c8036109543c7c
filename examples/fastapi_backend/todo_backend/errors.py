"""How an error of the database becomes an answer.

No answer holds SQL, a connection string or a stack: a client gets a status, a sentence and,
where it helps, the field; the rest is logged.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable

from fastapi import FastAPI, Request
from fastapi.exception_handlers import http_exception_handler
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from pydantic import BaseModel
from starlette.exceptions import HTTPException
from starlette.routing import Match, Route
from todo_sql import (
    BadCursor,
    BadParameter,
    Conflict,
    IntegrityError,
    NoRow,
    Timeout,
    TodoSqlError,
    Unavailable,
)

from todo_backend.csv_tasks import BadFile
from todo_backend.headers import answer_headers

log = logging.getLogger(__name__)

# The fields of the API whose columns are called otherwise.
FIELDS = {"list_id": "list_public_id"}

RETRY_AFTER = {"Retry-After": "2"}


class Problem(BaseModel):
    """What went wrong, in a sentence."""

    detail: str


class FieldProblem(BaseModel):
    """What is wrong with one field of a request."""

    loc: list[str | int]
    msg: str
    type: str


class FieldProblems(BaseModel):
    """The fields of a request that cannot be used."""

    detail: list[FieldProblem]


def answer(status: int, detail: str, headers: dict[str, str] | None = None) -> JSONResponse:
    """Return a `Problem`."""
    return JSONResponse({"detail": detail}, status, headers)


def unusable(*problems: FieldProblem) -> JSONResponse:
    """Return `FieldProblems`."""
    return JSONResponse(FieldProblems(detail=list(problems)).model_dump(), 422)


async def bad_request(request: Request, error: Exception) -> JSONResponse:
    """422 with each field that FastAPI refused; what was sent is not repeated."""
    assert isinstance(error, RequestValidationError)
    return unusable(
        *(
            FieldProblem(loc=list(each["loc"]), msg=each["msg"], type=each["type"])
            for each in error.errors()
        )
    )


async def http_error(request: Request, error: Exception) -> Response:
    """What a route or the framework refuses; 405 with every method of the path in Allow."""
    assert isinstance(error, HTTPException)
    if error.status_code == 405:
        allowed = sorted(_methods(request))
        error = HTTPException(405, error.detail, headers={"Allow": ", ".join(allowed)})
    return await http_exception_handler(request, error)


def _methods(request: Request) -> set[str]:
    """Return the methods of all routes of a path; each route alone knows only its own."""
    found: set[str] = set()
    for route in request.app.routes:
        if isinstance(route, Route) and route.matches(request.scope)[0] is not Match.NONE:
            found |= route.methods or set()
    return found


async def no_row(request: Request, error: Exception) -> JSONResponse:
    """404: there is no such row, or it is another user's, and nobody learns which."""
    return answer(404, "not found")


async def bad_parameter(request: Request, error: Exception) -> JSONResponse:
    """422: a value that PostgreSQL cannot hold, such as text with a NUL."""
    assert isinstance(error, BadParameter)
    field = FIELDS.get(error.parameter, error.parameter)
    where = "query" if request.method == "GET" else "body"
    return unusable(FieldProblem(loc=[where, field], msg="cannot be stored", type="value_error"))


async def bad_cursor(request: Request, error: Exception) -> JSONResponse:
    """422: a cursor of another list, or one that was altered."""
    return unusable(
        FieldProblem(loc=["query", "cursor"], msg="not a cursor of this list", type="value_error")
    )


async def bad_file(request: Request, error: Exception) -> JSONResponse:
    """422 with the line and the column of a file."""
    assert isinstance(error, BadFile)
    place = [error.line] if error.column is None else [error.line, error.column]
    return unusable(FieldProblem(loc=["body", *place], msg=error.reason, type="value_error"))


async def integrity(request: Request, error: Exception) -> JSONResponse:
    """409 for what exists already, 422 for a value that the database refuses."""
    assert isinstance(error, IntegrityError)
    field = FIELDS.get(error.field or "", error.field)
    if error.kind in ("unique", "exclusion"):
        return answer(409, f"{field} is taken already" if field else "it exists already")
    message = "does not exist" if error.kind == "foreign_key" else "is not allowed"
    return unusable(FieldProblem(loc=["body", field or ""], msg=message, type=error.kind))


async def unavailable(request: Request, error: Exception) -> JSONResponse:
    """503: the same request may succeed a little later."""
    log.warning("%s %s: %s", request.method, request.url.path, error)
    return answer(503, "the database is away, try again", RETRY_AFTER)


async def unexpected(request: Request, error: Exception) -> JSONResponse:
    """500: a fault of ours that nothing else knows; Starlette logs it."""
    # It is answered from outside of every middleware.
    return answer(500, "something went wrong here", answer_headers(request.url.path))


async def failed(request: Request, error: Exception) -> JSONResponse:
    """403 for what a policy refuses; anything else is a fault of ours: 500, and logged."""
    assert isinstance(error, TodoSqlError)
    if getattr(error, "sqlstate", None) == "42501":
        return answer(403, "not allowed")
    log.error("%s %s", request.method, request.url.path, exc_info=error)
    return answer(500, "something went wrong here")


Handler = Callable[[Request, Exception], Awaitable[Response]]

HANDLERS: dict[type[Exception], Handler] = {
    HTTPException: http_error,
    RequestValidationError: bad_request,
    NoRow: no_row,
    BadParameter: bad_parameter,
    BadCursor: bad_cursor,
    BadFile: bad_file,
    IntegrityError: integrity,
    Unavailable: unavailable,
    Timeout: unavailable,
    Conflict: unavailable,
    TodoSqlError: failed,
    Exception: unexpected,
}


def handle_errors(app: FastAPI) -> None:
    """Let the application answer for every error of the database."""
    for kind, handler in HANDLERS.items():
        app.add_exception_handler(kind, handler)
