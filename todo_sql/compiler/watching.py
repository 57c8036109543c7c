"""`check --watch`: the queries are checked again whenever a file is saved."""

from __future__ import annotations

import time
from collections.abc import Generator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

from todo_sql.compiler.check import examine
from todo_sql.compiler.describe import Analysis, Compiler, Examined
from todo_sql.compiler.described import Described
from todo_sql.compiler.project import whole, with_slips
from todo_sql.compiler.scratch import connect_migrated
from todo_sql.config import Config
from todo_sql.errors import FindingsError, TodoSqlError, UsageError
from todo_sql.queries.loader import Read, read_one, together
from todo_sql.queries.named import NamedQuery

Times = dict[Path, int]


def watch_folder(config: Config) -> Generator[tuple[Analysis, float], None, None]:
    """Check every query, and all again when a file of them or of the migrations is saved.

    Only the queries whose text is new are prepared again, and those with findings; all of
    them after a change of the migrations.

    Yields:
        What was found, and how many seconds it took since the change was seen.

    Raises:
        TodoSqlError: The migrations do not run, at the beginning.
        UsageError: watchfiles is not installed.
    """
    begun = False
    with closing(_events(config)) as events:
        next(events)  # from here on nothing is missed
        while True:
            migrations, start = _times(*config.migration_folders), time.perf_counter()
            try:
                with connect_migrated(config) as connection:
                    watched, known = _Watched(Compiler(connection, config)), None
                    while _times(*config.migration_folders) == migrations:
                        found = _times(config.queries)
                        if found != known:
                            start = start if known is None else time.perf_counter()
                            known, begun = found, True
                            yield watched.check(found), time.perf_counter() - start
                        _wait(events)
            except TodoSqlError as error:
                if not begun:
                    raise
                findings = error.findings if isinstance(error, FindingsError) else (error.finding,)
                yield Analysis((), tuple(findings)), time.perf_counter() - start
                while _times(*config.migration_folders) == migrations:
                    _wait(events)


Events = Generator[set[Any], None, None]


def _events(config: Config) -> Events:
    """Yield what is changed in the folders, and an empty set when nothing is for a while."""
    try:
        from watchfiles import watch
    except ImportError:
        message = "--watch needs watchfiles, which is not installed"
        raise UsageError(message, fix="pip install 'todo-sql[watch]'") from None
    folders = [folder for folder in (config.queries, *config.migration_folders) if folder.is_dir()]
    return watch(
        *folders,
        watch_filter=None,  # a folder may be renamed; what is saved is seen by its time
        debounce=200,
        step=20,
        rust_timeout=50,
        yield_on_timeout=True,
    )


def _wait(events: Events) -> None:
    """Wait for a change."""
    while not next(events):
        pass


def _times(*folders: Path) -> Times:
    """Return when each file of some folders was saved; one may vanish meanwhile."""
    found = {}
    for path in sorted(path for folder in folders for path in folder.rglob("*.sql")):
        try:
            found[path] = path.stat().st_mtime_ns
        except FileNotFoundError:
            continue
    return found


class _Watched:
    """What is known of the files, and of the queries in them that have no findings."""

    def __init__(self, compiler: Compiler) -> None:
        self._compiler = compiler
        self._saved: Times = {}
        self._files: dict[Path, Read] = {}
        self._clean: dict[str, Described] = {}

    def _read(self, path: Path) -> Read:
        try:
            return read_one(path, self._compiler.config.root)
        except FileNotFoundError:  # just now
            return Read(None, (), ())

    def check(self, saved: Times) -> Analysis:
        """Return what is found in the files as they are now."""
        self._files = {
            path: self._files[path] if self._saved.get(path) == when else self._read(path)
            for path, when in saved.items()
        }
        self._saved = saved
        queries = together(self._files.values())
        texts: dict[NamedQuery, str] = {}
        for file in self._files.values():
            end = 0
            for query in file.queries:
                assert file.source is not None
                texts[query], end = file.source.text[end : query.end], query.end
        news = self._compiler.examine(
            [one for one in queries.values() if texts[one] not in self._clean], [examine]
        )
        found = {one.query: one for one in news}
        for one in news:
            if one.described and not one.findings:
                self._clean[texts[one.query]] = one.described
        examined = [
            found.get(query) or Examined(query, replace(self._clean[texts[query]], query=query), ())
            for query in queries.values()
        ]
        return whole(with_slips(queries, examined, self._compiler), examined, self._compiler.config)
