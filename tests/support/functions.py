"""Query functions on the Todo schema, written as `generate` writes them."""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Any, overload

from support import sessions as q
from todo_sql import AsyncSession, Session


@overload
def add_task(session: Session, *, title: str) -> q.Task: ...
@overload
def add_task(session: AsyncSession, *, title: str) -> Coroutine[Any, Any, q.Task]: ...
def add_task(session: Session | AsyncSession, *, title: str) -> Any:
    """Add a task."""
    return session.one(q.ADD, {"title": title})


@overload
def get_task(session: Session, *, id: int) -> q.Task: ...
@overload
def get_task(session: AsyncSession, *, id: int) -> Coroutine[Any, Any, q.Task]: ...
def get_task(session: Session | AsyncSession, *, id: int) -> Any:
    """Return a task."""
    return session.one(q.GET, {"id": id})


@overload
def count_tasks(session: Session) -> int: ...
@overload
def count_tasks(session: AsyncSession) -> Coroutine[Any, Any, int]: ...
def count_tasks(session: Session | AsyncSession) -> Any:
    """Count the tasks."""
    return session.one(q.COUNT, {})
