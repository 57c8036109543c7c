"""What sessions decide without a database: retries, parameters, scope, rows."""

from __future__ import annotations

import datetime
from decimal import Decimal
from enum import IntEnum, StrEnum
from typing import Any
from uuid import UUID

import pytest
from psycopg.adapt import Transformer
from psycopg.types.multirange import Multirange
from psycopg.types.range import Range
from pydantic import BaseModel

from todo_sql import AsyncDatabase, BadParameter, Conflict, Database, TenantRequired, Unavailable
from todo_sql.config import Tenant
from todo_sql.database.scope import Scope, checked_tenant
from todo_sql.errors import ConfigError, UsageError
from todo_sql.wire import retry
from todo_sql.wire.call_errors import BadRow, ServerError, translate
from todo_sql.wire.parameters import Encoder, Parameter
from todo_sql.wire.rows import make_rows, maker


def test_a_repeat_needs_the_clients_key() -> None:
    """The tenant alone is no key, and neither is None."""
    keys = frozenset({"user_id", "public_id"})
    assert retry.is_idempotent(keys, "user_id", {"user_id": "u", "public_id": UUID(int=1)})
    assert not retry.is_idempotent(keys, "user_id", {"user_id": "u", "public_id": None})
    assert not retry.is_idempotent(frozenset({"user_id"}), "user_id", {"user_id": "u"})
    assert not retry.is_idempotent(frozenset(), "user_id", {})


@pytest.mark.parametrize(
    ("reason", "passes"),
    [
        ("Connection refused", True),
        ("FATAL:  the database system is starting up", True),
        ("FATAL:  sorry, too many clients already", True),
        ("FATAL:  password authentication failed for user x", False),
        ('FATAL:  database "x" does not exist', False),
        ("SSL error: certificate verify failed", False),
    ],
)
def test_which_failures_to_connect_may_pass(reason: str, passes: bool) -> None:
    """A wrong password is not tried twice."""
    assert retry.may_pass(reason) is passes


def test_pauses_grow_and_are_bounded() -> None:
    """Doubling, jittered, two seconds at most."""
    assert all(0.025 <= retry.pause(1) <= 0.05 for _ in range(50))
    assert all(retry.pause(99) <= 2 for _ in range(50))


def test_which_units_of_work_are_redone() -> None:
    """Conflicts and connections that broke before COMMIT; a few times."""
    assert retry.may_redo_unit(Conflict("x"), 1)
    assert retry.may_redo_unit(Unavailable("x"), 1)
    assert not retry.may_redo_unit(Unavailable("x", outcome_unknown=True), 1)
    assert not retry.may_redo_unit(Conflict("x"), retry.MOST_ATTEMPTS)
    assert not retry.may_redo_unit(ValueError(), 1)


class Colour(StrEnum):
    """An enumeration of texts."""

    RED = "red"


class Level(IntEnum):
    """An enumeration of numbers."""

    HIGH = 3


class Payload(BaseModel):
    """A document."""

    n: int


AWARE = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)


@pytest.mark.parametrize(
    ("pg_type", "value"),
    [
        ("text", Colour.RED),
        ("character varying(20)", "x"),
        ("integer", Level.HIGH),
        ("numeric(10,2)", Decimal("1.5")),
        ("numeric", 2),
        ("double precision", 1),
        ("timestamp with time zone", AWARE),
        ("timestamp without time zone", AWARE.replace(tzinfo=None)),
        ("date", AWARE.date()),
        ("interval", datetime.timedelta(days=1)),
        ("uuid", UUID(int=1)),
        ("bytea", b"\0"),
        ("jsonb", {"a": [1, None]}),
        ("jsonb", Payload(n=1)),
        ("json", "text"),
        ("text[]", ("a", "b")),
        ("bigint[]", [1, None]),
        ("uuid[]", []),
        ("boolean", None),
        ("mood", "happy"),
        ("mood[]", ["happy"]),
        (None, 5),
    ],
)
def test_values_that_fit(pg_type: str | None, value: object) -> None:
    """Subclasses, tuples and models are taken where they mean one thing."""
    encoder = Encoder([Parameter("p", pg_type)], Transformer(None))
    (wire,) = encoder.encode([value])
    assert (wire is None) == (value is None)


