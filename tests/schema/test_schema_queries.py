"""The Todo queries as a backend calls them: what each does, and what it refuses."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, Literal
from uuid import UUID, uuid4

import pytest

from todo_sql import BadParameter, Database, IntegrityError, NoRow, Session
from todo_sql.todo import audit, lists, sessions, tags, task_tags, tasks, users
from todo_sql.todo.models import TaskImport

pytestmark = pytest.mark.database

NOW = datetime.now(UTC)
BY_ID: list[Callable[..., Any]] = [
    tasks.get_task,
    tasks.update_task,
    tasks.complete_task,
    tasks.delete_task,
]
Sort = Literal["newest", "oldest", "due"]


@pytest.fixture
def me(people: str) -> Iterator[Session]:
    """A session of ada's, who has a list, a tag and two tasks."""
    with Database.connect(people) as database:
        yield database.as_user("ada")


def test_create_and_get(me: Session) -> None:
    """A task is found by either of its ids."""
    task = tasks.create_task(me, title="Buy milk", priority="high", due_date=NOW)
    assert (task.title, task.completed, task.priority, task.due_date) == (
        "Buy milk",
        False,
        "high",
        NOW,
    )
    assert tasks.get_task(me, id=task.id) == task
    assert tasks.get_task(me, public_id=task.public_id) == task


def test_exactly_one_id_is_given(me: Session) -> None:
    """A call that forgets the id, or gives both, is refused before anything is sent."""
    calls: list[Any] = [*BY_ID, lists.get_list, lists.delete_list, tags.get_tag, tags.delete_tag]
    for call in calls:
        for ids in ({}, {"id": 1, "public_id": uuid4()}):
            with pytest.raises(BadParameter, match="exactly one of `id` and `public_id`"):
                call(me, **ids)
    untag: Any = task_tags.untag_task
    with pytest.raises(BadParameter, match="exactly one of `tag_id` and `tag_public_id`"):
        untag(me, task_id=1)
    assert tasks.count_tasks(me) == 2


def test_a_create_may_be_repeated(me: Session) -> None:
    """With a public_id of one's own the second call returns what the first one made."""
    id = uuid4()
    first = tasks.create_task(me, public_id=id, title="once")
    assert tasks.create_task(me, public_id=id, title="twice") == first
    assert lists.create_list(me, public_id=id, name="A") == lists.create_list(
        me, public_id=id, name="B"
    )
    assert tags.create_tag(me, public_id=id, name="a") == tags.create_tag(
        me, public_id=id, name="b"
    )


def test_a_list_by_its_public_id(me: Session) -> None:
    """Tasks are put into lists, shown and filtered by what applications know."""
    [home] = lists.list_lists(me)
    task = tasks.create_task(me, title="x", list_public_id=home.public_id)
    assert (task.list_id, task.list_public_id) == (home.id, home.public_id)
    assert tasks.count_tasks(me, list_public_id=home.public_id) == 3
    (first, *_) = tasks.page_tasks(me, list_public_id=home.public_id).items
    assert first.list is not None
    assert (first.list.public_id, first.list.name) == (home.public_id, home.name)
    assert {row.list_public_id for row in tasks.list_tasks(me, limit=2, offset=1)} == {
        home.public_id
    }
    assert tasks.update_task(me, id=task.id, list_public_id=None).list_public_id is None
    assert tasks.update_task(me, id=task.id, list_id=home.id).list_public_id == home.public_id
    wrong: list[dict[str, Any]] = [{"list_public_id": uuid4()}, {"list_id": 987654321}]
    for unknown in wrong:
        with pytest.raises(IntegrityError) as caught:
            tasks.update_task(me, id=task.id, **unknown)
        assert (caught.value.constraint, caught.value.field) == (
            "tasks_user_id_list_id_fkey",
            "list_id",
        )


def test_patch(me: Session) -> None:
    """What is given changes, None clears, what is left out stays, nothing changes nothing."""
    task = tasks.create_task(me, title="a", description="more", due_date=NOW)
    changed = tasks.update_task(me, id=task.id, title="b", description=None)
    assert (changed.title, changed.description, changed.due_date) == ("b", None, NOW)
    assert tasks.update_task(me, id=task.id) == changed
    assert tasks.update_task(me, id=task.id, due_date=None).due_date is None


