"""Alembic: the project's own env.py is run on a scratch database, and what it sent is taken."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from todo_sql.adoption.project_code import ProjectCode, has
from todo_sql.adoption.revisions import Asked
from todo_sql.errors import UsageError
from todo_sql.wire.url import DatabaseUrl

_DRIVERS = ("psycopg2", "psycopg", "asyncpg", "pg8000")
_ASYNC_DRIVERS = ("asyncpg", "psycopg")
_DRIVER = re.compile(r"^[^#\n]*\bpostgres(?:ql)?\+(\w+)", re.MULTILINE)
_ASYNC = re.compile(r"\b(?:async_engine_from_config|create_async_engine|AsyncEngine|run_sync)\b")
_SECTION = "[tool.alembic]"
_LOCATION = re.compile(r"^\s*script_location\s*=\s*[\"']?([^\"'\n]+)", re.MULTILINE)


def _orders(folder: Path, asked: Asked, python: str, url: str) -> dict[str, str]:
    inis = [here / "alembic.ini" for here in asked.above(folder)]
    tomls = (here / "pyproject.toml" for here in asked.above(folder))
    ini = next((path for path in inis if path.is_file()), None)
    ini = folder if folder.suffix == ".ini" else ini
    # Alembic looks there since 1.16.
    configured = (one for one in tomls if one.is_file() and _SECTION in asked.source(one).text)
    toml = next(configured, None)
    places = (folder, folder.parent)  # the folder of the versions may be named
    location = next((place for place in places if (place / "env.py").is_file()), None)
    if ini is None and toml is None and location is None:
        raise UsageError(
            f"there is neither an alembic.ini nor an env.py in {folder}",
            code="A101",
            fix="name the folder that holds one of them",
        )
    orders = {"ini": str(ini or ""), "toml": str(toml or ""), "location": str(location or "")}
    return {**orders, "url": _url(url, python, orders, asked)}


def _url(url: str, python: str, orders: Mapping[str, str], asked: Asked) -> str:
    """Return the URL as SQLAlchemy has it, for the driver that the project uses."""
    texts = list(_texts(orders, asked))
    driver = next((found[1] for text in texts if (found := _DRIVER.search(text))), None)
    if driver is None:
        known = _ASYNC_DRIVERS if any(map(_ASYNC.search, texts)) else _DRIVERS
        driver = next((name for name in known if has(python, name)), "psycopg2")
    plain = DatabaseUrl.parse(url).text.partition("?")[0]
    return re.sub(r"^postgres(?:ql)?:", f"postgresql+{driver}:", plain)


def _texts(orders: Mapping[str, str], asked: Asked) -> Iterator[str]:
    """Yield what may name the driver: the configuration, env.py, the settings in .env."""
    configured = [Path(orders[name]) for name in ("ini", "toml") if orders[name]]
    places = [Path(orders["location"])] if orders["location"] else []
    for path in configured:
        text = asked.source(path).text
        yield text
        if found := _LOCATION.search(text):
            places.append(path.parent / found[1].strip().replace("%(here)s", str(path.parent)))
    for path in (*(place / "env.py" for place in places), *sorted(asked.root.glob(".env*"))):
        if path.is_file():
            yield asked.source(path).text


# Its keys are the revisions. What a revision that read rows did to them is what an empty
# database needed; such a file says so, and is refused where it is still pending.
_CODE = ProjectCode("alembic", _orders, printed=True)
read, make = _CODE.history, _CODE.make
