"""Types of the Todo application's columns that are written by hand: see [tool.todo-sql.types]."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from pydantic import BaseModel, ConfigDict


class OpenTask(BaseModel):
    """One of the newest open tasks of a list, as `list_lists_with_tasks` aggregates them."""

    model_config = ConfigDict(frozen=True)

    public_id: UUID
    title: str
    priority: str
    due_date: datetime | None
    tags: list[str]
