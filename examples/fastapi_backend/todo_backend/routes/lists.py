"""Lists: what a user sorts tasks into."""

from __future__ import annotations

from uuid import UUID, uuid4

from fastapi import APIRouter
from todo_sql.todo import lists
from todo_sql.todo.models import ListCreate, ListUpdate, TaskList

from todo_backend.dependencies import Me
from todo_backend.schemas import ListOut

router = APIRouter(prefix="/api/lists", tags=["lists"])


@router.post("", status_code=201, response_model=ListOut)
async def create_list(me: Me, body: ListCreate) -> TaskList:
    """Create a list. With a public_id of the client's own it is safe to repeat."""
    return await lists.create_list(me, name=body.name, public_id=body.public_id or uuid4())


@router.get("", response_model=list[ListOut])
async def list_lists(me: Me) -> list[TaskList]:
    """List the user's lists by name."""
    return await lists.list_lists(me)


@router.get("/{public_id}", response_model=ListOut)
async def get_list(me: Me, public_id: UUID) -> TaskList:
    """Return a list."""
    return await lists.get_list(me, public_id=public_id)


@router.patch("/{public_id}", response_model=ListOut)
async def rename_list(me: Me, public_id: UUID, body: ListUpdate) -> TaskList:
    """Rename a list."""
    return await lists.update_list(me, public_id=public_id, name=body.name)


@router.delete("/{public_id}", status_code=204)
async def delete_list(me: Me, public_id: UUID) -> None:
    """Delete a list. Its tasks stay, in no list."""
    await lists.delete_list(me, public_id=public_id)
