"""The bin: deleted tasks, until somebody empties it."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query
from todo_sql.todo import tasks
from todo_sql.todo.models import DeletedTask

from todo_backend.dependencies import Me
from todo_backend.schemas import Count, DeletedTaskOut

router = APIRouter(prefix="/api/bin", tags=["bin"])


@router.get("", response_model=list[DeletedTaskOut])
async def list_deleted_tasks(
    me: Me, limit: Annotated[int, Query(ge=1, le=200)] = 50
) -> list[DeletedTask]:
    """List the deleted tasks, last deleted first."""
    return await tasks.list_deleted_tasks(me, limit=limit)


@router.delete("")
async def purge_tasks(me: Me) -> Count:
    """Delete for good what is in the bin."""
    return Count(count=await tasks.purge_tasks(me))
