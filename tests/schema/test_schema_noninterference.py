"""Nothing can be inferred: the same calls, with and without the other tenant's rows.

Every function of todo_sql.todo, and careless SQL that forgets the tenant, are called with
generated arguments that mix one's own ids, the other's and nobody's, in two worlds that
differ only in grace's rows. What ada gets back, rows and errors alike, and what is stored
for her must be the same in both, and grace's rows stay as they are.
``TODO_SQL_EXAMPLES=1000`` makes the run longer.
"""

from __future__ import annotations

import importlib
import inspect
import os
import pkgutil
import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, get_args
from uuid import UUID

import pydantic
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.database import Server
from support.people import make_logins
from support.worlds import ADA, ADAS, GRACES, NOBODYS, World, public_id, worlds

import todo_sql.todo
from todo_sql import Database, TenantRequired
from todo_sql.database.async_session import AsyncSession
from todo_sql.database.session import Session
from todo_sql.errors import TodoSqlError
from todo_sql.migrations import migrate
from todo_sql.queries.cursor import Page
from todo_sql.testing import TestServer
from todo_sql.todo import models
from todo_sql.todo.models import TaskImport

pytestmark = pytest.mark.database

MIGRATIONS = Path(__file__).parents[2] / "migrations"
EXAMPLES = int(os.environ.get("TODO_SQL_EXAMPLES", "15"))

ids = st.sampled_from([*ADAS, *GRACES, *NOBODYS, -1, 1001, 1002])
public_ids = st.sampled_from([public_id(n) for n in (*ADAS, *GRACES, *NOBODYS)])
texts = st.sampled_from(
    ["x", "ada secret 1", "ADA SECRET 2", "grace secret 11", "Grace Secret 12", "", "é" * 300]
)
times = st.sampled_from([datetime(2026, month, 1, tzinfo=UTC) for month in (1, 6, 12)])
numbers = st.sampled_from([0, 1, 2, 50])

# What to pass, by the name of a parameter.
POOLS: dict[str, st.SearchStrategy[Any]] = {
    **dict.fromkeys(["id", "list_id", "task_id", "tag_id"], ids),
    **dict.fromkeys(["public_id", "list_public_id", "task_public_id", "tag_public_id"], public_ids),
    **dict.fromkeys(["title", "name", "query", "description"], texts),
    **dict.fromkeys(["due_date", "due_before", "deleted_before", "since", "before"], times),
    "names": st.lists(texts, max_size=3),
    "cursor": st.just("unknown"),
    "completed": st.booleans(),
    "priority": st.sampled_from(["low", "medium", "high", "urgent"]),
    "limit": numbers,
    "offset": numbers,
    "tasks_per_list": numbers,
    "table_name": st.sampled_from(["tasks", "lists", "users"]),
    "token": st.sampled_from(["", "unknown"]),
    "rows": st.lists(
        st.builds(
            TaskImport,
            public_id=public_ids,
            title=texts.filter(lambda text: 0 < len(text) <= 200),
            list_id=ids | st.none(),
            created_at=times,
        ),
        max_size=4,
    ),
}


# SQL as a careless or curious developer writes it: no predicate on the tenant.
CARELESS = [
    "select count(*) from tasks",
    "select id, title from tasks where id = :id",
    "select title from tasks where public_id = :public_id",
    "select exists (select from lists where lower(name) = lower(:name)) as there",
    "select max(id) as id from tags",
    "select g.name from tags as g inner join task_tags as t on t.tag_id = g.id order by g.name",
    "select count(*) from audit_log where row_id = :id::bigint::text",
    "select name from users where id <> :name order by id",
    "update tasks set list_id = :list_id where id = :id returning id",
    "with changed as (update tasks set title = :title where true returning id)"
    " select id from changed order by id",
    "update lists set name = :name where id = :id returning id",
    "delete from tags where id = :id returning id",
    "with gone as (delete from tasks where list_id = :list_id returning id)"
    " select id from gone order by id",
    "insert into tasks (user_id, title, list_id) values ('ada', 'x', :list_id) returning id",
    "insert into tasks (user_id, title) values ('grace', 'x') returning id",
    "insert into task_tags (user_id, task_id, tag_id) values ('ada', :task_id, :tag_id)"
    " returning task_id",
    "insert into lists (user_id, public_id, name) values ('ada', :public_id, :name)"
    " on conflict do nothing returning id",
    "update tasks set user_id = 'grace' where id = :id returning id",
    "select user_id from resolve_session(:token)",
]


