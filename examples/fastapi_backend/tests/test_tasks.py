"""Tasks over HTTP, as a user's own client meets them."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest
from fastapi.testclient import TestClient


def make(client: TestClient, title: str, **fields: Any) -> dict[str, Any]:
    """Create a task and return it."""
    response = client.post("/api/tasks", json={"title": title, **fields})
    assert response.status_code == 201, response.text
    task: dict[str, Any] = response.json()
    return task


def titles(response: Any) -> list[str]:
    """Return the titles in a list or in a page."""
    assert response.status_code == 200, response.text
    body = response.json()
    return [task["title"] for task in (body if isinstance(body, list) else body["items"])]


def test_create_and_get(ann: TestClient) -> None:
    """A task comes back as it was made, with defaults and without the inner ids."""
    task = make(ann, "Buy milk", due_date="2030-01-01T12:00:00Z")
    assert task["priority"] == "medium"
    assert task["completed"] is False
    assert task["description"] is None
    assert not {"id", "list_id", "user_id"} & set(task)
    assert ann.get(f"/api/tasks/{task['public_id']}").json() == task


def test_create_is_safe_to_repeat(ann: TestClient) -> None:
    """With the client's own public_id, a second call finds what the first one made."""
    public_id = str(uuid4())
    first = make(ann, "Once", public_id=public_id)
    assert make(ann, "Once", public_id=public_id) == first
    assert titles(ann.get("/api/tasks")) == ["Once"]


def test_create_does_not_bring_back_what_was_deleted(ann: TestClient) -> None:
    """An id that a task in the bin has is a conflict, until the bin is emptied."""
    public_id = make(ann, "Gone")["public_id"]
    ann.delete(f"/api/tasks/{public_id}")
    again = ann.post("/api/tasks", json={"title": "Gone", "public_id": public_id})
    assert again.status_code == 409
    ann.delete("/api/bin")
    assert make(ann, "Gone", public_id=public_id)["public_id"] == public_id


def test_patch_sets_clears_and_leaves(ann: TestClient) -> None:
    """A field is changed when given, cleared by null, and otherwise left alone."""
    task = make(ann, "Call", description="Before noon", due_date="2030-01-01T12:00:00Z")
    path = f"/api/tasks/{task['public_id']}"
    changed = ann.patch(path, json={"description": None, "priority": "high"}).json()
    assert changed["description"] is None
    assert changed["priority"] == "high"
    assert (changed["title"], changed["due_date"]) == ("Call", task["due_date"])
    assert ann.patch(path, json={}).json() == changed


@pytest.mark.parametrize("field", ["title", "completed", "priority"])
def test_patch_cannot_clear_what_must_be_there(ann: TestClient, field: str) -> None:
    """Null for a field that is never empty is refused, by name."""
    task = make(ann, "Call")
    response = ann.patch(f"/api/tasks/{task['public_id']}", json={field: None})
    assert response.status_code == 422
    assert response.json()["detail"][0]["loc"][:2] == ["body", field]


def test_complete_and_reopen(ann: TestClient) -> None:
    """A task is completed and opened again; each is safe to repeat."""
    path = f"/api/tasks/{make(ann, 'Run')['public_id']}"
    assert ann.post(f"{path}/complete").json()["completed"] is True
    assert ann.post(f"{path}/complete").json()["completed"] is True
    assert ann.post(f"{path}/reopen").json()["completed"] is False


def test_delete_restore_purge(ann: TestClient) -> None:
    """A deleted task is out of sight, in the bin, and back or gone for good."""
    path = f"/api/tasks/{make(ann, 'Old')['public_id']}"
    assert ann.delete(path).status_code == 204
    assert ann.get(path).status_code == ann.delete(path).status_code == 404
    assert titles(ann.get("/api/bin")) == ["Old"]
    assert ann.post(f"{path}/restore").json()["title"] == "Old"
    assert ann.get(path).status_code == 200
    ann.delete(path)
    assert ann.delete("/api/bin").json() == {"count": 1}
    assert ann.post(f"{path}/restore").status_code == 404


def test_filters_and_sorts(ann: TestClient) -> None:
    """Each filter narrows alone and together with others; each sort orders."""
    home = ann.post("/api/lists", json={"name": "Home"}).json()["public_id"]
    make(ann, "a", priority="high", due_date="2030-03-01T00:00:00Z")
    make(ann, "b", list_public_id=home)
    make(ann, "c", priority="high", list_public_id=home, due_date="2030-02-01T00:00:00Z")
    done = make(ann, "d")
    ann.post(f"/api/tasks/{done['public_id']}/complete")

    def listed(**query: Any) -> list[str]:
        return titles(ann.get("/api/tasks", params=query))

    assert listed() == ["d", "c", "b", "a"]
    assert listed(sort="oldest") == ["a", "b", "c", "d"]
    assert listed(sort="due")[:2] == ["c", "a"]
    assert listed(completed=True) == ["d"]
    assert listed(completed=False) == ["c", "b", "a"]
    assert listed(priority="high") == ["c", "a"]
    assert listed(list_public_id=home) == ["c", "b"]
    assert listed(list_public_id=home, priority="high") == ["c"]
    assert listed(due_before="2030-02-15T00:00:00Z") == ["c"]
    assert listed(list_public_id=str(uuid4())) == []


