"""Write the typed package: models, one module per .sql file, a copy of the .sql beside it.

`render` is pure and returns every file of the package; `write` and `stale` bring a folder
in line with it, or compare.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from pathlib import Path

from todo_sql import writing
from todo_sql.compiler.described import Described
from todo_sql.compiler.generating import model_source, module_source
from todo_sql.compiler.generating.layout import header
from todo_sql.compiler.generating.naming import module_name, shown
from todo_sql.config import Config
from todo_sql.errors import Finding, FindingsError, Place
from todo_sql.sql.source import Source

_MARK = header("")[0].partition(" from ")[0].encode()
_SHOWN = 10


def render(
    described: Iterable[Described], sources: Iterable[Source], config: Config
) -> dict[str, str]:
    """Return the text of every file of the package by its name.

    Args:
        described: The queries, in the order of their files.
    """
    by_file: dict[str, list[Described]] = defaultdict(list)
    for entry in described:
        by_file[entry.query.source.file].append(entry)
    folder = shown(config.queries, config.root)
    title = f'"""Typed functions for the named queries in {folder}/."""\n'
    files = {"py.typed": "", "__init__.py": "\n".join([*header(f"{folder}/"), title])}
    everything = [entry for entries in by_file.values() for entry in entries]
    package, own = config.generate, None  # the top package that the generated one lies in
    if package is not None and package.is_relative_to(config.root):
        own = package.relative_to(config.root).parts[0]
    models = model_source.render(everything, folder, own)
    if models:
        files["models.py"] = models
    for source in sources:
        stem = module_name(source.file, folder)
        files[f"{stem}.sql"] = source.text
        files[f"{stem}.py"] = module_source.render(stem, by_file[source.file], source, config, own)
    return dict(sorted(files.items()))


def stale(files: Mapping[str, str], folder: Path) -> list[str]:
    """Return the files of a folder that `render` would change, add or remove.

    Raises:
        FindingsError: Some of them were not made by us; nothing is to be written.
    """
    present = set()
    if folder.is_dir():
        present = {
            path.relative_to(folder).as_posix()
            for path in folder.rglob("*")
            if path.is_file() and path.suffix in (".py", ".sql", ".typed")
        }
    changed = present - set(files)
    for name, text in files.items():
        path = folder / name
        if name not in present or path.read_bytes() != text.encode():
            changed.add(name)
    foreign = sorted(
        name for name in changed & present if not _is_ours(folder / name, overwritten=name in files)
    )
    if foreign:
        files_shown = f"{len(foreign)} file{'s' if len(foreign) > 1 else ''}"
        message = f"{folder.name} holds {files_shown} that `generate` did not make"
        cause = "the folder of the generated package is `generate`'s own: what it does not make "
        cause += "would be overwritten or deleted; nothing was written"
        fix = "move them elsewhere, or name a folder of its own as `generate` in [tool.todo-sql]"
        places = [Place(str(folder / name), 1) for name in foreign[:_SHOWN]]
        what = "`generate` did not make this file"
        findings = [Finding("C130", "error", what, place) for place in places]
        raise FindingsError(message, findings, code="C130", cause=cause, fix=fix)
    return sorted(changed)


def _is_ours(path: Path, *, overwritten: bool) -> bool:
    """Whether a file says that it was generated, or its module does; an empty one may be filled."""
    if overwritten and not path.stat().st_size:
        return True
    module = path.with_suffix(".py")
    if path.suffix == ".typed" or not module.is_file():
        return False
    with module.open("rb") as file:
        return file.read(len(_MARK)) == _MARK


def write(files: Mapping[str, str], folder: Path, within: Path) -> list[str]:
    """Bring a folder in line with `render`; return the files that changed.

    Args:
        within: The project, which nothing is written outside of.
    """
    changed = stale(files, folder)
    for name in reversed(changed):  # a copy of SQL before the module that tells whose it is
        path = folder / name
        with writing.folder(path.parent, within) as place:
            if name in files:
                place.write(path.name, files[name])
            else:
                place.delete(path.name)
    return changed
