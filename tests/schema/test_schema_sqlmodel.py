"""SQLModel code written for these tables keeps working: integer id, times set by the client.

The model and the session hook are those of docs/neighbours.md.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Engine, event, func, text
from sqlalchemy.exc import IntegrityError, ProgrammingError
from sqlmodel import Field, Session, SQLModel, create_engine, select
from support.people import Connection, LoginUrl

pytestmark = pytest.mark.database


def now() -> datetime:
    """Return the moment, as such models usually do."""
    return datetime.now(UTC)


class Task(SQLModel, table=True):
    """A task as a typical SQLModel application declares it."""

    __tablename__ = "tasks"

    id: int | None = Field(default=None, primary_key=True)
    user_id: str = Field(index=True)
    title: str = Field(max_length=200)
    description: str | None = Field(default=None, max_length=1000)
    completed: bool = Field(default=False)
    priority: str = Field(default="medium")
    due_date: datetime | None = None
    created_at: datetime = Field(default_factory=now)
    updated_at: datetime = Field(default_factory=now)


def as_user(engine: Engine, user_id: str) -> Session:
    """Return a session whose transactions run as todo_app for one user."""
    session = Session(engine)

    @event.listens_for(session, "after_begin")
    def scope(_session: Any, _transaction: Any, connection: Any) -> None:
        connection.execute(
            text(
                "select set_config('role', 'todo_app', true),"
                " set_config('app.current_user_id', :user_id, true)"
            ),
            {"user_id": user_id},
        )

    return session


@pytest.fixture
def engine(login_url: LoginUrl) -> Iterator[Engine]:
    """An engine for a login in todo_app."""
    made = create_engine(login_url("login_app").replace("postgresql:", "postgresql+psycopg:"))
    yield made
    made.dispose()


def test_create_read_update_delete(engine: Engine) -> None:
    """The whole life of a task, with the id that the database gave it."""
    with as_user(engine, "ada") as session:
        task = Task(user_id="ada", title="Buy milk", due_date=now() + timedelta(days=1))
        session.add(task)
        session.commit()
        session.refresh(task)
        assert task.id is not None
        made = task.updated_at

        task.title, task.completed, task.updated_at = "Buy oats", True, now()
        session.add(task)
        session.commit()
        session.refresh(task)
        assert (task.title, task.completed) == ("Buy oats", True)
        assert task.updated_at > made

        found = session.get(Task, task.id)
        assert found is task
        session.delete(task)
        session.commit()
        assert session.get(Task, task.id) is None


def test_lists_filters_and_totals(engine: Engine) -> None:
    """Filter, order, page and count as such applications do."""
    with as_user(engine, "ada") as session:
        open_tasks = select(Task).where(Task.user_id == "ada", Task.completed == False)  # noqa: E712
        page = session.exec(open_tasks.order_by(Task.title).offset(1).limit(1)).all()
        assert [task.title for task in page] == ["ada task 2"]
        total = session.exec(select(func.count()).select_from(open_tasks.subquery())).one()
        assert total == 2


def test_times_of_the_client_are_kept_on_insert(engine: Engine) -> None:
    """An import says when a task was made."""
    long_ago = datetime(2020, 1, 1, tzinfo=UTC)
    with as_user(engine, "ada") as session:
        task = Task(user_id="ada", title="Old", created_at=long_ago, updated_at=long_ago)
        session.add(task)
        session.commit()
        assert (task.created_at, task.updated_at) == (long_ago, long_ago)


def test_it_is_isolated_too(engine: Engine, owned: Connection) -> None:
    """A forgotten `where` shows one's own tasks, and another's id shows nothing."""
    row = owned.execute("select min(id) from tasks where user_id = 'grace'").fetchone()
    assert row is not None
    with as_user(engine, "ada") as session:
        assert {task.user_id for task in session.exec(select(Task))} == {"ada"}
        assert session.get(Task, row[0]) is None
        session.add(Task(user_id="grace", title="x"))
        with pytest.raises(ProgrammingError, match="row-level security"):
            session.commit()
    with Session(engine) as unscoped:
        assert unscoped.exec(select(Task)).all() == []


def test_constraints_speak(engine: Engine) -> None:
    """What SQLModel's table models do not check, the database does, by name."""
    with as_user(engine, "ada") as session:
        session.add(Task(user_id="ada", title="x", priority="urgent"))
        with pytest.raises(IntegrityError, match="tasks_priority_check"):
            session.commit()
