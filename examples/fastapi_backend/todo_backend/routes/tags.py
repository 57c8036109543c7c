"""Tags: words of a user's own that cut across lists."""

from __future__ import annotations

from uuid import UUID, uuid4

from fastapi import APIRouter
from todo_sql.todo import tags
from todo_sql.todo.models import Tag, TagCreate, TagUpdate

from todo_backend.dependencies import Me
from todo_backend.schemas import TagOut

router = APIRouter(prefix="/api/tags", tags=["tags"])


@router.post("", status_code=201, response_model=TagOut)
async def create_tag(me: Me, body: TagCreate) -> Tag:
    """Create a tag. With a public_id of the client's own it is safe to repeat."""
    return await tags.create_tag(me, name=body.name, public_id=body.public_id or uuid4())


@router.get("", response_model=list[TagOut])
async def list_tags(me: Me) -> list[Tag]:
    """List the user's tags by name."""
    return await tags.list_tags(me)


@router.get("/{public_id}", response_model=TagOut)
async def get_tag(me: Me, public_id: UUID) -> Tag:
    """Return a tag."""
    return await tags.get_tag(me, public_id=public_id)


@router.patch("/{public_id}", response_model=TagOut)
async def rename_tag(me: Me, public_id: UUID, body: TagUpdate) -> Tag:
    """Rename a tag."""
    return await tags.update_tag(me, public_id=public_id, name=body.name)


@router.delete("/{public_id}", status_code=204)
async def delete_tag(me: Me, public_id: UUID) -> None:
    """Delete a tag. Its tasks stay, without it."""
    await tags.delete_tag(me, public_id=public_id)
