"""`Database` and `AsyncDatabase`: where sessions come from."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, Generic, Self, TypeVar
from weakref import WeakSet

from todo_sql.config import Config, NoProject, Tenant, load_config, packaged_config
from todo_sql.database.async_session import AsyncSession, AsyncTransaction
from todo_sql.database.base_session import Handle
from todo_sql.database.events import Listener
from todo_sql.database.executor import Engine
from todo_sql.database.listening import AsyncNotifications, Notifications
from todo_sql.database.replica import Replica
from todo_sql.database.scope import Freshness, Scope, checked_tenant
from todo_sql.database.session import Session, Transaction
from todo_sql.errors import UsageError
from todo_sql.wire.limits import DatabaseStats, Limits, check_seconds
from todo_sql.wire.pool import Pool
from todo_sql.wire.url import DatabaseUrl
from todo_sql.wire.waiting import Work, run, run_async

T = TypeVar("T")
S = TypeVar("S", bound=Handle)
E = TypeVar("E", bound=Notifications | AsyncNotifications)
L = TypeVar("L", bound=Listener)

_DEFAULTS = {
    "application_name": "todo-sql",
    "client_encoding": "utf8",
    "connect_timeout": "10",
    "keepalives_idle": "60",
    "keepalives_interval": "10",
    "keepalives_count": "3",
}


class _Source(Generic[S, E]):
    """What both databases are made of: a URL, a pool that opens lazily, an engine."""

    _kind: type[S]
    _ear: type[E]

    def __init__(
        self,
        url: DatabaseUrl | None,
        replica: DatabaseUrl | None,
        limits: Limits,
        timeout: float,
        tenant: Tenant | None,
        config: Config,
    ) -> None:
        self._url = url
        self._replica = replica
        self._limits = limits
        self._timeout = timeout
        self._tenant = tenant
        self._config = config
        self._engine: Engine | None = None
        self._listeners: list[Listener] = []
        self._ears: WeakSet[E] = WeakSet()

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._url.shown if self._url else 'embedded'!r})"

    @classmethod
    def connect(
        cls,
        url: str | None = None,
        *,
        replica: str | None = None,
        min_size: int = 0,
        max_size: int = 10,
        max_idle: float = 240.0,
        max_lifetime: float = 1800.0,
        timeout: float = 30.0,
        tenant: Tenant | None = None,
    ) -> Self:
        """Name a database; nothing is read from it yet.

        Args:
            url: Default: ``DATABASE_URL``, else the project's embedded server.
            replica: Where read-only queries may go; default without `url`:
                ``TODO_SQL_REPLICA_URL``.
            min_size: How many idle connections are kept for longer than `max_idle`.
            max_size: How many connections there may be.
            max_idle: Seconds after which an unused connection is closed.
            max_lifetime: Seconds after which a connection is replaced.
            timeout: Seconds that a call may take, waiting and retries included.
            tenant: For ad hoc SQL on tenant sessions; default: the project's.

        Raises:
            UsageError: A size or a time is out of range.
            ConfigError: A URL cannot be read, or is one of another product.
        """
        limits = Limits(min_size, max_size, max_idle, max_lifetime)
        check_seconds("timeout", timeout)
        if not isinstance(tenant, Tenant | None):
            raise UsageError(
                f"`tenant` takes a Tenant, not {type(tenant).__name__}",
                fix="pass `todo_sql.config.Tenant(parameter=…, setting=…, role=…)`; "
                "whose rows a session sees is said with `db.as_user(id)`",
            )
        try:
            config = load_config()
        except NoProject:  # a deployed program has none, and needs none
            config = packaged_config()
            if url is None and config.database_url is None:
                raise
        given = url if url is not None else config.database_url
        if url is None and replica is None:
            replica = config.replica_url
        one, other = (None if u is None else DatabaseUrl.parse(u) for u in (given, replica))
        return cls(one, other, limits, timeout, tenant or config.tenant, config)

    def as_user(self, tenant_id: object, *, after: int = 0) -> S:
        """Return the session of one tenant: its calls see this tenant's rows alone.

        Args:
            tenant_id: Whose.
            after: The `position` of another session whose changes must be seen.

        Raises:
            TenantRequired: The id is None or empty.
        """
        scope = Scope(checked_tenant(tenant_id), None, None, self._tenant)
        return self._kind(self._opened(), scope, Freshness(after))

    def session(self, role: str | None = None) -> S:
        """Return a session without a tenant, for queries that need none.

        Args:
            role: The role that its calls run as; default: the login.
        """
        return self._kind(self._opened(), Scope(None, role, None, self._tenant))

    def listen(self, *channels: str, timeout: float | None = None) -> E:
        """Yield what is sent to some channels, on a connection of its own.

        Open it with ``with`` (``async with``) to hear all that is sent from then on, or iterate it
        as it is. It connects again by itself; each channel then gets a notification that says
        ``missed``.

        Args:
            channels: Their names, as they are.
            timeout: Seconds without a notification after which there are no more; None: never.
        """
        ear = self._ear(self._opened().pool, channels, timeout)
        self._ears.add(ear)
        return ear

    def on_query(self, listener: L) -> L:
        """Call a function with a `QueryEvent` after each call; usable as a decorator."""
        self._listeners.append(listener)
        return listener

    @property
    def pool_size(self) -> int:
        """How many connections to the primary are open or being opened."""
        return self.stats().primary.size

    def stats(self) -> DatabaseStats:
        """Return the sizes of the pools, and what was counted since `open`."""
        engine = self._opened()
        replica = engine.replica
        pools = [engine.pool, *([replica.pool] if replica else [])]
        return DatabaseStats(
            primary=engine.pool.stats(),
            replica=replica.pool.stats() if replica else None,
            replica_rests=replica is not None and replica.rests,
            retries=sum(pool.retries for pool in pools),
            cancels=sum(pool.cancels for pool in pools),
        )

    def _start_embedded(self) -> None:
        if self._url is None:
            from todo_sql.embedded.server import server_for

            self._url = DatabaseUrl.parse(server_for(self._config).ensure_running())

    def _opened(self) -> Engine:
        if self._engine is None:
            fix = "open it with `with` (or `async with`), or `.open()`"
            raise UsageError("the database is not open", code="D231", fix=fix)
        return self._engine

    def _make_engine(self) -> None:
        assert self._url is not None
        away = self._replica and self._pool(self._replica, patience=0.0)
        replica = Replica(away) if away else None
        self._engine = Engine(self._pool(self._url), self._timeout, replica)
        self._engine.listeners = self._listeners

    def _pool(self, url: DatabaseUrl, **options: float) -> Pool:
        conninfo: dict[str, Any] = {**_DEFAULTS, **url.parameters}
        return Pool(conninfo, self._limits, url.shown, **options)

    def _close(self, timeout: float) -> Work[None]:
        engine, self._engine = self._engine, None
        for ear in tuple(self._ears):
            ear.end()
        if engine is not None:
            yield from engine.pool.close(timeout)
            if engine.replica is not None:
                yield from engine.replica.pool.close(timeout)


class Database(_Source[Session, Notifications]):
    """A database for threads: open it with ``with``.

    Safe to share among threads. After a fork the child opens connections of its own.
    """

    _kind = Session
    _ear = Notifications

    def open(self) -> Self:
        """Let sessions run; connections are opened by the calls that need them."""
        if self._engine is None:
            self._start_embedded()
            self._make_engine()
        return self

    def close(self, timeout: float = 30.0) -> None:
        """Refuse new calls, wait for those at work, close every connection.

        Args:
            timeout: Seconds; whatever is still at work then loses its connection.
        """
        run(self._close(timeout))

    def __enter__(self) -> Self:
        return self.open()

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        self.close()

    def run(self, function: Callable[[Transaction], T], **options: Any) -> T:
        """Run a unit of work without a tenant; see `Session.run`."""
        return self.session().run(function, **options)


class AsyncDatabase(_Source[AsyncSession, AsyncNotifications]):
    """A database for tasks of one event loop: open it with ``async with``."""

    _kind = AsyncSession
    _ear = AsyncNotifications

    async def open(self) -> Self:
        """Let sessions run; connections are opened by the calls that need them."""
        if self._engine is None:
            await asyncio.to_thread(self._start_embedded)
            self._make_engine()
        return self

    async def close(self, timeout: float = 30.0) -> None:
        """Refuse new calls, wait for those at work, close all; see `Database.close`."""
        await run_async(self._close(timeout))

    async def __aenter__(self) -> Self:
        return await self.open()

    async def __aexit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        await self.close()

    async def run(self, function: Callable[[AsyncTransaction], Awaitable[T]], **options: Any) -> T:
        """Run a unit of work without a tenant; see `AsyncSession.run`."""
        return await self.session().run(function, **options)
