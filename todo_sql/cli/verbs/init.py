"""`todo-sql init`: a new project of one's own."""

from __future__ import annotations

import json
import keyword
import re
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from typer import Argument, Option

from todo_sql import writing
from todo_sql.cli.context import Context, environment_for
from todo_sql.errors import (
    ConfigError,
    DatabaseError,
    ExitCode,
    FindingsError,
    TodoSqlError,
    UsageError,
)
from todo_sql.paths import real_path
from todo_sql.sql.source import shown_path

if TYPE_CHECKING:
    from todo_sql.adoption.live import Live, Offered
    from todo_sql.compiler.describe import Analysis
    from todo_sql.config import Config
    from todo_sql.queries.loader import QuerySet

TEMPLATE = Path(__file__).parents[1] / "template"
_EXAMPLE = ("migrations/", "queries/", "seeds/", "tests/", ".sqlfluff")  # of notes
_SHOWN = 20


def command(
    context: Context,
    folder: Annotated[Path, Argument(metavar="DIR", help="Where; the project is named after it.")],
    from_: Annotated[
        str | None,
        Option("--from", metavar="URL", help="Begin with the schema of this live database."),
    ] = None,
    tenant: Annotated[
        str | None,
        Option(metavar="COLUMN", help="With --from: what tells tenants apart; else found out."),
    ] = None,
    queries: Annotated[
        bool,
        Option("--queries/--no-queries", help="With --from: queries for each table, or none."),
    ] = True,
    yes: Annotated[
        bool, Option("--yes", help="With --from: record the migration there without asking.")
    ] = False,
) -> ExitCode:
    """Make a new project: a migration, a query, a test, and files for make, CI and pre-commit.

    The typed package is generated from them, for which the embedded PostgreSQL is started.

    With --from the first migration makes the schema of a live database, of which no row is read,
    and each table gets queries: get, list, create, update, delete. Once both catalogs are the
    same, the migration can be recorded there as applied; nothing else is written to it.
    """
    root = real_path(folder)
    if from_ is not None:
        return _from_live(context, folder, from_, tenant=tenant, queries=queries, yes=yes)
    if tenant is not None or not queries or yes:
        raise UsageError(
            "--tenant, --no-queries and --yes go with --from",
            fix="leave them out, or name a database with `--from URL`",
        )
    files = _files(package_name(root.name))
    taken = [path for path in files if (root / path).exists()]
    if taken:
        raise UsageError(
            f"{taken[0]} exists in {folder}",
            fix="name a new folder; an existing project needs a [tool.todo-sql] section in "
            "its pyproject.toml, and nothing else",
        )
    with _all_or_nothing(root, files):
        for path, text in files.items():
            writing.write(root / path, text, root)
        written = [*files, *_generate(context, root)]
    if context.output.json:
        context.output.document({"project": str(root), "written": sorted(written)})
    else:
        for path in sorted(written):
            context.output.data(f"{folder / path}")
        context.output.message(f"next: cd {folder} && make test")
    return ExitCode.OK


def package_name(name: str) -> str:
    """Return the Python package for a project's name.

    Raises:
        UsageError: The name would hide a module that Python or the project needs.
    """
    package = re.sub(r"\W+", "_", name, flags=re.ASCII).strip("_").lower()
    taken = {"todo_sql", "tests", "migrations", "queries", *sys.stdlib_module_names}
    if (
        not name.isascii()
        or not package.isidentifier()
        or keyword.iskeyword(package)
        or package in taken
    ):
        raise UsageError(
            f"`{name}` cannot be made into the name of a Python package",
            fix="begin the folder's name with a letter, and avoid names of Python's own modules",
        )
    return package


def _files(package: str) -> dict[str, str]:
    """Return the files of the template, by their paths in the project."""
    values = {"name": package.replace("_", "-"), "package": package, "version": version("todo-sql")}
    stamp = datetime.now(UTC).strftime("%Y%m%d%H%M%S")
    files = {}
    for source in sorted(TEMPLATE.rglob("*.in")):
        path = source.relative_to(TEMPLATE).with_suffix("").as_posix()
        path = path.replace("PACKAGE", package).replace("STAMP", stamp)
        text = source.read_text(encoding="utf-8")
        for word, value in values.items():
            text = text.replace("{{" + word + "}}", value)
        files[path] = text
    return files