# Syntax errors, unknown columns and functions: what would make a call prove nothing.
MALFORMED = ("42601", "42703", "42883", "42P")


@dataclass(frozen=True)
class Operation:
    """A call of a generated function, or of SQL."""

    function: Callable[..., Any] | str
    arguments: dict[str, Any]

    def __repr__(self) -> str:
        name = self.function if isinstance(self.function, str) else self.function.__name__
        return f"{name} {self.arguments}"

    def call(self, session: Session) -> Any:
        """Run it."""
        if isinstance(self.function, str):
            return session.sql(self.function, dict, **self.arguments)
        found = self.function(session, **self.arguments)
        if not isinstance(found, Page):
            return found
        behind = found.next and self.function(session, **{**self.arguments, "cursor": found.next})
        return [found.items, bool(found.previous), behind and behind.items]


def functions() -> list[Callable[..., Any]]:
    """Return every generated function."""
    found: list[Callable[..., Any]] = []
    for module_info in pkgutil.iter_modules(todo_sql.todo.__path__):
        module = importlib.import_module(f"todo_sql.todo.{module_info.name}")
        found += [
            value
            for name, value in vars(module).items()
            if inspect.isfunction(value)
            and value.__module__ == module.__name__
            and not name.startswith("_")
        ]
    return found


FUNCTIONS = functions()
UNTENANTED = {"find_session"}


def parameters(function: Callable[..., Any]) -> dict[str, inspect.Parameter]:
    """Return a function's parameters by name, less the session."""
    names = {**vars(models), "Session": Session, "AsyncSession": AsyncSession}
    names["Iterable"] = Iterable
    signature = inspect.signature(function, eval_str=True, locals=names)
    return {name: entry for name, entry in signature.parameters.items() if name != "session"}


def operations(function: Callable[..., Any]) -> st.SearchStrategy[Operation]:
    """Return calls of a function: its parameters from the pools, optional ones or not."""
    required, optional = {}, {}
    for name, parameter in parameters(function).items():
        choices = get_args(parameter.annotation)
        if name in POOLS:
            pool = POOLS[name]
        else:
            assert choices and all(isinstance(choice, str) for choice in choices), (
                f"{function.__name__} has a parameter {name}: give it a pool"
            )
            pool = st.sampled_from(choices)
        if type(None) in choices:
            pool = pool | st.none()
        if parameter.default is inspect.Parameter.empty:
            required[name] = pool
        else:
            optional[name] = pool
    return st.fixed_dictionaries(required, optional=optional).map(
        lambda arguments: Operation(function, arguments)
    )


def careless(text: str) -> st.SearchStrategy[Operation]:
    """Return calls of SQL."""
    names = re.findall(r"(?<!:):([a-z_]+)", text)
    return st.fixed_dictionaries({name: POOLS[name] for name in names}).map(
        lambda arguments: Operation(text, arguments)
    )


calls = st.sampled_from(FUNCTIONS).flatmap(operations)
runs = st.lists(
    calls | calls | st.sampled_from(CARELESS).flatmap(careless), min_size=1, max_size=12
)

_MOMENTS = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d\S*")
_UUIDS = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_KNOWN = {public_id(n) for n in (*ADAS, *GRACES, *NOBODYS)}


