"""Through PgBouncer in transaction mode: every kind of call, nothing leaked, tenants apart."""

from __future__ import annotations

import asyncio
import random
import threading
import uuid
from collections.abc import Iterator
from typing import Any

import pytest
from support import functions as f
from support import sessions as q
from support.pgbouncer import pgbouncer
from support.soak import pick

from todo_sql import AsyncDatabase, Database, IntegrityError, Timeout

pytest_plugins = ["support.session_fixtures"]

WORKERS = 16
TENANTS = [f"tenant{number}" for number in range(12)]
CALLS = int(pick(2_000, 10_000))


@pytest.fixture
def pooled(two_users: str) -> Iterator[str]:
    """The URL of a Todo database behind a pooler with two server connections."""
    with pgbouncer(two_users, pool_size=2) as url:
        yield url


def test_every_kind_of_call_works(pooled: str) -> None:
    """Calls, transactions, batches, pages, streams, COPY; the pooler is recognised by itself."""
    with Database.connect(pooled, max_size=4) as db:
        ann = db.as_user("ann")
        for number in range(6):
            made = ann.one(q.ADD, {"title": str(number)})
            assert ann.one(q.GET, {"id": made.id}) == made
        with ann.transaction() as tx, tx.transaction() as inner:
            inner.one(q.ADD, {"title": "nested"})
        with ann.batch() as batch:
            count = batch.add(f.count_tasks)
            bad = batch.add(f.add_task, title="")
        assert count.result() == 7
        with pytest.raises(IntegrityError):
            bad.result()
        assert len(ann.page(q.PAGE, {"limit": 5}).items) == 5
        with ann.stream(q.STREAM, {}) as titles:
            assert len(list(titles)) == 7
        rows = [
            {"public_id": uuid.uuid4(), "title": "x", "description": None, "completed": False}
            for _ in range(100)
        ]
        assert ann.copyfrom(q.IMPORT, rows) == 100
        with pytest.raises(Timeout):
            ann.execute(q.SHORT_NAP, {"seconds": 3.0})
        assert ann.one(q.COUNT, {}) == 107


def test_nothing_leaks_into_the_pooled_connections(pooled: str, two_users: str) -> None:
    """No role, setting, prepared statement or temporary table stays behind."""
    with Database.connect(pooled) as db:
        ann = db.as_user("ann")
        for _ in range(20):
            ann.many(q.LIST, {})
        rows = [{"public_id": None, "title": "x", "description": None, "completed": False}]
        with pytest.raises(IntegrityError):
            ann.copyfrom(q.IMPORT, rows)
        for _ in range(20):
            (found,) = db.session().sql(
                """
                select current_user = session_user as role,
                    coalesce(current_setting('app.current_user_id', true), '') as tenant,
                    (select count(*) from pg_prepared_statements) as prepared,
                    (select count(*) from pg_class where relname like 'todo_sql_copy%') as copies
                """,
                dict[str, Any],
            )
            assert found == {"role": True, "tenant": "", "prepared": 0, "copies": 0}


def test_isolation_under_load(pooled: str, two_users: str) -> None:
    """Many threads with random tenants on two server connections: each sees its own rows."""
    q.add_users(two_users, *TENANTS)
    wrong: list[str] = []
    left = threading.Semaphore(CALLS)

    with Database.connect(pooled, max_size=WORKERS, timeout=60) as db:

        def work(seed: int) -> None:
            dice = random.Random(seed)
            while left.acquire(blocking=False):
                tenant = dice.choice(TENANTS)
                me = db.as_user(tenant)
                if dice.random() < 0.3:
                    if not me.one(q.ADD, {"title": f"of {tenant}"}).title.endswith(tenant):
                        wrong.append(tenant)
                elif dice.random() < 0.2:
                    with me.transaction() as tx:
                        wrong.extend(o for o in tx.many(q.ALL, {}) if o != tenant)
                else:
                    wrong.extend(other for other in me.many(q.ALL, {}) if other != tenant)

        threads = [threading.Thread(target=work, args=(seed,)) for seed in range(WORKERS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert wrong == []
    assert not left.acquire(blocking=False)


def test_isolation_under_load_of_tasks(pooled: str, two_users: str) -> None:
    """The same with tasks of one event loop."""
    q.add_users(two_users, *TENANTS)
    wrong: list[str] = []

    async def main() -> None:
        async with AsyncDatabase.connect(pooled, max_size=WORKERS, timeout=60) as db:

            async def work(seed: int) -> None:
                dice = random.Random(seed)
                for _ in range(CALLS // WORKERS):
                    tenant = dice.choice(TENANTS)
                    me = db.as_user(tenant)
                    if dice.random() < 0.3:
                        await me.one(q.ADD, {"title": f"of {tenant}"})
                    else:
                        wrong.extend(o for o in await me.many(q.ALL, {}) if o != tenant)

            await asyncio.gather(*(work(seed) for seed in range(WORKERS)))

    asyncio.run(main())
    assert wrong == []
