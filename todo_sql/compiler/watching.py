"""`check --watch`: the queries are checked again whenever a file is saved."""

from __future__ import annotations

import time
from collections.abc import Generator
from dataclasses import replace
from pathlib import Path

from todo_sql.compiler.check import examine
from todo_sql.compiler.describe import Analysis, Compiler, Examined
from todo_sql.compiler.described import Described
from todo_sql.compiler.project import compiler_of, whole, with_slips
from todo_sql.config import Config
from todo_sql.errors import FindingsError, TodoSqlError
from todo_sql.queries.loader import Read, read_one, together
from todo_sql.queries.named import NamedQuery

Times = dict[Path, int]


def watch_folder(
    config: Config, pause: float = 0.05
) -> Generator[tuple[Analysis, float], None, None]:
    """Check every query, and all again when a file of them or of the migrations is saved.

    Only the queries whose text is new are prepared again, and those with findings; all of
    them after a change of the migrations.

    Yields:
        What was found, and how many seconds it took since the change was seen.

    Raises:
        TodoSqlError: The migrations do not run, at the beginning.
    """
    begun = False
    while True:
        migrations, start = _times(config.migrations), time.perf_counter()
        try:
            with compiler_of(config) as compiler:
                watched, known = _Watched(compiler), None
                while _times(config.migrations) == migrations:
                    found = _times(config.queries)
                    if found != known:
                        start = start if known is None else time.perf_counter()
                        known, begun = found, True
                        yield watched.check(found), time.perf_counter() - start
                    time.sleep(pause)
        except TodoSqlError as error:
            if not begun:
                raise
            findings = error.findings if isinstance(error, FindingsError) else (error.finding,)
            yield Analysis((), tuple(findings)), time.perf_counter() - start
            while _times(config.migrations) == migrations:
                time.sleep(pause)


def _times(folder: Path) -> Times:
    """Return when each file of a folder was saved; one may vanish meanwhile."""
    found = {}
    for path in sorted(folder.rglob("*.sql")):
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
        return whole(with_slips(queries, examined, self._compiler), examined)
