"""Columns with a dot: nested models, missing by proof alone, in every cardinality."""

from __future__ import annotations

import asyncio
import re
import sys
from pathlib import Path
from typing import Any

import psycopg
import pytest
from pydantic import BaseModel
from support.compiling import checked, codes, config_of
from support.generated import make, type_check

from todo_sql import AsyncDatabase, Database

pytestmark = pytest.mark.database

SCHEMA = """
create table users (id int primary key, name text not null, bio text, boss int references users);
create table tasks (id int primary key, title text not null, user_id int references users,
    done bool);
create table tags (task_id int not null references tasks, name text not null);
create view people as select id, name, coalesce(bio, '') as words from users;
insert into users values (1, 'Ann', null, null), (2, 'Bob', 'b', 1);
insert into tasks values (1, 'one', 1, true), (2, 'two', 2, false), (3, 'three', null, null);
insert into tags values (1, 'red'), (2, 'blue'), (2, 'green');
"""

LEFT = "from tasks as t left join users as u on u.id = t.user_id"
BOTH = f"{LEFT} left join users as b on b.id = u.boss"

# Nested models, each with its field (`?`: may be missing) and its fields that can be NULL; or the
# code of the error; and the query.
PROOFS = """
[u? bio]
select t.id, u.id as "u.id", u.name as "u.name", u.bio as "u.bio" {left}
[u bio]
select u.id as "u.id", u.bio as "u.bio" from tasks t join users u on u.id = t.user_id
[u? / t done]
select u.id as "u.id", t.title as "t.title", t.done as "t.done" {left}
[u bio]
select u.id as "u.id", u.bio as "u.bio" {left} where u.name > ''
[u? / u.boss?]
select u.id as "u.id", b.id as "u.boss.id", b.name as "u.boss.name" {both}
[u? boss]
select u.id as "u.id", b.name as "u.boss" {both}
[t? / u]
select t.id as "t.id", u.id as "u.id" from tasks t right join users u on u.id = t.user_id
[t? / u?]
select t.id as "t.id", u.id as "u.id" from tasks t full join users u on u.id = t.user_id
[u]
select u.id as "u.id" from users u left join (tasks t join tags g on g.task_id = t.id) on
t.user_id = u.id
[t?]
select t.id as "t.id", g.name as "t.tag" from users u left join (tasks t join tags g on
g.task_id = t.id) on t.user_id = u.id
[t? tag]
select t.id as "t.id", g.name as "t.tag" from users u left join (tasks t left join tags g on
g.task_id = t.id) on t.user_id = u.id
[p?]
select p.id as "p.id", p.words as "p.words" from tasks t left join people p on p.id =
t.user_id
[u?]
with a as (select t.id, u.id as uid, u.name {left}) select uid as "u.id", name as "u.name"
from a
[u? bio]
select x.uid as "u.id", x.bio as "u.bio" from (select u.id as uid, u.bio {left}) as x
[u]
select x.uid as "u.id" from (select u.id as uid {left}) as x where x.uid is not null
[u?]
select coalesce(u.name, '-') as "u.name", u.id as "u.id" {left}
[u]
select coalesce(u.name, '-') as "u.name" {left}
[u? bio]
select upper(u.name) as "u.name", u.bio as "u.bio" {left}
[u?]
select u.id::text as "u.id", 'user' as "u.kind", now() as "u.at" {left}
[x user]
select u.id as "x.user", t.title as "x.title" {left}
[n last]
select t.id, count(u.id) as "n.users", max(u.name) as "n.last" {left} group by t.id
[u?]
select u.id as "u.id", count(*) as "u.n" {left} group by u.id
[u id name]
select u.id as "u.id", u.name as "u.name" {left} group by rollup (u.id, u.name)
[u? bio]
select u.id as "u.id", u.bio as "u.bio" {left} union all select u.id, u.bio from users u
[u?]
select u.id as "u.id" from users u union all select b.id from users u left join users b on
b.id = u.boss
[u? last]
select u.id as "u.id", (select max(t.id) from tasks t where t.user_id = u.id) as "u.last"
{left}
[u / last?]
select u.id as "u.id", l.title as "last.title" from users u left join lateral (select title
from tasks t where t.user_id = u.id order by id limit 1) l on true
[u?]
select j.name as "u.name" from ({joined}) as j
[u?]
select u.id as "u.id", u.name as "u.name" from tasks t left join users u on u.id = t.user_id
and u.bio = t.title
[u?]
select u.id as "u.id", u.bio as "u.bio" from tasks t left join users u on u.bio = t.title
[u bio]
update tasks t set done = true from users u where u.id = t.user_id returning t.id, u.id as
"u.id", u.bio as "u.bio"
[C127]
select u.bio as "u.bio", u.boss as "u.boss" {left}
[u? boss]
-- column: "u.bio" not null
select u.bio as "u.bio", u.boss as "u.boss" {left}
[u bio]
-- column: u not null
select u.id as "u.id", u.bio as "u.bio" {left}
[u? id]
-- column: "u.id" null
select u.id as "u.id", u.name as "u.name" {left}
[C108]
select u.name as "u.first", u.name as "u.first.x" from users u
[C108]
select u.name as "u.first", u.name as "u" from users u
[C108]
select u.name as "u.a", u.name as "u.a" from users u
[C108]
select u.name as "u.", u.id from users u
[C108]
select u.name as ".u", u.id from users u
[C108]
select u.name as "u..x", u.id from users u
[C108]
select u.name as "u.class", u.id from users u
[C108]
select u.name as "u.json", u.id from users u
[C108]
select u.name as "u._x", u.id from users u
[]
select u.name as "Total incl. tax" from users u
[C106]
-- model: v -> V
select u.name as "u.a" from users u
[C106]
-- model: u -> V
select u.name from users u
[C106]
-- column: "u" text
select u.name as "u.a" from users u
"""
CASES = [
    (query.format(left=LEFT, both=BOTH, joined=LEFT.removeprefix("from ")).strip(), expected)
    for expected, query in re.findall(r"^\[(.*)\]$([^[]+)", PROOFS, re.MULTILINE)
]