@pytest.mark.parametrize(
    ("pg_type", "value"),
    [
        ("text", 5),
        ("text", b"x"),
        ("bigint", "5"),
        ("bigint", 5.0),
        ("bigint", True),
        ("smallint", 40_000),
        ("integer", 2**31),
        ("numeric", 1.5),
        ("boolean", 1),
        ("date", AWARE),
        ("timestamp with time zone", AWARE.replace(tzinfo=None)),
        ("timestamp with time zone", AWARE.date()),
        ("timestamp without time zone", AWARE),
        ("uuid", "00000000-0000-0000-0000-000000000001"),
        ("text[]", "ab"),
        ("text[]", [1]),
        ("oid", -1),
        ("int4range", [1, 2]),
    ],
)
def test_values_that_do_not_fit(pg_type: str, value: object) -> None:
    """An error names the parameter and its type, never the value."""
    encoder = Encoder([Parameter("due", pg_type)], Transformer(None))
    with pytest.raises(BadParameter) as caught:
        encoder.encode([value])
    assert caught.value.parameter == "due"
    assert pg_type in str(caught.value)


EAST, WEST = (datetime.timezone(datetime.timedelta(hours=hours)) for hours in (14, -14))
EARLY = datetime.datetime.min.replace(tzinfo=EAST)
LATE = datetime.datetime.max.replace(tzinfo=WEST)


@pytest.mark.parametrize(
    ("pg_type", "value"),
    [
        ("timestamp with time zone", EARLY),
        ("timestamp with time zone", LATE),
        ("timestamp with time zone[]", [AWARE, None, LATE]),
        ("tstzrange", Range(EARLY, AWARE)),
        ("tstzmultirange", Multirange([Range(AWARE, LATE)])),
        (None, LATE),
    ],
)
def test_a_moment_that_could_not_be_read_back(pg_type: str | None, value: object) -> None:
    """PostgreSQL would take the year 10000; no later read would find a datetime for it."""
    encoder = Encoder([Parameter("due", pg_type)], Transformer(None))
    with pytest.raises(BadParameter, match="years 1 to 9999") as caught:
        encoder.encode([value])
    assert caught.value.parameter == "due"


def test_the_first_and_the_last_moment() -> None:
    """Python's own ends of time, in UTC, are sent."""
    encoder = Encoder([Parameter("due", "timestamp with time zone")], Transformer(None))
    for end in (datetime.datetime.min, datetime.datetime.max):
        encoder.encode([end.replace(tzinfo=datetime.UTC)])


def test_none_where_it_cannot_be() -> None:
    """A parameter that is compared strictly rejects None."""
    encoder = Encoder([Parameter("p", "text", nullable=False)], Transformer(None))
    with pytest.raises(BadParameter, match="cannot be None"):
        encoder.encode([None])


def test_scopes() -> None:
    """Role and tenant, or a role, or nothing."""
    tenant = Tenant()
    assert Scope("u1").settings(tenant, None) == (
        ("role", "todo_app"),
        ("app.current_user_id", "u1"),
    )
    assert Scope(role="todo_auth").settings(tenant, 1.5) == (
        ("role", "todo_auth"),
        ("statement_timeout", "1500ms"),
    )
    assert Scope().settings(None, None) == ()
    assert checked_tenant(5) == 5
    with pytest.raises(TenantRequired):
        checked_tenant(" ")


class Pair(BaseModel):
    """Two columns."""

    a: int
    b: str | None


