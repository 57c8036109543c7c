"""The structure of the package: imports go down the floors, and heavy libraries have one door."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator, Sequence
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

import todo_sql

PACKAGE = Path(todo_sql.__file__).parent

# From the ground up. A room imports from its own floor and from those before it.
FLOORS = (
    ("errors", "config", "config_section", "types", "logs", "writing", "deep", "paths"),
    ("sql",),
    ("queries",),
    ("embedded",),
    ("wire",),
    ("database",),
    ("runtime",),
    ("todo",),
    ("catalog",),
    ("migrations",),
    ("compiler",),
    ("review",),
    ("rewriting",),
    ("adoption",),
    ("codes",),
    ("testing",),
    ("cli",),
    ("__main__",),
)
LEVEL = {room: level for level, rooms in enumerate(FLOORS) for room in rooms}

# Library -> the one module that may import it.
DOORS = {
    "yoyo": "migrations/backend.py",
    "postgast": "sql/grammar.py",
    "sqlfluff": "review/linting/style.py",
    "dotenv": "config.py",
}

# What the generated package may use besides itself.
BELOW_TODO = {"runtime", "types", "todo"}


def modules() -> Iterator[Path]:
    """Yield every module of the package but those that it re-exports from its root."""
    for path in sorted(PACKAGE.rglob("*.py")):
        if path != PACKAGE / "__init__.py" and "project" not in path.relative_to(PACKAGE).parts:
            yield path


@cache
def imported(path: Path) -> Sequence[str]:
    """Return the dotted names that a module imports anywhere, late imports included."""
    return list(_imported(path))


def _imported(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0 or path.is_relative_to(PACKAGE / "todo"), (
                f"{path}: relative import"
            )
            if node.module == "todo_sql":
                yield from (f"todo_sql.{alias.name}" for alias in node.names)
            elif node.module and node.level == 0:
                yield node.module


def room_of(path: Path) -> str:
    """Return the room of a module: its folder, or its own name at the root."""
    relative = path.relative_to(PACKAGE)
    return relative.parts[0] if len(relative.parts) > 1 else relative.stem


@pytest.mark.parametrize("path", list(modules()), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_go_down_only(path: Path) -> None:
    """A module imports from its own floor or from a lower one."""
    room = room_of(path)
    assert room in LEVEL, f"{room} stands on no floor: give it one here and in the design"
    for name in imported(path):
        parts = name.split(".")
        if parts[0] != "todo_sql" or len(parts) == 1 or parts[1] not in LEVEL:
            continue
        if room == "todo":
            assert parts[1] in BELOW_TODO, f"generated code imports {name}"
        else:
            assert LEVEL[parts[1]] <= LEVEL[room], f"{room} imports {name}, which stands higher"


@pytest.mark.parametrize("library", DOORS)
def test_a_library_has_one_door(library: str) -> None:
    """Each of the replaceable libraries is imported in exactly one module."""
    users = {
        path.relative_to(PACKAGE).as_posix()
        for path in modules()
        if any(name.split(".")[0] == library for name in imported(path))
    }
    assert users <= {DOORS[library]}, f"{library} is imported by {sorted(users)}"


def test_the_run_time_path_is_light() -> None:
    """Importing the typed functions imports none of the toolkit's heavy libraries."""
    code = (
        "import sys; from todo_sql.todo import tasks; "
        "print(sorted({'typer', 'click', 'rich', 'yoyo', 'sqlfluff', 'postgast', 'dotenv'}"
        " & set(sys.modules)))"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    assert result.stdout.strip() == "[]"


def test_only_the_command_line_prints() -> None:
    """No module below the command line prints."""
    for path in modules():
        if room_of(path) == "cli":
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
                assert node.func.id != "print", f"{path}:{node.lineno} prints"


def module_name(path: Path) -> str:
    """Return the dotted name of a module."""
    return ".".join(("todo_sql", *path.relative_to(PACKAGE).with_suffix("").parts))


def test_one_way_to_follow_links() -> None:
    """`Path.resolve` raises RuntimeError on links in a circle before Python 3.13."""
    calls = [path for path in modules() if ".resolve()" in path.read_text(encoding="utf-8")]
    assert calls == []


def test_no_module_imports_itself_over_others() -> None:
    """No circle of imports, those for the type checker and those inside functions included."""
    names = {module_name(path): path for path in modules()}
    graph: dict[str, set[str]] = {}
    for name, path in names.items():
        wanted: set[str] = set()
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
                for alias in node.names:
                    whole = f"{node.module}.{alias.name}"
                    wanted.add(whole if whole in names else node.module)
        graph[name] = wanted & names.keys() - {name}
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail(" -> ".join(error.args[1]))


def test_one_name_one_module() -> None:
    """No two modules share a name; a verb, a rule or a query file gives its own to its module."""
    homes: dict[str, list[str]] = {}
    for path in modules():
        place = path.relative_to(PACKAGE)
        if path.stem != "__init__" and not {"verbs", "rules", "todo"} & set(place.parts):
            homes.setdefault(path.stem, []).append(place.as_posix())
    assert {name: places for name, places in homes.items() if len(places) > 1} == {}


def test_one_name_one_class() -> None:
    """No two classes of the toolkit share a name; generated models have those of their tables."""
    homes: dict[str, list[str]] = {}
    for path in modules():
        if room_of(path) == "todo":
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ClassDef):
                homes.setdefault(node.name, []).append(path.relative_to(PACKAGE).as_posix())
    assert {name: places for name, places in homes.items() if len(places) > 1} == {}
