"""What a client is told when something is wrong: a status, a field, and nothing of the inside."""

from __future__ import annotations

import json
import re
import socket
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from fastapi.testclient import TestClient
from people import SECRET, Person, Urls, settings

from todo_backend.app import create_app
from todo_backend.cookies import cookie_name, signed

INSIDE = re.compile(
    r"select |insert |update |postgres|psycopg|Traceback|127\.0\.0\.1|todo_app", re.IGNORECASE
)


def problem(response: Any, status: int) -> Any:
    """Check the status, that nothing of the inside is told, and return the detail."""
    assert response.status_code == status, response.text
    assert not INSIDE.search(response.text), response.text
    return response.json()["detail"]


def field(response: Any) -> list[Any]:
    """Return the field that a 422 names first."""
    location: list[Any] = problem(response, 422)[0]["loc"]
    return location


def test_401_without_a_good_cookie(client: TestClient, sign_in: Person) -> None:
    """No cookie, a forged one, an unknown or an expired session: sign in first."""
    name = cookie_name("")
    problem(client.get("/api/tasks"), 401)
    for cookie in ("x.y", signed("unknown", SECRET), signed("unknown", "another secret")):
        problem(client.get("/api/tasks", headers={"Cookie": f"{name}={cookie}"}), 401)
    response = sign_in("ann", expires="-1 second").get("/api/tasks")
    assert problem(response, 401) == "sign in first"


def test_401_comes_before_anything_about_the_body(client: TestClient) -> None:
    """Who is not signed in learns nothing of the API's rules."""
    problem(client.post("/api/tasks", json={"title": ""}), 401)


def test_403_for_another_sites_page(ann: TestClient) -> None:
    """A change that a foreign page sends with the cookie is refused, a read is not."""
    foreign = {"Origin": "https://evil.example"}
    problem(ann.post("/api/tasks", json={"title": "x"}, headers=foreign), 403)
    assert ann.get("/api/tasks", headers=foreign).status_code == 200
    ours = {"Origin": "http://localhost:3000"}
    assert ann.post("/api/tasks", json={"title": "x"}, headers=ours).status_code == 201


def test_404_for_nobodys_and_anothers(ann: TestClient, bob: TestClient) -> None:
    """Another user's task answers exactly like one that was never there."""
    theirs = bob.post("/api/tasks", json={"title": "private"}).json()["public_id"]
    answers = [ann.get(f"/api/tasks/{public_id}") for public_id in (theirs, uuid4())]
    assert problem(answers[0], 404) == problem(answers[1], 404) == "not found"
    assert dict(answers[0].headers) == dict(answers[1].headers)


def test_409_for_a_name_that_is_taken(ann: TestClient) -> None:
    """A second list of one name, whatever its case, is a conflict; so is a rename to it."""
    for thing in ("lists", "tags"):
        ann.post(f"/api/{thing}", json={"name": "Home"})
        assert "name" in problem(ann.post(f"/api/{thing}", json={"name": "HOME"}), 409)
        other = ann.post(f"/api/{thing}", json={"name": "Other"}).json()["public_id"]
        assert "name" in problem(ann.patch(f"/api/{thing}/{other}", json={"name": "home"}), 409)


WRONG: list[tuple[dict[str, Any], str]] = [
    ({}, "title"),
    ({"title": ""}, "title"),
    ({"title": "x" * 201}, "title"),
    ({"title": None}, "title"),
    ({"title": 5}, "title"),
    ({"title": "nul \0"}, "title"),
    ({"title": "lone \ud800"}, "title"),
    ({"title": "x", "description": "x" * 1001}, "description"),
    ({"title": "x", "priority": "urgent"}, "priority"),
    ({"title": "x", "due_date": "tomorrow"}, "due_date"),
    ({"title": "x", "due_date": "2030-01-01T00:00:00"}, "due_date"),
    ({"title": "x", "public_id": "1"}, "public_id"),
    ({"title": "x", "list_public_id": str(uuid4())}, "list_public_id"),
    ({"title": "x", "user_id": "bob"}, "user_id"),
]


def test_422_names_the_field(ann: TestClient) -> None:
    """Each value that cannot be stored is refused by the name of its field."""
    json_type = {"Content-Type": "application/json"}
    for body, name in WRONG:
        response = ann.post("/api/tasks", content=json.dumps(body), headers=json_type)
        assert field(response)[:2] == ["body", name], body
    assert ann.get("/api/tasks").json()["items"] == []


def test_422_for_anothers_list(ann: TestClient, bob: TestClient) -> None:
    """Another user's list answers exactly like one that was never there."""
    theirs = bob.post("/api/lists", json={"name": "Private"}).json()["public_id"]
    mine = ann.post("/api/tasks", json={"title": "x"}).json()["public_id"]
    answers = [
        ann.patch(f"/api/tasks/{mine}", json={"list_public_id": str(public_id)})
        for public_id in (theirs, uuid4())
    ]
    assert field(answers[0]) == ["body", "list_public_id"]
    assert answers[0].json() == answers[1].json()


def test_422_for_a_path_and_a_query(ann: TestClient) -> None:
    """Ids and query parameters are named as well."""
    assert field(ann.get("/api/tasks/1")) == ["path", "public_id"]
    assert field(ann.get("/api/tasks?limit=0")) == ["query", "limit"]
    assert field(ann.get("/api/search?query=%00")) == ["query", "query"]
    assert field(ann.get("/api/tasks?sort=random")) == ["query", "sort"]
    assert field(ann.get("/api/tasks?complete=true")) == ["query", "complete"]


@pytest.fixture
def away() -> Iterator[TestClient]:
    """A client of an application whose database cannot be reached."""
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        url = f"postgresql://backend@127.0.0.1:{nobody.getsockname()[1]}/todo"
    app = create_app(settings(url, timeout=1.0))
    with TestClient(app, raise_server_exceptions=False) as client:
        client.headers["Cookie"] = f"{cookie_name('')}={signed('any', SECRET)}"
        yield client


def test_503_while_the_database_is_away(away: TestClient) -> None:
    """The process lives, is not ready, and tells when to come again."""
    assert away.get("/health").json() == {"status": "ok"}
    for path in ("/ready", "/api/tasks"):
        response = away.get(path)
        problem(response, 503)
        assert int(response.headers["Retry-After"]) > 0


def test_503_when_a_statement_takes_too_long(urls: Urls, sign_in: Person) -> None:
    """A row that somebody else has locked costs a bounded wait."""
    app = create_app(settings(urls.app, timeout=0.5))
    ann = sign_in("ann")
    path = f"/api/tasks/{ann.post('/api/tasks', json={'title': 'x'}).json()['public_id']}"
    with TestClient(app) as impatient, psycopg.connect(urls.owner) as other:
        other.execute("select 1 from tasks for update")
        problem(impatient.post(f"{path}/complete", headers=dict(ann.headers)), 503)


def test_500_tells_nothing(urls: Urls, ann: TestClient) -> None:
    """A schema that went out from under the application is our fault, and logged."""
    with psycopg.connect(urls.owner, autocommit=True) as owner:
        owner.execute("alter table tasks rename column title to name")
    assert problem(ann.get("/api/tasks"), 500) == "something went wrong here"
