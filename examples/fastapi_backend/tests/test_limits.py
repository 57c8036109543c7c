"""How large, how often, how slow: refused before it costs anything, on real sockets."""

from __future__ import annotations

import socket
import tracemalloc
from contextlib import suppress
from io import BytesIO
from typing import Any
from urllib.parse import urlsplit

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from live import send, serve
from people import Person, Urls, browser, settings
from starlette.exceptions import HTTPException

from todo_backend import csv_tasks, rates
from todo_backend.app import create_app
from todo_backend.door import MAX_BODIES, MAX_BODY, Door, network
from todo_backend.rates import Rate

MB = 1_000_000


@pytest.mark.parametrize("chunked", [False, True], ids=["length", "chunked"])
@pytest.mark.parametrize("signed_in", [False, True], ids=["nobody", "ann"])
def test_a_body_that_is_too_large_is_not_read(
    app: FastAPI, ann: TestClient, signed_in: bool, chunked: bool
) -> None:
    """Whatever the route, the form and the user: refused, and the connection is closed."""
    headers = {"Content-Type": "application/json"}
    if signed_in:
        headers["Cookie"] = ann.headers["Cookie"]
    with serve(app) as url:
        for method, path in (
            ("POST", "/api/tasks"),
            ("POST", "/api/imports"),
            ("GET", "/api/tasks"),
            ("DELETE", "/api/bin"),
            ("POST", "/health"),
            ("PUT", "/nowhere"),
        ):
            status, answered, sent = send(url, method, path, 150 * MB, headers, chunked=chunked)
            expected = {413}
            if chunked:  # nobody knows its size: a route that reads no body answers as ever
                expected |= {401, 404, 405} | ({200} if signed_in else set())
            assert status in expected, (method, path)
            assert answered["Connection"] == "close", (method, path)
            most = MAX_BODIES.get((method, path), MAX_BODY) if signed_in else MAX_BODY
            assert sent < most + 16 * MB, (method, path)  # the sockets of both sides hold some
        assert ann.get("/api/tasks").json()["items"] == []
        assert send(url, "GET", "/health", 0, {}, chunked=False)[0] == 200


@pytest.mark.parametrize("chunked", [False, True], ids=["length", "chunked"])
def test_the_limit_is_exact(app: FastAPI, ann: TestClient, chunked: bool) -> None:
    """The last byte that fits is read, the next one is not."""
    headers = {"Content-Type": "application/json", "Cookie": ann.headers["Cookie"]}
    with serve(app) as url:
        for size, expected in ((MAX_BODY, 422), (MAX_BODY + 1, 413)):
            status, _, _ = send(url, "POST", "/api/tasks", size, headers, chunked=chunked)
            assert status == expected, size


def test_a_body_that_does_not_come_is_not_waited_for(app: FastAPI, ann: TestClient) -> None:
    """Who sends a part and then nothing is answered 408, and gone."""
    with serve(Door(app, Rate(0), patience=0.3)) as url:
        address = urlsplit(url)
        with socket.create_connection((address.hostname, address.port), timeout=30) as slow:
            slow.sendall(
                b"POST /api/tasks HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
                b"Content-Length: 100\r\n\r\n{"
            )
            answer = slow.makefile("rb").read()
    assert answer.startswith(b"HTTP/1.1 408 ") and b"takes too long" in answer


def test_headers_that_are_too_large_are_refused(app: FastAPI) -> None:
    """uvicorn's own limit holds, and the process lives on."""
    with serve(app) as url:
        address = urlsplit(url)
        with socket.create_connection((address.hostname, address.port), timeout=30) as greedy:
            with suppress(BrokenPipeError, ConnectionResetError):
                greedy.sendall(b"GET /health HTTP/1.1\r\nHost: x\r\nX: " + b"x" * MB)
            with suppress(ConnectionResetError):
                assert greedy.recv(12) in (b"HTTP/1.1 400", b"HTTP/1.1 431")
        assert send(url, "GET", "/health", 0, {}, chunked=False)[0] == 200


@pytest.mark.parametrize(
    "body",
    [b"[" * 60_000, b'{"title":' * 7000, b'{"title": ' + b"9" * 60_000 + b"}", b"\xff" * 99],
    ids=["lists", "objects", "digits", "bytes"],
)
def test_json_that_is_a_trap_is_refused(ann: TestClient, body: bytes) -> None:
    """Depth and length that Python's parser refuses are the client's fault, not ours."""
    headers = {"Content-Type": "application/json"}
    assert ann.post("/api/tasks", content=body, headers=headers).status_code in (400, 422)


