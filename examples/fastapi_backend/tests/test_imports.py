"""Bulk import of a CSV file."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

from fastapi.testclient import TestClient


def send(client: TestClient, file: str | bytes) -> Any:
    """Send a file."""
    return client.post("/api/imports", content=file, headers={"Content-Type": "text/csv"})


def titles(client: TestClient) -> list[str]:
    """Return the titles of the tasks, oldest first."""
    return [task["title"] for task in client.get("/api/tasks?sort=oldest").json()["items"]]


def test_a_file_is_imported(ann: TestClient, bob: TestClient) -> None:
    """Every column arrives, empty cells take their defaults, quotes and line ends hold."""
    file = (
        "\ufefftitle,description,completed,priority,due_date,created_at\r\n"
        'Ship,"two, ""three""\r\nlines",true,high,2030-01-01T00:00:00Z,2020-01-01T00:00:00Z\r\n'
        "Rest,,,,,2021-01-01T00:00:00Z\r\n"
    )
    response = send(ann, file)
    assert (response.status_code, response.json()) == (200, {"count": 2})
    ship, rest = ann.get("/api/tasks?sort=oldest").json()["items"]
    assert ship["description"] == 'two, "three"\r\nlines'
    assert (ship["completed"], ship["priority"]) == (True, "high")
    assert ship["created_at"].startswith("2020-01-01")
    assert (rest["description"], rest["completed"], rest["priority"]) == (None, False, "medium")
    assert titles(bob) == []


def test_a_file_with_ids_is_safe_to_import_twice(ann: TestClient) -> None:
    """The second time nothing is new."""
    file = "public_id,title\n" + "".join(f"{uuid4()},t{number}\n" for number in range(3))
    assert [send(ann, file).json()["count"] for _ in range(2)] == [3, 0]
    assert len(titles(ann)) == 3


def test_a_large_file(ann: TestClient) -> None:
    """Thousands of rows are one COPY."""
    file = "title,priority\n" + "".join(f"task {number},low\n" for number in range(5000))
    assert send(ann, file).json() == {"count": 5000}
    assert ann.get("/api/tasks/pages/1").json()["total"] == 5000


# Each with the column that is named, and part of the reason.
BAD: list[tuple[bytes, list[str], str]] = [
    (b"", ["title"], "missing"),
    (b"priority\nlow\n", ["title"], "missing"),
    (b"title,color\nx,red\n", ["color"], "not one of"),
    (b"title,title\nx,y\n", ["title"], "each once"),
    (b"title,user_id\nx,bob\n", ["user_id"], "not one of"),
    (b"title\nfine\n" + b"x" * 201 + b"\n", ["title"], "at most 200"),
    (b"title,priority\nx,urgent\n", ["priority"], "'low', 'medium' or 'high'"),
    (b"title,due_date\nx,tomorrow\n", ["due_date"], "valid datetime"),
    (b"title,priority\nx\n", [], "cells"),
    (b"title,priority\nx,low,more\n", [], "cells"),
    (b'title\n"x\n', [], "no CSV"),
    (b"title\nok\n\xff\n", [], "UTF-8"),
    (b"title\nnul\x00\n", ["title"], ""),
]


def test_a_bad_file_is_refused_whole(ann: TestClient) -> None:
    """The line and the column are named, and no row of the file is kept."""
    for file, where, reason in BAD:
        response = send(ann, file)
        assert response.status_code == 422, (file, response.text)
        problem = response.json()["detail"][0]
        assert problem["loc"][0] == "body", file
        assert problem["loc"][-1:] == where or not where, file
        assert reason in problem["msg"], file
    assert titles(ann) == []


def test_the_line_is_named(ann: TestClient) -> None:
    """A person finds the cell."""
    problem = send(ann, "title,priority\na,low\nb,lower\n").json()["detail"][0]
    assert problem["loc"] == ["body", 3, "priority"]


def test_a_file_that_is_too_large_is_refused(ann: TestClient) -> None:
    """Before it is read to the end."""
    assert send(ann, b"x" * 20_000_001).status_code == 413
