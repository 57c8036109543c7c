"""A coordinator with Citus and its workers, where TODO_SQL_CITUS_URL names one.

The URL is a superuser's, of a database in which the workers are known (`citus_add_node`). Every
node has to let it in, and the application's roles without a password, since the coordinator
connects to the others as them; `citus.enable_unsafe_triggers` is on everywhere.
"""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote, urlsplit, urlunsplit

import psycopg
import pytest
from psycopg import sql

from todo_sql.config import load_config
from todo_sql.migrations.files.beside import load_project
from todo_sql.migrations.migrator import Migrator

VARIABLE = "TODO_SQL_CITUS_URL"
ROLES = ("todo_app", "todo_readonly", "todo_auth")
EXAMPLE = Path(__file__).parents[2] / "examples" / "citus"
SHARDS = "-c citus.shard_count=8"


def coordinator() -> str:
    """Return the URL of the coordinator; without one the test is skipped."""
    url = os.environ.get(VARIABLE)
    if not url:
        pytest.skip(f"{VARIABLE} names no coordinator with Citus")
    return url


def at(url: str, *, database: str | None = None, node: str | None = None) -> str:
    """Return a URL of another database, or on another node."""
    parts = urlsplit(url)
    login = parts.netloc.rpartition("@")[0]
    if node is not None:
        parts = parts._replace(netloc=f"{login}@{node}" if login else node)
    return urlunsplit(parts if database is None else parts._replace(path=f"/{database}"))


def workers(url: str) -> list[str]:
    """Return the workers, as host:port."""
    with psycopg.connect(url, autocommit=True) as connection:
        found = connection.execute(
            "select nodename || ':' || nodeport from pg_dist_node where groupid > 0 order by 1"
        )
        return [node for (node,) in found]


@contextmanager
def cluster_database(url: str, *, nodes: list[str] | None = None) -> Iterator[str]:
    """Make an empty database on every node, joined; yield the coordinator's URL of it.

    Args:
        url: Of the coordinator.
        nodes: The workers that take part; default: all.
    """
    parts = urlsplit(url)
    here = f"{parts.hostname}:{parts.port or 5432}"
    others = workers(url) if nodes is None else nodes
    name = f"citus_{uuid.uuid4().hex[:10]}"
    try:
        for node in (here, *others):
            with psycopg.connect(at(url, node=node), autocommit=True) as admin:
                admin.execute("set citus.enable_ddl_propagation = off")
                admin.execute(sql.SQL("create database {}").format(sql.Identifier(name)))
            with psycopg.connect(at(url, node=node, database=name), autocommit=True) as admin:
                admin.execute("create extension citus")
        with psycopg.connect(at(url, database=name), autocommit=True) as admin:
            host, _, port = here.rpartition(":")
            admin.execute("select citus_set_coordinator_host(%s, %s)", [host, int(port)])
            for node in others:
                host, _, port = node.rpartition(":")
                admin.execute("select citus_add_node(%s, %s)", [host, int(port)])
            for role in ROLES:
                found = admin.execute("select 1 from pg_roles where rolname = %s", [role])
                verb = "alter" if found.fetchone() else "create"
                admin.execute(sql.SQL(verb + " role {} login").format(sql.Identifier(role)))
        yield at(url, database=name)
    finally:
        for node in (here, *others):
            with psycopg.connect(at(url, node=node), autocommit=True) as admin:
                admin.execute("set citus.enable_ddl_propagation = off")
                drop = sql.SQL("drop database if exists {} with (force)")
                admin.execute(drop.format(sql.Identifier(name)))


def handed_over(url: str, owner: str = "todo_citus_owner") -> str:
    """Give a database to an owner that is no superuser, on every node; return its URL of it."""
    parts = urlsplit(url)
    name, here = parts.path.lstrip("/"), f"{parts.hostname}:{parts.port or 5432}"
    with psycopg.connect(url, autocommit=True) as admin:
        if not admin.execute("select 1 from pg_roles where rolname = %s", [owner]).fetchone():
            made = sql.SQL("create role {} login createrole")
            admin.execute(made.format(sql.Identifier(owner)))
    for node in (here, *workers(url)):
        with psycopg.connect(at(url, node=node), autocommit=True) as admin:
            admin.execute("set citus.enable_ddl_propagation = off")
            given = sql.SQL("alter database {} owner to {}")
            admin.execute(given.format(sql.Identifier(name), sql.Identifier(owner)))
            shards = admin.execute("select 1 from pg_roles where rolname = 'todo_shards'")
            for role in (*ROLES, *(["todo_shards"] if shards.fetchone() else [])):
                held = sql.SQL("grant {} to {} with admin option")
                admin.execute(held.format(sql.Identifier(role), sql.Identifier(owner)))
    return urlunsplit(parts._replace(netloc=f"{owner}@{here}"))


def with_options(url: str, options: str = SHARDS) -> str:
    """Return a URL whose connections have settings of their own."""
    return f"{url}{'&' if '?' in url else '?'}options={quote(options)}"


def distribute(url: str) -> None:
    """Migrate a database with `examples/citus`."""
    Migrator(with_options(url), load_project(load_config(EXAMPLE))).migrate()


def task_counts(plan: object) -> list[int]:
    """Return how many tasks each part of a plan in JSON has."""
    if isinstance(plan, list):
        return [count for part in plan for count in task_counts(part)]
    if not isinstance(plan, dict):
        return []
    own = [plan["Task Count"]] if "Task Count" in plan else []
    return own + [count for part in plan.values() for count in task_counts(part)]
