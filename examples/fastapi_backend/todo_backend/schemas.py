"""Bodies of requests and answers: the generated models, less what stays inside.

A bigint id counts everybody's rows; people outside get the public_id.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field
from todo_sql.todo import models

Inside = Field(exclude=True)


def no_number(value: object) -> object:
    """Refuse a time that is written as a number, which pydantic takes for seconds since 1970."""
    if isinstance(value, int | float) or (isinstance(value, str) and "-" not in value[1:]):
        raise ValueError("write it like 2030-01-31T12:00:00Z")
    return value


When = Annotated[AwareDatetime, BeforeValidator(no_number)]
Priority = Literal["low", "medium", "high"]
Title = Annotated[str, Field(min_length=1, max_length=200, strict=True)]
Description = Annotated[str, Field(max_length=1000, strict=True)]


class TaskOut(models.Task):
    """A task."""

    id: int = Inside
    list_id: int | None = Inside


class TaskWithTagsOut(models.TaskWithTags):
    """A task and the names of its tags."""

    id: int = Inside
    list_id: int | None = Inside


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


class Body(BaseModel):
    """What a client sends: nothing unknown is accepted."""

    model_config = ConfigDict(extra="forbid")

    def given(self) -> dict[str, Any]:
        """Return the fields that the client sent."""
        return self.model_dump(exclude_unset=True)


class TaskCreate(Body):
    """A new task."""

    public_id: UUID | None = None
    title: Title
    description: Description | None = None
    priority: Priority = "medium"
    due_date: When | None = None
    list_public_id: UUID | None = None


class TaskUpdate(Body):
    """Changes of a task."""

    title: Title = ""
    description: Description | None = None
    completed: bool = False
    priority: Priority = "medium"
    due_date: When | None = None
    list_public_id: UUID | None = None


class NewList(Body):
    """A new list."""

    public_id: UUID | None = None
    name: str = Field(min_length=1, max_length=100)


class ListName(Body):
    """The name of a list."""

    name: str = Field(min_length=1, max_length=100)


class NewTag(Body):
    """A new tag."""

    public_id: UUID | None = None
    name: str = Field(min_length=1, max_length=50)


class TagName(Body):
    """The name of a tag."""

    name: str = Field(min_length=1, max_length=50)


class TagNames(Body):
    """The names of a task's tags."""

    names: list[Annotated[str, Field(min_length=1, max_length=50)]] = Field(max_length=50)


class TaskFilter(Body):
    """Which tasks to list; what is left out does not narrow."""

    completed: bool = False
    priority: Priority = "low"
    list_public_id: UUID = UUID(int=0)
    due_before: When | None = None
    tag_public_id: UUID = UUID(int=0)

    def filters(self) -> dict[str, Any]:
        """Return the filters that the client gave."""
        return self.model_dump(include=set(TaskFilter.model_fields), exclude_unset=True)


class TaskQuery(TaskFilter):
    """Which tasks to list, in which order, and from where on."""

    sort: Literal["newest", "oldest", "due"] = "newest"
    cursor: str | None = None
    limit: Annotated[int, Field(ge=1, le=200)] = 50


class NumberedQuery(TaskFilter):
    """Which tasks to list, and how many on a page."""

    page_size: Annotated[int, Field(ge=1, le=200)] = 20


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


class HistoryQuery(Body):
    """Which changes to list."""

    table_name: Literal["users", "lists", "tags", "tasks", "task_tags"] | None = None
    since: When | None = None
    before: When | None = None
    limit: Annotated[int, Field(ge=1, le=200)] = 50