# Files that would need much memory or time before any row of them is refused.
TRAPS = {
    "a line without an end": b"title\n" + b"x" * 2 * MB,
    "a cell without an end": b'title\n"' + b"x\n" * MB,
    "a row of a million cells": b"title\n" + b'"\n",' * 500_000,
    "a header of a million cells": b"title," * 500_000,
}


@pytest.mark.parametrize("name", TRAPS)
def test_a_file_that_is_a_trap_is_refused(name: str) -> None:
    """One row has so many characters and no more."""
    with pytest.raises(csv_tasks.BadFile, match="row of over"):
        list(csv_tasks.read(BytesIO(TRAPS[name])))


@pytest.mark.parametrize("row", [b"x\n", b"\n"], ids=["short", "blank"])
def test_a_file_has_so_many_rows_and_no_more(
    ann: TestClient, monkeypatch: pytest.MonkeyPatch, row: bytes
) -> None:
    """Blank ones count, too; the line is named, and no row of the file is kept."""
    monkeypatch.setattr(csv_tasks, "MAX_ROWS", 5000)
    csv = {"Content-Type": "text/csv"}
    response = ann.post("/api/imports", content=b"title\n" + row * 5001, headers=csv)
    assert response.status_code == 422, response.text
    assert response.json()["detail"][0]["loc"] == ["body", 5002]
    assert ann.get("/api/tasks").json()["items"] == []
    assert ann.post("/api/imports", content=b"title\n" + row * 5000, headers=csv).is_success


def test_memory_does_not_grow_with_the_file() -> None:
    """Twice the rows, the same peak."""

    def peak(rows: int) -> int:
        file = BytesIO(b"title,description\n" + b"a task,what is to be done\n" * rows)
        tracemalloc.start()
        try:
            assert sum(map(len, csv_tasks.read(file, at_once=200))) == rows
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    peak(100)  # what is made once
    assert peak(2_000) < 1.2 * peak(1_000)


def refused_after(rate: Rate, key: str) -> int:
    """Return how many requests pass before the first that does not."""
    for number in range(1000):
        try:
            rate.spend(key)
        except HTTPException as error:
            assert error.status_code == 429
            assert error.headers and int(error.headers["Retry-After"]) > 0
            return number
    raise AssertionError("nothing is refused")


def test_a_bucket_refills_evenly() -> None:
    """A burst as saved up, then one for each part of a minute; others are not touched."""
    now = [0.0]
    rate = Rate(6, clock=lambda: now[0])
    assert refused_after(rate, "ann") == 6
    assert refused_after(rate, "bob") == 6
    now[0] = 10.0
    assert refused_after(rate, "ann") == 1
    now[0] = 10_000.0
    assert refused_after(rate, "ann") == 6


def test_the_table_of_buckets_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Any number of addresses needs the memory of so many."""
    monkeypatch.setattr(rates, "MOST_KEYS", 100)
    rate = Rate(1, clock=lambda: 0.0)
    for number in range(1000):
        rate.spend(str(number))
    assert len(rate._buckets) == 100
    assert refused_after(rate, "999") == 0


@pytest.mark.parametrize(
    ("client", "key"),
    [
        (("192.0.2.1", 1), "192.0.2.1"),
        (("::ffff:192.0.2.1", 1), "192.0.2.1"),
        (("2001:db8::1", 1), "20010db800000000"),
        (("2001:db8::ffff:1", 1), "20010db800000000"),
        (("testclient", 1), "testclient"),
        (None, None),
    ],
)
def test_what_counts_as_one_address(client: Any, key: str | None) -> None:
    """A household with IPv6 has one bucket, not 2^64."""
    assert network({"type": "http", "client": client}) == key


def test_an_address_that_asks_too_often(urls: Urls) -> None:
    """It is told when to come again, before anything else of the request is looked at."""
    with TestClient(create_app(settings(urls.app, address_rate=3))) as client:
        statuses = [client.get(path).status_code for path in ("/health", "/api/me", "/nowhere")]
        assert statuses == [200, 401, 404]
        response = client.post("/api/tasks", content=b"x" * 99_999)
        assert response.status_code == 429
        assert int(response.headers["Retry-After"]) > 0
        assert response.json() == {"detail": "too many requests"}


def test_users_who_ask_too_often(urls: Urls, sign_in: Person) -> None:
    """Each has a rate of their own, and a lower one for files."""
    people = [sign_in(name).headers["Cookie"] for name in ("ann", "bob")]
    app = create_app(settings(urls.app, user_rate=5, import_rate=2))
    with TestClient(app) as running:
        for cookie in people:
            client = browser(app, running)
            client.headers["Cookie"] = cookie
            files = [client.post("/api/imports", content="title\nx").status_code for _ in range(3)]
            assert files == [200, 200, 429]
            reads = [client.get("/api/tasks").status_code for _ in range(3)]
            assert reads == [200, 200, 429]
