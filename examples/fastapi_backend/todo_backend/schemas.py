"""Bodies of requests and answers: the generated models, less what stays inside.

A bigint id counts everybody's rows; people outside get the public_id.
"""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, Field
from todo_sql.todo import models

Inside = Field(exclude=True)

Limit = Annotated[int, Field(ge=1, le=200)]


def given(body: BaseModel) -> dict[str, Any]:
    """Return the fields that the client sent: null is a value, left out is left alone."""
    return body.model_dump(exclude_unset=True)


class TaskOut(models.Task):
    """A task."""

    id: int = Inside
    list_id: int | None = Inside


class TaskWithTagsOut(models.TaskWithTags):
    """A task with its list and the names of its tags."""

    id: int = Inside


class DeletedTaskOut(models.DeletedTask):
    """A task in the bin."""

    id: int = Inside
    list_id: int | None = Inside


class ListOut(models.TaskList):
    """A list of tasks."""

    id: int = Inside


class TagOut(models.Tag):
    """A tag."""

    id: int = Inside


class ChangeOut(models.AuditEntry):
    """A change of one of the user's rows."""

    row_id: str = Inside


class TaskQuery(models.TaskQuery):
    """Which tasks to list, in which order, and from where on."""

    limit: Limit = 50
    cursor: str | None = None


class NumberedQuery(models.TaskFilter):
    """Which tasks to count and list, and how many on a page."""

    page_size: Limit = 20


class HistoryQuery(models.HistoryQuery):
    """Which changes to list."""

    limit: Limit = 50


class TagNames(BaseModel):
    """The names of a task's tags."""

    names: Annotated[list[Annotated[str, Field(min_length=1, max_length=50)]], Field(max_length=50)]


class Tasks(BaseModel):
    """Some tasks, and cursors to those after and before."""

    items: list[TaskWithTagsOut]
    next: str | None
    previous: str | None


class NumberedTasks(BaseModel):
    """One of a known number of pages."""

    items: list[TaskOut]
    page: int
    page_size: int
    total: int
    total_pages: int


class Count(BaseModel):
    """How many rows it was."""

    count: int
