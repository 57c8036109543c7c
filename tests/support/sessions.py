"""Queries on the Todo schema for the tests of sessions, as generated code would hold them."""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any
from uuid import UUID

import psycopg
from pydantic import BaseModel

from todo_sql.config import Tenant
from todo_sql.database.query import Query, QueryFile
from todo_sql.queries.loader import load_text
from todo_sql.queries.named import NamedQuery
from todo_sql.sql.source import Source

TENANT = Tenant()
MIGRATIONS = Path(__file__).parents[2] / "migrations"


class TextFile(QueryFile):
    """A query file given as a text."""

    def __init__(self, text: str, *, tenant: Tenant | None = TENANT) -> None:
        super().__init__(None, "tasks.sql", tenant=tenant)
        self._text = text

    @cached_property
    def named(self) -> Mapping[str, NamedQuery]:
        """Every query of the text by name."""
        source = Source(f"queries/{self.file}", self._text)
        return {query.name: query for query in load_text(source)}


class Task(BaseModel):
    """A task, as a pydantic model."""

    id: int
    public_id: UUID
    title: str
    completed: bool
    created_at: datetime.datetime


@dataclass(frozen=True, slots=True)
class FastTask:
    """A task, as a slots dataclass."""

    id: int
    public_id: UUID
    title: str
    completed: bool
    created_at: datetime.datetime


_COLUMNS = "id, public_id, title, completed, created_at"

FILE = TextFile(
    f"""
-- name: create_task :one
insert into tasks (user_id, public_id, title)
values (:user_id, coalesce(:public_id, gen_random_uuid()), :title)
on conflict (user_id, public_id) do update set public_id = excluded.public_id
returning {_COLUMNS};

-- name: add_task :one
insert into tasks (user_id, title) values (:user_id, :title) returning {_COLUMNS};

-- name: get_task :one
select {_COLUMNS} from tasks where user_id = :user_id and id = :id;

-- name: find_task :optional
select {_COLUMNS} from tasks where user_id = :user_id and title = :title;

-- name: list_tasks :many
select {_COLUMNS} from tasks
where user_id = :user_id
    and completed = :completed  -- if: completed
order by id;

-- name: all_tasks :many
select user_id from tasks order by id;

-- name: count_tasks :one
select count(*) from tasks where user_id = :user_id;

-- name: complete_tasks :execrows
update tasks set completed = true where user_id = :user_id and not completed;

-- name: rename_task :exec
update tasks set title = :title where user_id = :user_id and id = :id;

-- name: move_task :exec
update tasks set list_id = :list_id where user_id = :user_id and id = :id;

-- name: nap :exec
select pg_sleep(:seconds);

-- name: short_nap :exec
-- timeout: 300ms
select pg_sleep(:seconds);

-- name: who :one
select current_user::text;

-- name: page_tasks :page
select {_COLUMNS} from tasks
where user_id = :user_id
order by title, id      -- case sort: title
-- order by id desc     -- case sort: newest
limit :limit;

-- name: stream_titles :stream
select title from tasks where user_id = :user_id order by id;

-- name: import_tasks :copyfrom
insert into tasks (user_id, public_id, title, description, completed)
values (:user_id, :public_id, :title, :description, :completed)
on conflict (user_id, public_id) do nothing;

-- name: import_titles :copyfrom
-- param: completed = true
-- param: description = null
insert into tasks (user_id, title, description, completed)
values (:user_id, :title, :description, :completed);

-- name: add_each :batch
insert into tasks (user_id, title) values (:user_id, :title) returning title;

-- name: rename_each :batch
update tasks set title = :title where user_id = :user_id and id = :id;

-- name: wrong :exec
select nonsense from tasks where user_id = :user_id;
"""
)


def _scoped(
    name: str,
    row: Any = None,
    read_only: bool = False,
    repeat: tuple[str, ...] = (),
    **parameters: str,
) -> Query[Any]:
    return FILE.query(
        name,
        repeat=repeat,
        row=row,
        parameters={"user_id": "text", **parameters},
        read_only=read_only,
        tenant=True,
    )


CREATE: Query[Task] = _scoped(
    "create_task", Task, repeat=("user_id", "public_id"), public_id="uuid", title="text"
)
ADD: Query[Task] = _scoped("add_task", Task, title="text")
GET: Query[Task] = _scoped("get_task", Task, True, id="bigint")
FIND: Query[Task] = _scoped("find_task", Task, True, title="text")
LIST: Query[Task] = _scoped("list_tasks", Task, True, completed="boolean")
ALL: Query[str] = _scoped("all_tasks", str, True)
COUNT: Query[int] = _scoped("count_tasks", int, True)
COMPLETE: Query[None] = _scoped("complete_tasks")
RENAME: Query[None] = _scoped("rename_task", title="text", id="bigint")
MOVE: Query[None] = _scoped("move_task", list_id="bigint", id="bigint")
WRONG: Query[None] = _scoped("wrong")
PAGE: Query[Task] = FILE.query(
    "page_tasks",
    row=Task,
    parameters={"user_id": "text", "limit": "bigint"},
    not_null=("title", "id"),
    read_only=True,
    tenant=True,
)
STREAM: Query[str] = _scoped("stream_titles", str, True)
IMPORT: Query[None] = _scoped(
    "import_tasks", public_id="uuid", title="text", description="text", completed="boolean"
)
IMPORT_TITLES: Query[None] = _scoped(
    "import_titles", title="text", description="text", completed="boolean"
)
ADD_EACH: Query[str] = _scoped("add_each", str, title="text")
RENAME_EACH: Query[None] = _scoped("rename_each", title="text", id="bigint")
NAP: Query[None] = FILE.query("nap", parameters={"seconds": "double precision"}, read_only=True)
SHORT_NAP: Query[None] = FILE.query(
    "short_nap", parameters={"seconds": "double precision"}, read_only=True
)
WHO: Query[str] = FILE.query("who", row=str, read_only=True)


def add_users(url: str, *names: str) -> None:
    """Add users to a Todo database."""
    with psycopg.connect(url, autocommit=True) as connection:
        for name in names:
            connection.execute(
                "insert into users (id, name, email) values (%s, %s, %s)",
                [name, name, f"{name}@example.test"],
            )
