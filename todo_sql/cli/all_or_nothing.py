"""What a command makes in a folder that is no project yet: all of it, or nothing."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from todo_sql.errors import TodoSqlError


@contextmanager
def all_or_nothing(root: Path, paths: Iterable[str]) -> Iterator[None]:
    """Leave nothing behind of what fails: no file, no folder, no server.

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
