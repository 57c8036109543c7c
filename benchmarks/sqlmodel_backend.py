"""The Todo API written with SQLModel, as its documentation shows it: the other side of backend.py.

The same answers to the requests of the load, on the same tables, signed in by the same
cookie, with the same scope: each request is one transaction that runs as todo_app for one
user, so that row security holds here, too. `SCOPED=0` leaves the isolation to the
`where user_id = …` of each statement, as most applications do.
"""

from __future__ import annotations

import base64
import json
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from math import ceil
from typing import Annotated, Any, Literal
from uuid import UUID, uuid4

from fastapi import Depends, FastAPI, HTTPException, Query, Request
from sqlalchemy import BigInteger, Column, DateTime, FetchedValue, Identity, String, func, text
from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlalchemy.ext.asyncio import create_async_engine
from sqlmodel import Field, SQLModel, col, select, tuple_, update
from sqlmodel.ext.asyncio.session import AsyncSession
from todo_backend.cookies import cookie_name, verified_token

DATABASE_URL = os.environ["DATABASE_URL"].replace("postgresql://", "postgresql+asyncpg://")
SECRET = os.environ["BETTER_AUTH_SECRET"]
COOKIE = cookie_name(os.environ.get("BETTER_AUTH_URL", "http://localhost:3000"))
SCOPED = os.environ.get("SCOPED", "1") == "1"

Priority = Literal["low", "medium", "high"]
engine = create_async_engine(
    DATABASE_URL, pool_size=int(os.environ.get("POOL_SIZE", "10")), max_overflow=0
)


class TaskBase(SQLModel):
    """What a client may set."""

    title: str = Field(min_length=1, max_length=200)
    description: str | None = Field(default=None, max_length=1000)
    completed: bool = False
    priority: Priority = Field(default="medium", sa_type=String)
    due_date: datetime | None = Field(default=None, sa_type=DateTime(timezone=True))


class Task(TaskBase, table=True):
    """A row of tasks."""

    __tablename__ = "tasks"

    user_id: str = Field(primary_key=True)
    id: int | None = Field(default=None, sa_column=Column(BigInteger, Identity(), primary_key=True))
    public_id: UUID = Field(default_factory=uuid4)
    list_id: int | None = None
    created_at: datetime = Field(
        sa_column=Column(DateTime(timezone=True), server_default=FetchedValue())
    )
    updated_at: datetime = Field(
        sa_column=Column(
            DateTime(timezone=True), server_default=FetchedValue(), server_onupdate=FetchedValue()
        )
    )
    deleted_at: datetime | None = Field(default=None, sa_type=DateTime(timezone=True))


class TaskCreate(TaskBase):
    """The body of a create."""

    public_id: UUID | None = None


class TaskUpdate(SQLModel):
    """The body of a PATCH."""

    title: str | None = Field(default=None, min_length=1, max_length=200)
    description: str | None = Field(default=None, max_length=1000)
    completed: bool | None = None
    priority: Priority | None = None
    due_date: datetime | None = None


class TaskPublic(TaskBase):
    """A task as clients see it."""

    public_id: UUID
    created_at: datetime
    updated_at: datetime


class Tasks(SQLModel):
    """Some tasks, and a cursor to those after."""

    items: list[TaskPublic]
    next: str | None


class NumberedTasks(SQLModel):
    """One of a known number of pages."""

    items: list[TaskPublic]
    page: int
    page_size: int
    total: int
    total_pages: int


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    """Close the pool at the end."""
    yield
    await engine.dispose()


app = FastAPI(title="Todo", lifespan=lifespan)


@app.exception_handler(DBAPIError)
@app.exception_handler(OSError)
async def away(request: Request, error: Exception) -> Any:
    """503 while the database is away."""
    from fastapi.responses import JSONResponse

    status = 409 if isinstance(error, IntegrityError) else 503
    return JSONResponse({"detail": "try again"}, status, {"Retry-After": "2"})


async def get_session() -> AsyncIterator[AsyncSession]:
    """Open one session per request, as SQLModel's tutorial does."""
    async with AsyncSession(engine, expire_on_commit=False) as session:
        yield session


DbSession = Annotated[AsyncSession, Depends(get_session)]


async def current_user(request: Request, session: DbSession) -> str:
    """Return the signed-in user's id and scope the transaction to it."""
    token = verified_token(request.cookies.get(COOKIE, ""), SECRET)
    if token is None:
        raise HTTPException(401, "sign in first")
    found = await session.execute(
        text("select user_id, expires_at from resolve_session(:token)"), {"token": token}
    )
    row = found.one_or_none()
    if row is None:
        raise HTTPException(401, "sign in first")
    if SCOPED:
        await session.execute(
            text(
                "select set_config('role', 'todo_app', true), "
                "set_config('app.current_user_id', :user_id, true)"
            ),
            {"user_id": row.user_id},
        )
    return str(row.user_id)


