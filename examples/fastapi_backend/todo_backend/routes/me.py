"""The user who is signed in, and what happened to the user's rows."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query
from todo_sql.todo import audit, users
from todo_sql.todo.models import AuditEntry, UserProfile

from todo_backend.dependencies import Me
from todo_backend.schemas import ChangeOut, HistoryQuery, given

router = APIRouter(prefix="/api", tags=["me"])


@router.get("/me")
async def get_me(me: Me) -> UserProfile:
    """Return the user who is signed in."""
    return await users.get_user(me)


@router.get("/history", response_model=list[ChangeOut])
async def list_history(
    me: Me,
    query: Annotated[HistoryQuery, Query()],
) -> list[AuditEntry]:
    """List changes of the user's rows, latest first."""
    return await audit.list_history(me, **given(query))