@pytest.mark.parametrize(("text", "expected"), CASES)
def test_what_is_proved(text: str, expected: str, url: str) -> None:
    """A model is missing where its join may be, and its fields are NULL by themselves alone."""
    with psycopg.connect(url, autocommit=True) as connection:
        lines = text.splitlines()
        header = "\n".join(line for line in lines if line.startswith("--"))
        sql = "\n".join(line for line in lines if not line.startswith("--"))
        found = checked(connection, f"-- name: q :many\n{header}\n{sql}")
        if expected.startswith("C"):
            assert expected in codes(found)
            assert all(finding.place for finding in found.findings)
            return
        assert not found.errors, found.errors
        (entry,) = found.described
        models = {one.path: one for one in entry.row_models}
        shown = []
        for one in entry.nested:
            fields = [field.name for field in models[one.path].fields if field.nullable]
            inner = {other.path for other in entry.nested}
            fields = [name for name in fields if f"{one.path}.{name}" not in inner]
            shown.append(" ".join([one.path + "?" * one.optional, *fields]))
        assert " / ".join(shown) == expected
        # The witness is NULL just where the model is missing, on the rows that there are.
        for row in connection.execute(sql.replace("now()", "1")).fetchall() if not header else ():
            values = dict(zip((column.name for column in entry.columns), row, strict=True))
            for one in entry.nested:
                there = one.witness is None or values[one.witness] is not None
                for field in models[one.path].fields if there else ():
                    name = f"{one.path}.{field.name}"
                    assert field.nullable or name not in values or values[name] is not None


QUERIES = f"""
-- name: all_tasks :many -> Task
-- model: author -> User
-- model: author.boss -> User2
select t.id, t.title, u.id as "author.id", u.name as "author.name", u.bio as "author.bio",
    b.id as "author.boss.id", b.name as "author.boss.name"
{BOTH} order by t.id;

-- name: one_task :one
-- model: author -> User2
select t.id, u.id as "author.id", u.name as "author.name" {LEFT} where t.id = :id;

-- name: maybe_task :optional
select t.id, u.id as "author.id" {LEFT} where t.id = :id;

-- name: only_author :optional
select u.id as "author.id" {LEFT} where t.id = :id;

-- name: page_tasks :page
select t.id, t.title, u.name as "author.name", u.id as "author.id" {LEFT}
order by "author.name", t.id limit :limit;

-- name: stream_tasks :stream
select t.id, u.id as "author.id" {LEFT} order by t.id;

-- name: touch :batch
update tasks set title = title from users as u where u.id = tasks.user_id and tasks.id = :id
returning tasks.id, u.id as "author.id", u.name as "author.name";

-- name: touch_no :execrows
update tasks set title = title from users as u where tasks.id = :id returning u.id as "author.id";

-- name: users :many -> User2
select id, name from users order by id;

-- name: filtered :many -> Filtered
select t.id, u.id as "author.id", u.bio as "author.bio" {LEFT}
where u.id = :author -- if: author
order by t.id;
"""

USE = """
from nestedq import q
from todo_sql import AsyncSession, Session

def work(me: Session) -> None:
    for task in q.all_tasks(me):
        name: str = task.author.name if task.author is not None else ""
        if task.author and task.author.boss:
            name = task.author.boss.name
        print(name)
    with q.stream_tasks(me) as rows:
        print([row.author.id for row in rows if row.author])
    row = q.touch(me, [{"id": 1}])[0]
    number: int = row.author.id
    print(number, q.page_tasks(me, limit=1).items[0].author)

async def later(me: AsyncSession) -> None:
    found = await q.maybe_task(me, id=1)
    print(found.author.id if found and found.author else 0)
"""