@contextmanager
def _all_or_nothing(root: Path, paths: Iterable[str]) -> Iterator[None]:
    """Make all of a project, or nothing: no file, no folder, no server is left of what fails.

    Args:
        root: The project to be.
        paths: What is written in it; what was there before stays.
    """
    from todo_sql.config import config_of_migrations
    from todo_sql.embedded.server import has_server, servers_of

    own = {root / Path(path).parts[0] for path in (*paths, ".todo-sql")}
    above = [one for one in (root, *root.parents) if not one.exists()]
    before = set(_below(own))
    config = config_of_migrations(root / "migrations", {})
    had_server = has_server(config)
    try:
        yield
    except BaseException:
        if not had_server and has_server(config):
            with suppress(TodoSqlError):
                for server in servers_of(config):
                    server.destroy()
        with suppress(OSError):
            for path in sorted(set(_below(own)) - before, reverse=True):
                path.rmdir() if path.is_dir() and not path.is_symlink() else path.unlink()
            for path in above:
                path.rmdir()
        raise


def _below(paths: Iterable[Path]) -> Iterator[Path]:
    for path in paths:
        if path.is_dir() and not path.is_symlink():
            yield from _below(path.iterdir())
        if path.exists() or path.is_symlink():
            yield path


def _generate(context: Context, root: Path) -> list[str]:
    """Write the typed package; say how to do it later where there is no PostgreSQL."""
    from todo_sql.compiler.project import analyse_folder
    from todo_sql.config import load_config

    config = load_config(root)
    context.output.message("checking the queries on the embedded PostgreSQL …")
    try:
        queries, analysis = analyse_folder(config)
    except (ConfigError, DatabaseError) as error:
        context.output.warning(
            f"no typed package yet: {error.finding.message}; run `todo-sql generate` later"
        )
        return []
    return _write_package(config, analysis, queries)


def _write_package(config: Config, analysis: Analysis, queries: QuerySet) -> list[str]:
    """Write the typed package; return the paths of its files in the project."""
    from todo_sql.compiler.generating import generate

    folder = config.generate
    assert folder is not None
    files = generate.render(analysis.described, queries.files, config)
    written = generate.write(files, folder, config.root)
    return [shown_path(folder / name, config.root) for name in written]


def _from_live(
    context: Context, folder: Path, given: str, *, tenant: str | None, queries: bool, yes: bool
) -> ExitCode:
    """Make a project of a live database: files first, then what it records there."""
    root, output = real_path(folder), context.output
    package = package_name(root.name)
    _refuse_project(root, folder)
    written = (*_files(package), "migrations", "queries", "todo-sql.toml")
    with _all_or_nothing(root, written):
        made = _begin(context, root, package, given, tenant=tenant, queries=queries)
        different = _record(context, made, folder, yes=yes)
    if different is not None:
        output.message(f"the project stands in {folder}: correct {made.id}.sql, and record it then")
        raise different
    offered, objects = made.offered, len(made.live.snapshot)
    tables, left_out = (offered.files, offered.left_out) if offered else ((), ())
    count = sum(len(one.queries) for one in tables)
    if output.json:
        output.document(
            {
                "project": str(root),
                "migration": made.id,
                "written": sorted(made.written),
                "objects": objects,
                "tables": len(tables),
                "queries": count,
                "tenant": made.tenant,
                "left_out": left_out,
                "by_hand": made.live.by_hand,
                "recorded": made.recorded,
            }
        )
        return ExitCode.OK
    output.some([f"{folder / path}" for path in sorted(made.written)], _SHOWN, "files", output.data)
    for text in made.live.by_hand:
        output.warning(f"{made.id}.sql lacks a statement that would {text}")
    for finding in left_out:
        output.warn_of(finding)
    tenants = f", each for one {made.tenant} where the table has it" if made.tenant else ""
    said = f"{count} queries for {len(tables)} tables and views{tenants}"
    output.message(f"{objects} objects in {made.id}; {said}")
    output.message(f"next: cd {folder}, set DATABASE_URL, `todo-sql drift`")
    return ExitCode.OK


