"""Nothing that is one user's is kept by a proxy or a browser: answers and errors alike."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from people import Urls, settings

from todo_backend.app import create_app


def check(response: Any) -> None:
    """Check the headers that every answer of the API has."""
    where = (response.request.method, response.request.url, response.status_code)
    assert response.headers["Cache-Control"] == "no-store", where
    assert response.headers["X-Content-Type-Options"] == "nosniff", where
    assert "frame-ancestors 'none'" in response.headers["Content-Security-Policy"], where
    assert not [name for name in response.headers if name.startswith("access-control-")], where


def test_every_operation(app: FastAPI, client: TestClient, ann: TestClient) -> None:
    """Signed in or not, with a good body or a bad one, by a method that is known or not."""
    seen = set()
    for path, operations in app.openapi()["paths"].items():
        if not path.startswith("/api/"):
            continue
        url = path.replace("{page}", "1")
        for name in ("{public_id}", "{tag_public_id}"):
            url = url.replace(name, str(uuid4()))
        for method in [*operations, "trace", "options"]:
            for who in (client, ann):
                for body in (None, {"title": "x"}, {"name": "x"}, {"names": ["x"]}):
                    response = who.request(method, url, json=body)
                    check(response)
                    seen.add(response.status_code)
    assert {200, 201, 401, 404, 405, 422} <= seen


def test_every_error(urls: Urls, ann: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also those that are answered before a route or in its place."""
    ann.post("/api/lists", json={"name": "Home"})
    foreign = {"Origin": "https://evil.example"}
    answers = [
        ann.get("/api/nowhere"),
        ann.post("/api/lists", json={"name": "Home"}),
        ann.post("/api/lists", json={"name": "x"}, headers=foreign),
        ann.post("/api/tasks", content=b"x" * 100_000),
        ann.post("/api/tasks", content=b"{", headers={"Content-Type": "application/json"}),
    ]

    def broken(*values: object) -> None:
        raise ZeroDivisionError("a fault of ours, and its secret")

    monkeypatch.setattr("todo_sql.todo.tasks.page_tasks", broken)
    answers.append(ann.get("/api/tasks"))
    assert [answer.status_code for answer in answers] == [404, 409, 403, 413, 422, 500]
    assert "secret" not in answers[-1].text
    for answer in answers:
        check(answer)
    with TestClient(create_app(settings(urls.app, address_rate=1))) as client:
        client.get("/health")
        check(client.get("/api/tasks"))


def test_no_other_site_may_read(ann: TestClient) -> None:
    """No answer allows another origin, least of all with the user's cookie."""
    for origin in ("https://evil.example", "null", "http://localhost:3000.evil.example"):
        asked = {"Origin": origin, "Access-Control-Request-Method": "POST"}
        for response in (
            ann.options("/api/tasks", headers=asked),
            ann.get("/api/me", headers=asked),
        ):
            check(response)
        assert ann.post("/api/tasks", json={"title": "x"}, headers=asked).status_code == 403