User = Annotated[str, Depends(current_user)]


async def find(session: AsyncSession, user_id: str, public_id: UUID) -> Task:
    """Return a task of the user that is not deleted, or 404."""
    result = await session.exec(
        select(Task).where(
            Task.user_id == user_id, Task.public_id == public_id, col(Task.deleted_at).is_(None)
        )
    )
    task = result.one_or_none()
    if task is None:
        raise HTTPException(404, "not found")
    return task


@app.get("/health")
async def health() -> dict[str, str]:
    """Say that the process lives."""
    return {"status": "ok"}


@app.post("/api/tasks", status_code=201, response_model=TaskPublic)
async def create_task(user_id: User, session: DbSession, body: TaskCreate) -> Task:
    """Create a task."""
    values = body.model_dump()
    values["public_id"] = values["public_id"] or uuid4()
    task = Task(user_id=user_id, **values)
    session.add(task)
    await session.flush()
    await session.refresh(task)
    await session.commit()
    return task


@app.get("/api/tasks", response_model=Tasks)
async def list_tasks(
    user_id: User,
    session: DbSession,
    completed: bool | None = None,
    cursor: str | None = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
) -> dict[str, Any]:
    """List tasks, newest first, by keyset."""
    statement = select(Task).where(Task.user_id == user_id, col(Task.deleted_at).is_(None))
    if completed is not None:
        statement = statement.where(Task.completed == completed)
    if cursor:
        created_at, last = json.loads(base64.urlsafe_b64decode(cursor))
        statement = statement.where(
            tuple_(col(Task.created_at), col(Task.id))
            < tuple_(datetime.fromisoformat(created_at), last)
        )
    statement = statement.order_by(col(Task.created_at).desc(), col(Task.id).desc())
    rows = list((await session.exec(statement.limit(limit + 1))).all())
    following = None
    if len(rows) > limit:
        last_row = rows[limit - 1]
        following = base64.urlsafe_b64encode(
            json.dumps([last_row.created_at.isoformat(), last_row.id]).encode()
        ).decode()
    await session.commit()
    return {"items": rows[:limit], "next": following}


@app.get("/api/tasks/pages/{page}", response_model=NumberedTasks)
async def list_numbered_tasks(
    user_id: User, session: DbSession, page: int, page_size: int = 20
) -> dict[str, Any]:
    """List one of a known number of pages."""
    mine = (Task.user_id == user_id, col(Task.deleted_at).is_(None))
    total = (await session.exec(select(func.count()).select_from(Task).where(*mine))).one()
    rows = await session.exec(
        select(Task)
        .where(*mine)
        .order_by(col(Task.created_at).desc(), col(Task.id).desc())
        .offset((page - 1) * page_size)
        .limit(page_size)
    )
    items = rows.all()
    await session.commit()
    return {
        "items": items,
        "page": page,
        "page_size": page_size,
        "total": total,
        "total_pages": ceil(total / page_size),
    }


@app.get("/api/tasks/{public_id}", response_model=TaskPublic)
async def get_task(user_id: User, session: DbSession, public_id: UUID) -> Task:
    """Return a task."""
    task = await find(session, user_id, public_id)
    await session.commit()
    return task


@app.patch("/api/tasks/{public_id}", response_model=TaskPublic)
async def update_task(user_id: User, session: DbSession, public_id: UUID, body: TaskUpdate) -> Task:
    """Change the fields that are given."""
    task = await find(session, user_id, public_id)
    task.sqlmodel_update(body.model_dump(exclude_unset=True))
    session.add(task)
    await session.flush()
    await session.refresh(task)
    await session.commit()
    return task


@app.post("/api/tasks/{public_id}/complete", response_model=TaskPublic)
async def complete_task(user_id: User, session: DbSession, public_id: UUID) -> Task:
    """Mark a task as completed."""
    task = await find(session, user_id, public_id)
    task.completed = True
    session.add(task)
    await session.flush()
    await session.refresh(task)
    await session.commit()
    return task


@app.delete("/api/tasks/{public_id}", status_code=204)
async def delete_task(user_id: User, session: DbSession, public_id: UUID) -> None:
    """Put a task into the bin."""
    result = await session.execute(
        update(Task)
        .where(
            col(Task.user_id) == user_id,
            col(Task.public_id) == public_id,
            col(Task.deleted_at).is_(None),
        )
        .values(deleted_at=func.now())
    )
    if not result.rowcount:
        raise HTTPException(404, "not found")
    await session.commit()
