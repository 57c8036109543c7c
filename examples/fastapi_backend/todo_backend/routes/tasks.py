"""Tasks: what the product is about."""

from __future__ import annotations

from math import ceil
from typing import Annotated
from uuid import UUID, uuid4

from fastapi import APIRouter, HTTPException, Path, Query
from todo_sql import NoRow, Page
from todo_sql.todo import audit, task_tags, tasks
from todo_sql.todo.models import AuditEntry, Tag, Task, TaskCreate, TaskUpdate, TaskWithTags

from todo_backend.dependencies import Me
from todo_backend.schemas import (
    ChangeOut,
    NumberedQuery,
    NumberedTasks,
    TagNames,
    TagOut,
    TaskOut,
    TaskQuery,
    Tasks,
    given,
)

router = APIRouter(prefix="/api/tasks", tags=["tasks"])

Limit = Annotated[int, Query(ge=1, le=200)]
PageNumber = Annotated[int, Path(ge=1, le=1_000_000)]


@router.post("", status_code=201, response_model=TaskOut)
async def create_task(me: Me, body: TaskCreate) -> Task:
    """Create a task. With a public_id of the client's own it is safe to repeat."""
    # An id made here lets the library repeat the call when a connection breaks under it.
    public_id = body.public_id or uuid4()
    try:
        return await tasks.create_task(me, **given(body) | {"public_id": public_id})
    except NoRow:
        raise HTTPException(409, "a task in the bin has this public_id") from None


@router.get("", response_model=Tasks)
async def list_tasks(me: Me, query: Annotated[TaskQuery, Query()]) -> Page[TaskWithTags]:
    """List tasks; `next` and `previous` are cursors for the page after and before."""
    return await tasks.page_tasks(me, **given(query))


@router.get("/pages/{page}", response_model=NumberedTasks)
async def list_numbered_tasks(
    me: Me, page: PageNumber, query: Annotated[NumberedQuery, Query()]
) -> object:
    """List one of a known number of pages: for small lists, since the total is counted."""
    size = query.page_size
    wanted = query.model_dump(exclude_unset=True, exclude={"page_size"})
    async with me.transaction(isolation="repeatable read", read_only=True) as tx:
        total = await tasks.count_tasks(tx, **wanted)
        items = await tasks.list_tasks(tx, limit=size, offset=(page - 1) * size, **wanted)
    return {
        "items": items,
        "page": page,
        "page_size": size,
        "total": total,
        "total_pages": ceil(total / size),
    }


@router.get("/{public_id}", response_model=TaskOut)
async def get_task(me: Me, public_id: UUID) -> Task:
    """Return a task."""
    return await tasks.get_task(me, public_id=public_id)


@router.patch("/{public_id}", response_model=TaskOut)
async def update_task(me: Me, public_id: UUID, body: TaskUpdate) -> Task:
    """Change the fields that are given; null clears one that may be empty."""
    return await tasks.update_task(me, public_id=public_id, **given(body))


@router.post("/{public_id}/complete", response_model=TaskOut)
async def complete_task(me: Me, public_id: UUID) -> Task:
    """Mark a task as completed."""
    return await tasks.complete_task(me, public_id=public_id)


@router.post("/{public_id}/reopen", response_model=TaskOut)
async def reopen_task(me: Me, public_id: UUID) -> Task:
    """Mark a task as open again."""
    return await tasks.complete_task(me, public_id=public_id, completed=False)


@router.delete("/{public_id}", status_code=204)
async def delete_task(me: Me, public_id: UUID) -> None:
    """Put a task into the bin."""
    await tasks.delete_task(me, public_id=public_id)


@router.post("/{public_id}/restore", response_model=TaskOut)
async def restore_task(me: Me, public_id: UUID) -> Task:
    """Take a task out of the bin."""
    return await tasks.restore_task(me, public_id=public_id)


@router.get("/{public_id}/tags", response_model=list[TagOut])
async def list_task_tags(me: Me, public_id: UUID) -> list[Tag]:
    """List the tags of a task by name."""
    await tasks.get_task(me, public_id=public_id)
    return await task_tags.list_task_tags(me, task_public_id=public_id)


@router.put("/{public_id}/tags", response_model=list[TagOut])
async def set_task_tags(me: Me, public_id: UUID, body: TagNames) -> list[Tag]:
    """Give a task exactly the tags of these names; new names become new tags."""
    async with me.transaction() as tx:
        await tasks.get_task(tx, public_id=public_id)
        return await task_tags.set_task_tags(tx, task_public_id=public_id, names=body.names)


@router.put("/{public_id}/tags/{tag_public_id}", status_code=204)
async def tag_task(me: Me, public_id: UUID, tag_public_id: UUID) -> None:
    """Put a tag on a task; repeating it changes nothing."""
    await task_tags.tag_task(me, task_public_id=public_id, tag_public_id=tag_public_id)


@router.delete("/{public_id}/tags/{tag_public_id}", status_code=204)
async def untag_task(me: Me, public_id: UUID, tag_public_id: UUID) -> None:
    """Take a tag off a task; repeating it changes nothing."""
    await task_tags.untag_task(me, task_public_id=public_id, tag_public_id=tag_public_id)


@router.get("/{public_id}/history", response_model=list[ChangeOut])
async def list_task_history(me: Me, public_id: UUID, limit: Limit = 50) -> list[AuditEntry]:
    """List what happened to a task, also after it was deleted, latest first."""
    return await audit.list_row_history(me, public_id=public_id, limit=limit)