def seen(value: Any) -> Any:
    """Return what a caller sees, less moments and generated public_ids."""
    if isinstance(value, pydantic.BaseModel):
        return seen(value.model_dump())
    if isinstance(value, dict):
        return {key: seen(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [seen(entry) for entry in value]
    if isinstance(value, datetime):
        return "moment"
    if isinstance(value, UUID):
        return value if value in _KNOWN else "generated"
    if isinstance(value, str):
        return _MOMENTS.sub("moment", _UUIDS.sub(lambda found: str(seen(UUID(found[0]))), value))
    return value


def outcome(session: Session, operation: Operation) -> Any:
    """Return what a call returns or raises."""
    try:
        return seen(operation.call(session))
    except TodoSqlError as error:
        assert not str(getattr(error, "sqlstate", None)).startswith(MALFORMED), error
        facts = {
            name: getattr(error, name, None)
            for name in ("sqlstate", "constraint", "table", "columns", "field", "kind")
        }
        if facts["kind"] != "check":  # whose detail is the row, with its moments
            facts["detail"] = getattr(error, "detail", None)
        return type(error).__name__, str(error), facts


@pytest.fixture(scope="module", params=["superuser", "bypassrls owner", "member"])
def pair(
    request: pytest.FixtureRequest,
    server: Server,
    todo_sql_server: TestServer,
    todo_sql_template: str,
) -> Iterator[tuple[World, World]]:
    """The two worlds, used by each kind of login."""
    make_logins(server)
    with ExitStack() as stack:
        user = {"superuser": "postgres", "member": "login_app"}.get(request.param, "login_owner")
        source, template = todo_sql_server, todo_sql_template
        if user == "login_owner":
            source = TestServer(server.url(), server.url(user=user))
            template = stack.enter_context(source.database())
            migrate(source.url(template), MIGRATIONS)
        names = [stack.enter_context(source.database(template)) for _ in range(2)]
        first, second = ((source.url(name), server.url(name, user)) for name in names)
        yield stack.enter_context(worlds(first, second))


def test_nothing_can_be_inferred(pair: tuple[World, World]) -> None:
    """The other tenant's rows change nothing that ada sees, and ada changes none of them."""
    first, second = pair
    others = first.others()
    assert others

    with Database.connect(first.url) as one, Database.connect(second.url) as two:
        ada_one, ada_two = one.as_user(ADA), two.as_user(ADA)

        @settings(
            max_examples=EXAMPLES,
            deadline=None,
            database=None,
            suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
        )
        @given(runs)
        def check(run: list[Operation]) -> None:
            first.reset()
            second.reset()
            for operation in run:
                assert outcome(ada_one, operation) == outcome(ada_two, operation), operation
            assert first.own() == second.own()
            assert first.others() == others

        check()


def test_without_a_tenant_nothing_is_sent() -> None:
    """Every function but the session look-up says so, with no server to send anything to."""
    values = {
        "title": "x",
        "name": "x",
        "query": "x",
        "names": [],
        "public_id": public_id(1),
        "rows": [],
    }
    with Database.connect("postgresql://nobody@127.0.0.1:1/nowhere", timeout=5) as db:
        for function in FUNCTIONS:
            if function.__name__ in UNTENANTED:
                continue
            arguments = {
                name: values[name]
                for name, parameter in parameters(function).items()
                if parameter.default is inspect.Parameter.empty
            }
            with pytest.raises(TenantRequired):
                function(db.session(), **arguments)
    with pytest.raises(TodoSqlError):
        db.as_user("")


def test_a_leak_would_be_seen(pair: tuple[World, World]) -> None:
    """With a policy that forgets the tenant the worlds differ, so the test above can fail."""
    count = Operation(CARELESS[0], {})
    condition = "user_id = (select nullif(current_setting('app.current_user_id', true), ''))"
    found = []
    for world in pair:
        world.reset()
        world.owner.execute("alter policy tasks_select_own on tasks using (true)")
        with Database.connect(world.url) as db:
            found.append(outcome(db.as_user(ADA), count))
        world.owner.execute(f"alter policy tasks_select_own on tasks using ({condition})")
    assert found == [[{"count": 6}], [{"count": 3}]]