def shown(row: Any) -> Any:
    """Return a row as plain values."""
    return row.model_dump() if isinstance(row, BaseModel) else row


def test_every_cardinality(url: str, tmp_path: Path) -> None:
    """One, optional, many, pages there and back, streams and batches; for threads and tasks."""
    q = make(url, tmp_path, "nestedq", QUERIES)
    models = sys.modules["nestedq.models"]
    type_check(tmp_path, "nestedq", USE)
    ann = {"id": 1, "name": "Ann"}
    expected = [
        {"id": 1, "title": "one", "author": {**ann, "bio": None, "boss": None}},
        {"id": 2, "title": "two", "author": {"id": 2, "name": "Bob", "bio": "b", "boss": ann}},
        {"id": 3, "title": "three", "author": None},
    ]
    with Database.connect(url) as db:
        me = db.session()
        tasks = q.all_tasks(me)
        assert list(map(shown, tasks)) == expected
        assert isinstance(tasks[1].author.boss, models.User2)
        assert q.users(me)[0] == tasks[1].author.boss
        assert shown(q.one_task(me, id=3)) == {"id": 3, "author": None}
        assert shown(q.maybe_task(me, id=1)) == {"id": 1, "author": {"id": 1}}
        assert (shown(q.only_author(me, id=3)), q.only_author(me, id=9)) == ({"author": None}, None)
        with q.stream_tasks(me) as rows:
            streamed = list(map(shown, rows))
        assert streamed == [
            {"id": n, "author": a} for n, a in ((1, {"id": 1}), (2, {"id": 2}), (3, None))
        ]
        page, seen = q.page_tasks(me, limit=2), []
        while True:
            seen += [(row.id, row.author and row.author.name) for row in page.items]
            if page.next is None:
                break
            page = q.page_tasks(me, limit=2, cursor=page.next)
        assert seen == [(1, "Ann"), (2, "Bob"), (3, None)]
        page = q.page_tasks(me, limit=2, cursor=page.previous)
        assert [row.id for row in page.items] == [1, 2]
        touched = q.touch(me, [{"id": 2}, {"id": 1}, {"id": 3}])
        assert [row.author.id for row in touched] == [2, 1]
        assert q.touch_no(me, id=1) == 1
        assert [row.author and row.author.id for row in q.filtered(me)] == [1, 2, None]
        assert [row.author.id for row in q.filtered(me, author=2)] == [2]
        rows = me.many(q._ALL_TASKS.into(dict), {})
        assert rows == expected
    schema = models.Task.model_json_schema()
    assert {"$ref": "#/$defs/User"} in schema["properties"]["author"]["anyOf"]
    assert set(schema["$defs"]["User"]["required"]) == {"id", "name", "bio", "boss"}
    assert models.Task.model_validate_json(tasks[1].model_dump_json()) == tasks[1]

    async def later() -> None:
        async with AsyncDatabase.connect(url) as db:
            me = db.session()
            assert list(map(shown, await q.all_tasks(me))) == expected
            assert (await q.one_task(me, id=3)).author is None
            assert (await q.maybe_task(me, id=9)) is None
            assert [row.id for row in (await q.page_tasks(me, limit=2)).items] == [1, 2]
            async with q.stream_tasks(me) as rows:
                assert [row.author and row.author.id async for row in rows] == [1, 2, None]
            assert [row.author.name for row in await q.touch(me, [{"id": 1}])] == ["Ann"]

    asyncio.run(later())


def test_models_of_one_name_agree(url: str, tmp_path: Path) -> None:
    """Nested or not; what one of them may lack, all may."""
    text = f"""
-- name: a :many -> Task
-- model: author -> User
select t.id, u.id as "author.id" {LEFT};
-- name: b :many -> Task
-- model: author -> User
select t.id, u.id as "author.id" from tasks t join users u on u.id = t.user_id;
-- name: c :many -> User
select boss as id from users;
-- name: d :many -> Other
-- model: author -> User
select t.id, u.name as "author.id" {LEFT};
"""
    with psycopg.connect(url, autocommit=True) as connection:
        found = checked(connection, text, config_of(tmp_path, types={"User.id": "app.Key"}))
        assert codes(found) == []
        found = checked(connection, text)
    assert codes(found) == ["C107"]
    assert "-- model: author -> Name" in (found.findings[0].fix or "")
    a, b, *_ = found.described
    assert [one.optional for one in (*a.nested, *b.nested)] == [True, True]
    assert a.row_models[0].fields[0].nullable