def test_complete_and_reopen(me: Session) -> None:
    """Completing is repeatable, and can be taken back."""
    task = tasks.create_task(me, title="a")
    done = tasks.complete_task(me, public_id=task.public_id)
    assert done.completed
    assert tasks.complete_task(me, id=task.id) == done
    assert not tasks.complete_task(me, id=task.id, completed=False).completed


def test_the_bin(me: Session) -> None:
    """A deleted task is out of sight, can be restored, and is gone once purged."""
    kept, purged = (tasks.create_task(me, title=title) for title in ("kept", "purged"))
    for task in (kept, purged):
        tasks.delete_task(me, id=task.id)
        for call in BY_ID:
            with pytest.raises(NoRow):
                call(me, id=task.id)
    assert [task.title for task in tasks.list_deleted_tasks(me)] == ["purged", "kept"]
    assert tasks.restore_task(me, id=kept.id).title == "kept"
    assert tasks.purge_tasks(me, deleted_before=NOW - timedelta(days=1)) == 0
    assert tasks.purge_tasks(me) == 1
    with pytest.raises(NoRow):
        tasks.restore_task(me, id=purged.id)
    assert tasks.get_task(me, id=kept.id).title == "kept"


def test_filters_order_and_totals(me: Session) -> None:
    """Each filter narrows, each order holds, the count agrees with the list."""
    tasks.purge_tasks(me)
    [home] = lists.list_lists(me)
    tasks.create_task(me, title="late", due_date=NOW - timedelta(days=1), priority="high")
    tasks.create_task(me, title="soon", due_date=NOW + timedelta(days=1), list_id=home.id)
    [*_, undated] = tasks.list_tasks(me, sort="due")
    assert undated.due_date is None
    titles = [task.title for task in tasks.list_tasks(me, sort="due", limit=2)]
    assert titles == ["late", "soon"]
    assert tasks.list_tasks(me, sort="oldest") == tasks.list_tasks(me)[::-1]
    assert [task.title for task in tasks.list_tasks(me, due_before=NOW)] == ["late"]
    assert tasks.count_tasks(me, priority="high") == 1
    assert tasks.count_tasks(me, completed=True) == 0
    assert [task.title for task in tasks.list_tasks(me, limit=1, offset=1)] == ["late"]