@pytest.mark.parametrize(
    ("row", "names", "values", "made"),
    [
        (Pair, ["a", "b"], (1, "x"), Pair(a=1, b="x")),
        (int, ["a"], (1,), 1),
        (Payload, ["document"], ({"n": 1},), Payload(n=1)),
        (Payload, ["n"], (1,), Payload(n=1)),
        (dict, ["a", "b"], (1, None), {"a": 1, "b": None}),
        (tuple, ["a", "b"], (1, 2), (1, 2)),
    ],
)
def test_rows(row: Any, names: list[str], values: tuple[Any, ...], made: object) -> None:
    """A model, a bare value, a document, a mapping."""
    assert make_rows(maker(row, names), [values], "q") == [made]


def test_a_row_that_does_not_fit_its_model() -> None:
    """The message names the column and the model, and not the value."""
    with pytest.raises(BadRow) as caught:
        make_rows(maker(Pair, ["a", "b"]), [("secret", None)], "queries/x.sql:q")
    assert "queries/x.sql:q" in str(caught.value)
    assert "a:" in str(caught.value)
    assert "secret" not in str(caught.value)


def test_messages_hold_no_detail() -> None:
    """DETAIL quotes values; it stays in an attribute."""
    error = ServerError("23505", "duplicate key", detail="Key (email)=(me@example.test) exists.")
    found = translate(error, columns=("user_id", "email"), tenant_parameter="user_id")
    assert "me@example.test" not in str(found)
    assert getattr(found, "field", None) == "email"
    assert getattr(found, "detail", None) == error.detail


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"max_size": 0}, "`max_size` must be a whole number of connections, not 0"),
        ({"max_size": True}, "`max_size` must be a whole number"),
        ({"max_size": 2.5}, "`max_size` must be a whole number"),
        ({"min_size": -1}, "`min_size` must be a whole number of connections, not -1"),
        ({"min_size": 4, "max_size": 3}, "0 to max_size, which is 3"),
        ({"max_idle": 0}, "`max_idle` must be a positive number of seconds, not 0"),
        ({"max_idle": "60"}, "`max_idle` must be a positive number of seconds, not '60'"),
        (
            {"max_lifetime": float("nan")},
            "`max_lifetime` must be a positive number of seconds, not nan",
        ),
        ({"timeout": -1}, "`timeout` must be a positive number of seconds, not -1"),
        ({"timeout": float("inf")}, "`timeout` must be a positive number of seconds, not inf"),
        ({"timeout": None}, "`timeout` must be a positive number of seconds, not None"),
        ({"tenant": "ann"}, "`tenant` takes a Tenant, not str"),
    ],
)
@pytest.mark.parametrize("kind", [Database, AsyncDatabase])
def test_options_out_of_range(kind: Any, options: dict[str, Any], says: str) -> None:
    """What cannot be meant is refused before anything is opened, with what to pass."""
    with pytest.raises(UsageError) as caught:
        kind.connect("postgresql://localhost/x", **options)
    assert says in str(caught.value)
    assert caught.value.finding.fix


@pytest.mark.parametrize("given", [{"url": 5}, {"url": b"postgresql://x/x"}, {"replica": 5}])
def test_a_url_that_is_no_text(given: dict[str, Any]) -> None:
    """A URL of another type is a ConfigError, as is one that cannot be read."""
    with pytest.raises(ConfigError, match="the database URL must be a string, not"):
        Database.connect(**({"url": "postgresql://localhost/x"} | given))


def test_limits_of_a_session() -> None:
    """No time is not a limit but a mistake; nor is a text a position."""
    with Database.connect("postgresql://localhost/x") as db:
        for seconds in (0, -1, float("nan"), "1"):
            with pytest.raises(UsageError, match="`seconds` must be a positive number of seconds"):
                db.as_user("ann").within(seconds)  # type: ignore[arg-type]
        for position in (-1, "7", None):
            with pytest.raises(UsageError, match="must be the position of a session"):
                db.as_user("ann", after=position)  # type: ignore[arg-type]
