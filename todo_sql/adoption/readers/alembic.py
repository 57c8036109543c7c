"""Alembic: the project's own env.py is run on a scratch database, and what it sent is taken."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from todo_sql.adoption.captured import history_of
from todo_sql.adoption.old_ledger import OldLedger
from todo_sql.adoption.project_code import has, on_scratch, python_of, run
from todo_sql.adoption.revisions import Asked, History, Sign, Tool
from todo_sql.errors import UsageError
from todo_sql.wire.url import DatabaseUrl

_PROGRAM = "alembic_run.py"
_DRIVERS = ("psycopg2", "psycopg", "asyncpg", "pg8000")
_DRIVER = re.compile(r"^\s*sqlalchemy\.url\s*=\s*postgres(?:ql)?\+(\w+):", re.MULTILINE)


def read(folder: Path, asked: Asked) -> History:
    """Run a history up, as text and down, and read what each revision sent.

    Its keys are the revisions. What a revision that read rows did to them is what an empty
    database needed; such a file says so, and is refused where it is still pending.
    """
    python = python_of(asked, "alembic")
    orders = _orders(folder, asked)
    with on_scratch(asked) as url:
        words = {**orders, "url": _url(url, python, orders, asked)}
        up = run(_PROGRAM, python, {**words, "pass": "up"}, asked, url)
        text = run(_PROGRAM, python, {**words, "pass": "offline"}, asked, url)
        down: dict[str, Any] = {"revisions": {}, "error": None}
        if up["error"] is None:
            down = run(_PROGRAM, python, {**words, "pass": "down"}, asked, url)
    return history_of(folder, asked, up=up, down=down, text=text)


def make(folder: Path, asked: Asked, url: str) -> None:
    """Make a database as Alembic does."""
    python = python_of(asked, "alembic")
    orders = _orders(folder, asked)
    words = {**orders, "url": _url(url, python, orders, asked), "pass": "up"}
    run(_PROGRAM, python, words, asked, url)


def _orders(folder: Path, asked: Asked) -> dict[str, str]:
    ini = folder if folder.suffix == ".ini" else None
    here = folder
    while ini is None and here.is_relative_to(asked.root):
        ini = here / "alembic.ini" if (here / "alembic.ini").is_file() else None
        if here == here.parent:
            break
        here = here.parent
    location = folder if (folder / "env.py").is_file() else None
    if location is None and (folder.parent / "env.py").is_file():
        location = folder.parent  # the folder of the versions was named
    if ini is None and location is None:
        raise UsageError(
            f"there is neither an alembic.ini nor an env.py in {folder}",
            code="A101",
            fix="name the folder that holds one of them",
        )
    return {"ini": str(ini or ""), "location": str(location or "")}


def _url(url: str, python: str, orders: Mapping[str, str], asked: Asked) -> str:
    """Return the URL as SQLAlchemy has it, for the driver that the project uses."""
    driver = None
    if orders["ini"]:
        named = _DRIVER.search(Path(orders["ini"]).read_text(encoding="utf-8", errors="replace"))
        driver = named[1] if named else None
    driver = driver or next((name for name in _DRIVERS if has(python, name)), None)
    plain = DatabaseUrl.parse(url).text.partition("?")[0]
    return re.sub(r"^postgres(?:ql)?:", f"postgresql+{driver or 'psycopg2'}:", plain)


TOOL = Tool(
    "alembic",
    "Alembic",
    (
        Sign("alembic.ini", None, "an alembic.ini"),
        Sign("env.py", r"\balembic\b", "an env.py of Alembic's"),
    ),
    read,
    OldLedger(
        "alembic_version",
        ("version_num",),
        "version_num, null, null, null",
        ddl="create table if not exists alembic_version (version_num varchar(32) primary key)",
        means="heads",
    ),
    make,
)
