"""Search over a user's tasks."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query
from todo_sql.todo import tasks
from todo_sql.todo.models import Task

from todo_backend.dependencies import Me
from todo_backend.schemas import TaskOut

router = APIRouter(prefix="/api/search", tags=["tasks"])


@router.get("", response_model=list[TaskOut])
async def search_tasks(
    me: Me,
    query: Annotated[str, Query(min_length=1, max_length=200)],
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
) -> list[Task]:
    """List tasks whose title or description contains a text, newest first."""
    return await tasks.search_tasks(me, query=query, limit=limit)
