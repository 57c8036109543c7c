"""Whether the process lives, and whether it can serve."""

from __future__ import annotations

from typing import Literal

from fastapi import APIRouter
from pydantic import BaseModel

from todo_backend.dependencies import Db

router = APIRouter(tags=["health"])


class Health(BaseModel):
    """Always the same: an answer at all is what counts."""

    status: Literal["ok"] = "ok"


@router.get("/health")
async def health() -> Health:
    """Say that the process lives; the database is not asked."""
    return Health()


@router.get("/ready")
async def ready(db: Db) -> Health:
    """Say that the database answers; 503 while it does not."""
    await db.session().sql("select 1", int)
    return Health()
