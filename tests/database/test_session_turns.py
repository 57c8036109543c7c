"""A transaction makes one call at a time: who would wait for itself is told at once."""

from __future__ import annotations

import asyncio
import logging
import signal
import threading
from collections.abc import Callable, Iterator
from typing import Annotated, Any

import psycopg
import pytest
from pydantic import AfterValidator, BaseModel
from support import sessions as q

from todo_sql import AsyncDatabase, AsyncTransaction, Database, Transaction, UsageError

pytestmark = pytest.mark.database

FILE = q.TextFile(
    """
-- name: copy :copyfrom
insert into things (name) values (:name);

-- name: add :batch
insert into things (name) values (:name);

-- name: read :stream
select name from things;
""",
    tenant=None,
)
TEXT = {"name": "text"}
COPY = FILE.query("copy", parameters=TEXT)
ADD = FILE.query("add", parameters=TEXT)
READ = FILE.query("read", row=str, read_only=True)

Again = Callable[[], object]


@pytest.fixture
def things(empty_database: str) -> str:
    """The URL of a database with things."""
    with psycopg.connect(empty_database, autocommit=True) as connection:
        connection.execute("create table things (name text); insert into things values ('a')")
    return empty_database


def rows(again: Again) -> Iterator[dict[str, str]]:
    """Yield rows; before the second something else is done."""
    yield {"name": "b"}
    again()
    yield {"name": "c"}


def model(again: Again) -> type[BaseModel]:
    """Return a model whose validator does something else."""

    def validator(value: str) -> str:
        again()
        return value

    class Row(BaseModel):
        name: Annotated[str, AfterValidator(validator)]

    return Row


SHAPES: dict[str, Callable[[Any, Again], Any]] = {
    "the rows of a COPY": lambda tx, again: tx.copyfrom(COPY, rows(again)),
    "a validator": lambda tx, again: tx.sql("select name from things", model(again)),
}

USES: dict[str, Callable[[Transaction], object]] = {
    "a call": lambda tx: tx.sql("select 1", int),
    "a COPY": lambda tx: tx.copyfrom(COPY, [{"name": "x"}]),
    "a savepoint": lambda tx: tx.transaction().__enter__(),
    "a stream": lambda tx: tx.stream(READ, {}).__enter__(),
}


@pytest.mark.parametrize("use", USES)
@pytest.mark.parametrize("shape", SHAPES)
def test_who_waits_for_itself_is_told(things: str, shape: str, use: str) -> None:
    """Whatever runs within a call and uses its transaction again; others stay whole."""
    with Database.connect(things, max_size=2) as db:
        with pytest.raises(UsageError) as caught, db.session().transaction() as tx:
            SHAPES[shape](tx, lambda: USES[use](tx))
        assert caught.value.finding.code == "D233"
        assert db.session().sql("select count(*) from things", int) == [1]
        with db.session().transaction() as tx:  # a transaction of its own is none of ours
            SHAPES[shape](tx, lambda: db.session().sql("select 1", int))
            assert tx.sql("select 1", int) == [1]
        assert db.stats().primary.idle == db.stats().primary.size


@pytest.mark.parametrize("shape", SHAPES)
def test_tasks_are_told(things: str, shape: str) -> None:
    """The same for a task; a coroutine that is driven by hand within a call of its own."""

    def again(tx: AsyncTransaction) -> None:
        tx.sql("select 1", int).send(None)

    async def main() -> None:
        async with AsyncDatabase.connect(things, max_size=1) as db:
            with pytest.raises(UsageError) as caught:
                async with db.session().transaction() as tx:
                    await SHAPES[shape](tx, lambda: again(tx))
            assert caught.value.finding.code == "D233"
            assert await db.session().sql("select count(*) from things", int) == [1]

    asyncio.run(main())


def test_a_listener_is_told(things: str, caplog: pytest.LogCaptureFixture) -> None:
    """What it raises is logged, and the call returns."""
    with Database.connect(things, max_size=1) as db, db.session().transaction() as tx:
        db.on_query(lambda event: tx.sql("select 1", int) and None)
        with caplog.at_level(logging.ERROR, "todo_sql"):
            assert tx.sql("select 2", int) == [2]
    assert "in the middle of a call" in caplog.text


def test_a_signal_handler_is_told(things: str) -> None:
    """It interrupts a call that waits for the server, and would wait for that call."""
    with Database.connect(things, max_size=1) as db:
        before = signal.getsignal(signal.SIGALRM)
        try:
            with (
                pytest.raises(UsageError, match="middle of a call"),
                db.session().transaction() as tx,
            ):
                signal.signal(signal.SIGALRM, lambda *_: tx.sql("select 1", int) and None)
                signal.setitimer(signal.ITIMER_REAL, 0.1)
                tx.sql("select pg_sleep(20)::text", str)
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, before)
        assert db.session().sql("select 1", int) == [1]


def test_others_wait_for_their_turn(things: str) -> None:
    """Threads and tasks that share a transaction, from within callbacks too, get their turn."""
    with Database.connect(things, max_size=1) as db, db.session().transaction() as tx:
        found: list[int] = []
        threads = [
            threading.Thread(target=lambda: found.extend(tx.sql("select 1", int))) for _ in range(4)
        ]
        assert tx.batch_execute(ADD, rows(lambda: tx.sql("select 1", int))) == 2  # read before
        tx.copyfrom(COPY, rows(lambda: start(threads)))
        for thread in threads:
            thread.join(30)
        assert found == [1] * 4

    async def main() -> None:
        async with AsyncDatabase.connect(things, max_size=1) as db:
            async with db.session().transaction() as tx, asyncio.TaskGroup() as group:
                tasks: list[asyncio.Task[list[str]]] = []
                tasks.append(group.create_task(tx.sql("select pg_sleep(0.01)::text", str)))
                await tx.copyfrom(
                    COPY, rows(lambda: tasks.append(group.create_task(tx.sql("select '1'", str))))
                )
                nested = group.create_task(_nested(tx))
            assert [await task for task in tasks] == [[""], ["1"]]
            assert await nested == [2]

    asyncio.run(main())


def start(threads: list[threading.Thread]) -> None:
    """Let threads begin."""
    for thread in threads:
        thread.start()


async def _nested(tx: AsyncTransaction) -> list[int]:
    async with tx.transaction() as inner:
        return await inner.sql("select 2", int)