def _begin(
    context: Context, root: Path, package: str, given: str, *, tenant: str | None, queries: bool
) -> _Begun:
    """Write the files of a project for a live database, which is only read."""
    import psycopg

    from todo_sql.adoption import live
    from todo_sql.config import config_of_migrations, load_config
    from todo_sql.review.compared import at_hand
    from todo_sql.wire.url import DatabaseUrl

    output = context.output
    url = DatabaseUrl.parse(given).direct().text
    environment = environment_for(url)
    with psycopg.connect(url, autocommit=True) as connection:
        database = connection.info.dbname
        output.message(f"reading the schema of {database} …")
        draft = config_of_migrations(root / "migrations", environment)
        major = connection.info.server_version // 10000
        if draft.scratch_url is None and not at_hand(major):
            major = 18  # the live one's programs are not there
        found = live.read(replace(draft, postgres=major), connection)
    column = tenant or (found.tenant.parameter if found.tenant else None)
    bound = found.tenant if found.tenant and column == found.tenant.parameter else None
    id = f"{datetime.now(UTC):%Y%m%d%H%M%S}_{live.NAME}"
    files = {f"migrations/{id}.sql": found.text}
    keys = _keys(package, major, bound)
    for path, text in _files(package).items():
        if path.startswith(_EXAMPLE) or (root / path).exists():
            continue
        if path == "pyproject.toml":
            text = _configured(text, keys)
        # What was there before the project is neither to be undone nor reviewed.
        text = text.replace("\t$(BIN)/todo-sql verify\n", "")
        files[path] = text.replace("todo-sql lint\n", "todo-sql lint queries\n")
    if "pyproject.toml" not in files:
        files["todo-sql.toml"] = keys
    files.setdefault("tests/test_schema.py", _TEST.format(package=package))
    for path, text in files.items():
        writing.write(root / path, text, root)
    context.config = load_config(root, environment=environment)
    made = _Begun(id, database, found, column, [*files])
    if queries:
        output.message("checking the queries on the scratch server …")
        made.offered = offered = live.offer(context.config, column)
        made.written += [f"queries/{one.stem}.sql" for one in offered.files]
        made.written += _write_package(context.config, offered.analysis, offered.queries)
    return made


def _refuse_project(root: Path, folder: Path) -> None:
    """Demand that a folder is no project yet; other files in it stay as they are."""
    from todo_sql.config import NoProject, load_config

    there = [path for name in ("migrations", "queries") for path in (root / name).rglob("*.sql")]
    with suppress(NoProject):
        if root.is_dir():
            there.append(load_config(root, environment={}).file)
    if there:
        raise UsageError(
            f"{there[0].relative_to(root)} exists in {folder}",
            cause="a project begins with the live schema, or not at all; nothing was written",
            fix="name a new folder; in a project, `todo-sql new NAME --from-drift` drafts what a "
            "live database has more",
        )


def _keys(package: str, major: int, bound: Any) -> str:
    """Return the configuration of the project."""
    text = f'migrations = "migrations"\nqueries = "queries"\ngenerate = "{package}/db"\n'
    if major != 18:
        text += f"postgres = {major}\n"
    if bound is not None:
        # TOML escapes one sign more than JSON.
        role = json.dumps(bound.role, ensure_ascii=False).replace("\x7f", "\\u007f")
        named = f'parameter = "{bound.parameter}", setting = "{bound.setting}"'
        text += f"tenant = {{ {named}, role = {role} }}\n"
    return text


def _configured(text: str, keys: str) -> str:
    """Return a pyproject.toml with other keys; in them no sign means anything to a pattern."""
    before, after = re.split(r"\[tool\.todo-sql\]\n(?:.+\n)*", text)
    return f"{before}[tool.todo-sql]\n{keys}{after}"


@dataclass
class _Begun:
    """What `init --from` made."""

    id: str  # of the migration
    database: str  # whose schema it makes
    live: Live
    tenant: str | None  # the column that tells tenants apart
    written: list[str]
    offered: Offered | None = None
    recorded: list[str] = field(default_factory=list)


def _record(context: Context, made: _Begun, folder: Path, *, yes: bool) -> FindingsError | None:
    """Compare the catalogs, and record the migration if that is wanted; or say how they differ."""
    from todo_sql.cli.verbs.baseline import demand_same, record

    output = context.output
    wanted = yes or output.asks(
        f"Record {made.id} as applied in {made.database}, if both catalogs are the same?"
    )
    output.message("comparing the catalogs …")
    try:
        if wanted:
            made.recorded = record(context, made.id)
        else:
            demand_same(context, made.id)
    except FindingsError as error:
        return error
    later = f"nothing was recorded: in {folder}, `todo-sql baseline {made.id}` does it"
    output.message(f"recorded {made.id}" if wanted else f"both catalogs are the same; {later}")
    return None


_TEST = '''"""The schema and the typed package, on a PostgreSQL of the test run's own."""

from importlib import import_module
from pkgutil import iter_modules

from todo_sql import Database

from {package} import db


def test_the_migrations_make_a_database(database: Database) -> None:
    """A new database can be used."""
    assert database.session().sql("select 1", int) == [1]


def test_the_package_imports() -> None:
    """What `todo-sql generate` wrote is Python."""
    for module in iter_modules(db.__path__):
        import_module(f"{{db.__name__}}.{{module.name}}")
'''
