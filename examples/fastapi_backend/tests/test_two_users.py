"""Two users, signed up through the real Better Auth: each sees their own rows and no others."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import httpx2
import psycopg
import pytest
from better_auth import FOLDER, better_auth, environment, install, sign_in, sign_out, sign_up
from fastapi import FastAPI
from fastapi.testclient import TestClient
from live import send
from people import SECRET, Urls, browser, settings
from todo_sql.testing import TestServer

from todo_backend.app import create_app

ANNS = "only for ann"


@dataclass(frozen=True)
class Site:
    """The backend and the sign-in service on one database."""

    app: FastAPI
    running: TestClient
    auth: str

    def client(self, cookies: dict[str, str] | None = None) -> TestClient:
        """Return a browser with these cookies."""
        return browser(self.app, self.running, cookies)


@pytest.fixture(scope="module")
def urls(
    todo_sql_server: TestServer, todo_sql_template: str, logins: dict[str, str]
) -> Iterator[Urls]:
    """One database for all these tests, which sign up different people."""
    with todo_sql_server.database(todo_sql_template) as name:
        yield Urls.of(todo_sql_server.url(name), logins)


@pytest.fixture(scope="module")
def site(urls: Urls) -> Iterator[Site]:
    """Both services, each with a login of its own."""
    with better_auth(urls.auth, SECRET) as auth:
        app = create_app(settings(urls.app, auth_url=auth))
        with TestClient(app) as running:
            yield Site(app, running, auth)


def test_better_auth_finds_nothing_to_do(urls: Urls) -> None:
    """Its own migration finder, as the login that it runs with, would change nothing."""
    install()
    found = subprocess.run(
        ["node", "check.mjs"],
        cwd=FOLDER,
        env=environment(urls.auth, SECRET, "http://127.0.0.1:3000"),
        capture_output=True,
        text=True,
        check=False,
    )
    assert found.returncode == 0, found.stderr
    assert found.stdout == "nothing to do\n"


def test_each_service_has_a_role_of_its_own(urls: Urls) -> None:
    """The sign-in service cannot read a task, the backend cannot read a session or password."""
    for url, tables in ((urls.auth, ("tasks", "lists")), (urls.app, ("sessions", "accounts"))):
        for table in tables:
            with (
                psycopg.connect(url) as connection,
                pytest.raises(psycopg.errors.InsufficientPrivilege),
            ):
                connection.execute(f"select 1 from {table}")


def test_signing_in_and_out(site: Site) -> None:
    """A cookie of Better Auth opens the API until its user signs out."""
    sign_up(site.auth, "cleo")
    cookies = sign_in(site.auth, "cleo")
    cleo = site.client(cookies)
    assert cleo.get("/api/me").json()["name"] == "cleo"
    sign_out(site.auth, cookies)
    assert cleo.get("/api/me").status_code == 401


def test_one_users_signature_does_not_open_anothers_session(site: Site) -> None:
    """A token with another token's signature is nobody's cookie."""
    dora, eve = (sign_up(site.auth, name) for name in ("dora", "eve"))
    (name,) = dora.keys()
    mixed = f"{dora[name].split('.')[0]}.{eve[name].split('.')[1]}"
    assert site.client({name: mixed}).get("/api/me").status_code == 401


def everything_of(url: str, user: str) -> list[Any]:
    """Return every row of a user in every table, as the owner sees it."""
    with psycopg.connect(url) as owner:
        return [
            owner.execute(
                f"select * from {table} where user_id = %s order by 2, 3", (user,)
            ).fetchall()
            for table in ("tasks", "lists", "tags", "task_tags")
        ]


def test_each_user_is_alone_over_every_endpoint(site: Site, urls: Urls) -> None:
    """Bob knows each of Ann's ids and tries them in every operation of the API."""
    ann, bob = (site.client(sign_up(site.auth, name)) for name in ("ann", "bob"))
    for client, words in ((ann, ANNS), (bob, "bob's")):
        list_id = client.post("/api/lists", json={"name": words}).json()["public_id"]
        task = client.post("/api/tasks", json={"title": words, "list_public_id": list_id}).json()
        path = f"/api/tasks/{task['public_id']}"
        tag_id = client.put(f"{path}/tags", json={"names": [words]}).json()[0]["public_id"]
        deleted = client.post("/api/tasks", json={"title": words}).json()["public_id"]
        client.delete(f"/api/tasks/{deleted}")
        if client is ann:
            ids = {"tasks": [task["public_id"], deleted], "lists": [list_id], "tags": [tag_id]}
            ann_id = ann.get("/api/me").json()["id"]
    guesses = [public_id for group in ids.values() for public_id in group]
    before = everything_of(urls.owner, ann_id)

    bodies: list[dict[str, Any]] = [
        {},
        {"title": "taken", "names": ["taken"], "name": "taken"},
        *({"title": "x", "list_public_id": guess} for guess in guesses),
        *({"list_public_id": guess} for guess in guesses),
        {"user_id": ann_id, "title": "x", "name": "x", "names": []},
    ]
    tried = 0
    for path, operations in site.app.openapi()["paths"].items():
        for method in operations:
            for guess in guesses:
                for body in bodies if method in ("post", "put", "patch") else bodies[:1]:
                    target = path.replace("{public_id}", guess).replace("{page}", "1")
                    for other in ids["tags"] if "{tag_public_id}" in target else [""]:
                        url = target.replace("{tag_public_id}", other)
                        query = {"query": "ann", "list_public_id": guess, "tag_public_id": guess}
                        response = bob.request(
                            method,
                            url,
                            params=query
                            if path.startswith("/api/tasks") and "{p" not in path
                            else None,
                            json=body or None,
                        )
                        tried += 1
                        assert response.status_code < 500, (method, url, response.text)
                        assert ANNS not in response.text, (method, url, response.text)
                        if "{public_id}" in path and method != "delete":
                            empty = response.status_code == 200 and response.json() == []
                            assert response.status_code in (404, 422) or empty, (method, url)
    assert tried > 200
    assert everything_of(urls.owner, ann_id) == before
    mine = bob.post("/api/tasks", json={"title": "bob's", "public_id": guesses[0]})
    assert mine.json()["title"] == "bob's"  # an id of one's own that another has, too, is no clash
    assert everything_of(urls.owner, ann_id) == before
    anybody = site.client()
    for path, operations in site.app.openapi()["paths"].items():
        if path.startswith("/api/"):
            for method in operations:
                assert anybody.request(method, path).status_code == 401, (method, path)


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_the_cookies_of_better_auth(urls: Urls, scheme: str) -> None:
    """No script reads them, no other site sends them along, and over TLS they stay there."""
    with better_auth(urls.auth, SECRET, scheme) as url:
        body = {"name": "flo", "email": f"flo@{scheme}.example", "password": "correct horse"}
        response = httpx2.post(
            f"{url}/api/auth/sign-up/email",
            json=body,
            headers={"Origin": url.replace("http", scheme, 1)},
        )
        assert response.is_success, response.text
        assert response.headers["Cache-Control"] == "no-store"
        cookies = response.headers.get_list("Set-Cookie")
        assert cookies
        for cookie in cookies:
            assert "; HttpOnly" in cookie and "; SameSite=Lax" in cookie and "Domain" not in cookie
            assert ("; Secure" in cookie) == (scheme == "https")
            assert cookie.startswith("__Secure-") == (scheme == "https")


@pytest.mark.parametrize("chunked", [False, True], ids=["length", "chunked"])
def test_the_sign_in_service_reads_no_large_body(site: Site, chunked: bool) -> None:
    """It needs no cookie to be asked, so it is asked by anybody."""
    headers = {"Content-Type": "application/json", "Origin": site.auth}
    path = "/api/auth/sign-in/email"
    status, answered, sent = send(site.auth, "POST", path, 150_000_000, headers, chunked=chunked)
    assert (status, answered["Connection"]) == (413, "close")
    assert answered["Cache-Control"] == "no-store"
    assert sent < 16_000_000
    assert httpx2.get(f"{site.auth}/api/auth/ok").is_success
