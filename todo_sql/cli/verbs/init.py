"""`todo-sql init`: a new project of one's own."""

from __future__ import annotations

import keyword
import re
import sys
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Annotated

from typer import Argument

from todo_sql import writing
from todo_sql.cli.context import Context
from todo_sql.errors import ConfigError, DatabaseError, ExitCode, UsageError

TEMPLATE = Path(__file__).parents[1] / "template"


def command(
    context: Context,
    folder: Annotated[Path, Argument(metavar="DIR", help="Where; the project is named after it.")],
) -> ExitCode:
    """Make a new project: a migration, a query, a test, and files for make, CI and pre-commit.

    The typed package is generated from them, for which the embedded PostgreSQL is started.
    """
    root = folder.resolve()
    files = _files(package_name(root.name))
    taken = [path for path in files if (root / path).exists()]
    if taken:
        raise UsageError(
            f"{taken[0]} exists in {folder}",
            fix="name a new folder; an existing project needs a [tool.todo-sql] section in "
            "its pyproject.toml, and nothing else",
        )
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


def _generate(context: Context, root: Path) -> list[str]:
    """Write the typed package; say how to do it later where there is no PostgreSQL."""
    from todo_sql.compiler.generating import generate
    from todo_sql.compiler.project import analyse_folder
    from todo_sql.config import load_config

    config = load_config(root)
    assert config.generate is not None
    context.output.message("checking the queries on the embedded PostgreSQL …")
    try:
        queries, analysis = analyse_folder(config)
    except (ConfigError, DatabaseError) as error:
        context.output.warning(
            f"no typed package yet: {error.finding.message}; run `todo-sql generate` later"
        )
        return []
    files = generate.render(analysis.described, queries.files, config)
    folder = config.generate.relative_to(config.root)
    return [(folder / name).as_posix() for name in generate.write(files, config.generate, root)]