def test_tags_of_a_task(ann: TestClient) -> None:
    """Tags are set by name, put on and taken off by id, and narrow a list."""
    task = make(ann, "Fix")
    path = f"/api/tasks/{task['public_id']}/tags"
    named = ann.put(path, json={"names": ["work", "urgent"]}).json()
    assert [tag["name"] for tag in named] == ["urgent", "work"]
    urgent = named[0]["public_id"]
    assert titles(ann.get("/api/tasks", params={"tag_public_id": urgent})) == ["Fix"]
    assert ann.delete(f"{path}/{urgent}").status_code == 204
    assert [tag["name"] for tag in ann.get(path).json()] == ["work"]
    assert ann.put(f"{path}/{urgent}").status_code == 204
    assert ann.put(path, json={"names": []}).json() == []
    assert titles(ann.get("/api/tasks", params={"tag_public_id": urgent})) == []


def test_keyset_pages(ann: TestClient) -> None:
    """Every task is met once on the way forward, and the way back leads to the start."""
    for number in range(7):
        make(ann, f"t{number}", due_date=f"2030-01-0{number % 3 + 1}T00:00:00Z")
    for sort in ("newest", "oldest", "due"):
        seen: list[str] = []
        query: dict[str, Any] = {"sort": sort, "limit": 3}
        pages = []
        while True:
            body = ann.get("/api/tasks", params=query).json()
            pages.append([task["title"] for task in body["items"]])
            seen += pages[-1]
            if body["next"] is None:
                break
            query["cursor"] = body["next"]
        assert sorted(seen) == [f"t{number}" for number in range(7)]
        assert [len(page) for page in pages] == [3, 3, 1]
        query["cursor"] = body["previous"]
        assert titles(ann.get("/api/tasks", params=query)) == pages[1]


def test_a_cursor_belongs_to_its_list(ann: TestClient) -> None:
    """A cursor of another sort, or no cursor at all, is refused by name."""
    make(ann, "a")
    make(ann, "b")
    cursor = ann.get("/api/tasks", params={"limit": 1}).json()["next"]
    for query in ({"cursor": cursor, "sort": "due"}, {"cursor": "nonsense"}):
        response = ann.get("/api/tasks", params=query)
        assert response.status_code == 422
        assert response.json()["detail"][0]["loc"] == ["query", "cursor"]


def test_numbered_pages(ann: TestClient) -> None:
    """Pages have a number, and there are as many as the total says."""
    for number in range(5):
        make(ann, f"t{number}")
    body = ann.get("/api/tasks/pages/2", params={"page_size": 2}).json()
    assert [task["title"] for task in body["items"]] == ["t2", "t1"]
    assert (body["page"], body["page_size"], body["total"], body["total_pages"]) == (2, 2, 5, 3)
    assert ann.get("/api/tasks/pages/9").json()["items"] == []
    assert ann.get("/api/tasks/pages/1", params={"completed": True}).json()["total_pages"] == 0


def test_search(ann: TestClient) -> None:
    """Search looks into title and description, whatever the case, and takes % as it is."""
    make(ann, "Buy MILK")
    make(ann, "Shop", description="oat milk, 3%")
    make(ann, "Sleep")
    assert titles(ann.get("/api/search", params={"query": "milk"})) == ["Shop", "Buy MILK"]
    assert titles(ann.get("/api/search", params={"query": "%"})) == ["Shop"]


def test_history(ann: TestClient) -> None:
    """What happened to a task is told, latest first, also after it was purged."""
    path = f"/api/tasks/{make(ann, 'Draft')['public_id']}"
    ann.patch(path, json={"title": "Final"})
    ann.delete(path)
    ann.delete("/api/bin")
    history = ann.get(f"{path}/history").json()
    assert [entry["operation"] for entry in history] == ["delete", "update", "update", "insert"]
    assert all(entry["actor_id"] == "ann" for entry in history)
    assert len(ann.get("/api/history", params={"table_name": "tasks"}).json()) == 4


def test_lists_and_tags(ann: TestClient) -> None:
    """Lists and tags are made, read, renamed and deleted; the tasks of a list stay."""
    for thing in ("lists", "tags"):
        made = ann.post(f"/api/{thing}", json={"name": "One"})
        assert made.status_code == 201
        path = f"/api/{thing}/{made.json()['public_id']}"
        assert ann.get(path).json() == made.json()
        assert ann.patch(path, json={"name": "Two"}).json()["name"] == "Two"
        assert [each["name"] for each in ann.get(f"/api/{thing}").json()] == ["Two"]
        if thing == "lists":
            task = make(ann, "Stay", list_public_id=made.json()["public_id"])
        assert ann.delete(path).status_code == 204
        assert ann.get(path).status_code == 404
    assert ann.get(f"/api/tasks/{task['public_id']}").json()["list_public_id"] is None


def test_me(ann: TestClient) -> None:
    """The signed-in user's own profile, and nothing secret."""
    assert ann.get("/api/me").json() == {"id": "ann", "name": "ann", "image": None}