@pytest.mark.parametrize("sort", ["newest", "oldest", "due"])
def test_pages_meet_every_task_once(me: Session, sort: Sort) -> None:
    """There and back again, with ties and undated tasks."""
    rows = [
        TaskImport(
            public_id=uuid4(),
            title=f"task {n}",
            created_at=NOW + timedelta(hours=n // 3),
            due_date=NOW + timedelta(days=n // 4) if n % 3 else None,
        )
        for n in range(20)
    ]
    assert tasks.import_tasks(me, rows) == 20
    expected = [task.id for task in tasks.list_tasks(me, sort=sort)]
    walked, cursor = [], None
    while True:
        page = tasks.page_tasks(me, sort=sort, limit=7, cursor=cursor)
        walked += [task.id for task in page.items]
        if page.next is None:
            break
        cursor = page.next
    assert walked == expected
    back = tasks.page_tasks(me, sort=sort, limit=7, cursor=page.previous)
    assert [task.id for task in back.items] == expected[14:21]


def test_search(me: Session) -> None:
    """Whatever the case, in title or description, and % is a character like any other."""
    tasks.create_task(me, title="Straße 100%", description="ÄPFEL_kaufen")
    for found in ("straße", "100%", "äpfel_", "% ä"):
        assert len(tasks.search_tasks(me, query=found)) == 1, found
    for missing in ("10%0", "äpfel kaufen", "xyz"):
        assert tasks.search_tasks(me, query=missing) == []


def test_lists(me: Session) -> None:
    """Names are unique whatever their case; deleting a list keeps its tasks."""
    work = lists.create_list(me, name="Work")
    for name in ("work", "HOME"):
        with pytest.raises(IntegrityError) as caught:
            lists.create_list(me, name=name)
        assert (caught.value.kind, caught.value.field) == ("unique", "name")
    assert lists.update_list(me, public_id=work.public_id, name="WORK").name == "WORK"
    assert [entry.name for entry in lists.list_lists(me)] == ["Home", "WORK"]
    assert lists.count_lists(me) == 2
    home = lists.delete_list(me, id=lists.list_lists(me)[0].id)
    assert home.name == "Home"
    assert {task.list_id for task in tasks.list_tasks(me)} == {None}


def test_lists_with_tasks(me: Session) -> None:
    """One query shows each list with its newest open tasks and their tags."""
    [home] = lists.list_lists_with_tasks(me, tasks_per_list=1)
    assert home.open_tasks == 2
    [task] = home.newest_tasks
    assert task.title in ("ada task 1", "ada task 2")
    [home] = lists.list_lists_with_tasks(me)
    assert sorted(tuple(task.tags) for task in home.newest_tasks) == [(), ("urgent",)]


def test_tags(me: Session) -> None:
    """Tags come and go by name or by id; pages and filters show them."""
    [urgent] = tags.list_tags(me)
    task = tasks.create_task(me, title="x")
    by_id: dict[str, Any] = {"task_public_id": task.public_id, "tag_public_id": urgent.public_id}
    link = task_tags.tag_task(me, **by_id)
    assert task_tags.tag_task(me, **by_id) == link
    assert [tag.name for tag in task_tags.list_task_tags(me, task_id=task.id)] == ["urgent"]
    assert tasks.count_tasks(me, tag_public_id=urgent.public_id) == 2

    now = task_tags.set_task_tags(me, task_id=task.id, names=["Later", "b", "B", "URGENT"])
    assert [tag.name for tag in now] == ["b", "Later", "urgent"]
    (row,) = tasks.page_tasks(me, limit=1).items
    assert (row.tags, row.list) == (["b", "Later", "urgent"], None)
    assert task_tags.set_task_tags(me, task_id=task.id, names=[]) == []
    assert task_tags.list_task_tags(me, task_id=task.id) == []
    assert task_tags.untag_task(me, **by_id) == 0
    with pytest.raises(NoRow):
        task_tags.tag_task(me, task_id=task.id, tag_public_id=uuid4())
    tags.delete_tag(me, id=urgent.id)
    assert [tag.name for tag in tags.list_tags(me)] == ["b", "Later"]


def test_import(me: Session) -> None:
    """What is new is copied in, what is there stays, a wrong list stops everything."""
    row = TaskImport(public_id=uuid4(), title="a", created_at=datetime(2020, 1, 1, tzinfo=UTC))
    assert tasks.import_tasks(me, [row, row.model_copy(update={"public_id": uuid4()})]) == 2
    assert tasks.import_tasks(me, [row.model_copy(update={"title": "b"})]) == 0
    assert tasks.get_task(me, public_id=row.public_id).title == "a"
    assert tasks.get_task(me, public_id=row.public_id).created_at == row.created_at
    other = row.model_copy(update={"public_id": uuid4()})
    with pytest.raises(IntegrityError):
        tasks.import_tasks(
            me, [other, row.model_copy(update={"public_id": uuid4(), "list_id": 99})]
        )
    with pytest.raises(NoRow):
        tasks.get_task(me, public_id=other.public_id)


def test_history(me: Session) -> None:
    """What happened to a row is told by its public_id, also after it is gone."""
    task = tasks.create_task(me, title="a")
    tasks.update_task(me, id=task.id, title="b")
    tasks.delete_task(me, id=task.id)
    tasks.purge_tasks(me)
    told = audit.list_row_history(me, public_id=task.public_id)
    assert [entry.operation for entry in told] == ["delete", "update", "update", "insert"]
    assert told[2].changes == {"title": ["a", "b"]}
    assert {entry.actor_id for entry in told} == {"ada"}
    assert audit.list_history(me, table_name="tasks", limit=4) == told
    assert audit.list_history(me, before=NOW - timedelta(days=1)) == []


def test_user_and_session(me: Session, people: str) -> None:
    """The signed-in user, and whose session a token is."""
    assert users.get_user(me).name == "Ada"
    with Database.connect(people) as database:
        assert sessions.find_session(database.session(), token="unknown") is None
        database.session().sql(
            "insert into sessions (id, user_id, token, expires_at)"
            " values ('1', 'ada', 'alive', now() + interval '1 hour') returning id",
            str,
        )
        found = sessions.find_session(database.session(), token="alive")
        assert found is not None
        assert found.user_id == "ada"
        assert isinstance(tasks.create_task(me, title="x").public_id, UUID)
