"""Files written in a project, never through a link and never outside.

A checkout is somebody else's: a link in it, a path in its configuration, or its owner at
work beside us must not make a command write elsewhere. So every folder on the way from the
project is opened by its descriptor without following links, and a file is written aside and
then renamed, which replaces a link or a hard link instead of writing through it.
"""

from __future__ import annotations

import errno
import os
import secrets
import stat
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from todo_sql.errors import ConfigError
from todo_sql.paths import real_path

# Windows has neither descriptors of folders nor O_NOFOLLOW; there the way is looked at first.
_BY_DESCRIPTOR = os.open in os.supports_dir_fd and hasattr(os, "O_NOFOLLOW")
# With O_PATH the whole way is walked: a folder above may let us pass without letting us look.
_PATH: int = getattr(os, "O_PATH", 0)


@dataclass(frozen=True, slots=True)
class Folder:
    """A folder of a project, held open while files in it are written or deleted."""

    _path: Path
    _descriptor: int | None

    def write(self, name: str, data: str | bytes) -> None:
        """Write a file whole or not at all; mode and owner of an older one stay.

        Raises:
            ConfigError: A link, a folder or a device has its name.
        """
        content = data.encode() if isinstance(data, str) else data
        older = self._stat(name)
        temporary = f".{name[:40]}.{secrets.token_hex(4)}.new"
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
        descriptor = os.open(self._at(temporary), flags, 0o666, dir_fd=self._descriptor)
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(content)
                if older is not None and _BY_DESCRIPTOR:
                    _like(file.fileno(), older)
            self._move(os.replace, temporary, name)
        except BaseException:
            os.unlink(self._at(temporary), dir_fd=self._descriptor)
            raise

    def rename(self, name: str, other: str) -> None:
        """Give a file a name that nothing has yet."""
        self._stat(name)
        if self._stat(other) is not None:
            raise _not_written(self._path / other, "there is a file of that name")
        self._move(os.rename, name, other)

    def delete(self, name: str) -> None:
        """Delete a file, or a link, which is not followed."""
        os.unlink(self._at(name), dir_fd=self._descriptor)

    def _move(self, move: Callable[..., None], name: str, other: str) -> None:
        here = self._descriptor
        move(self._at(name), self._at(other), src_dir_fd=here, dst_dir_fd=here)

    def _stat(self, name: str) -> os.stat_result | None:
        try:
            found = os.stat(self._at(name), dir_fd=self._descriptor, follow_symlinks=False)
        except FileNotFoundError:
            return None
        if not stat.S_ISREG(found.st_mode):
            raise _not_written(self._path / name, "it is not a plain file, but a link or the like")
        return found

    def _at(self, name: str) -> str:
        return name if self._descriptor is not None else str(self._path / name)


@contextmanager
def folder(path: Path, within: Path) -> Iterator[Folder]:
    """Open a folder for writing, making it and those above it as needed.

    Args:
        path: The folder.
        within: The folder that nothing may be written outside of, such as the project's.

    Raises:
        ConfigError: It lies outside, or a link or a file stands in the way.
    """
    base, wanted = _plain(within), _plain(path)
    if not wanted.is_relative_to(base):
        raise _not_written(wanted, f"it lies outside {base}")
    base.mkdir(parents=True, exist_ok=True)
    real = real_path(base)
    below = wanted.relative_to(base).parts
    if not _BY_DESCRIPTOR:
        yield Folder(_on_foot(real, below), None)
        return
    with ExitStack() as stack:
        here = Path(real.anchor) if _PATH else real
        descriptor = _opened(here, str(here), None, stack)
        for part in real.parts[1:] if _PATH else ():
            here = here / part
            descriptor = _opened(here, part, descriptor, stack)
        for part in below:
            here = here / part
            with suppress(FileExistsError):
                os.mkdir(part, dir_fd=descriptor)
            descriptor = _opened(here, part, descriptor, stack)
        yield Folder(here, descriptor)


def write(path: Path, data: str | bytes, within: Path) -> None:
    """Write one file; see `folder` and `Folder.write`."""
    with folder(path.parent, within) as place:
        place.write(path.name, data)


def _plain(path: Path) -> Path:
    return Path(os.path.abspath(path))  # noqa: PTH100 - links are to be met, not resolved


def _opened(path: Path, name: str, above: int | None, stack: ExitStack) -> int:
    flags = (_PATH or os.O_RDONLY) | os.O_DIRECTORY | os.O_NOFOLLOW
    try:
        descriptor = os.open(name, flags, dir_fd=above)
    except OSError as error:
        if error.errno in (errno.ENOTDIR, errno.ELOOP):
            raise _not_written(path, "it is a link, or not a folder") from None
        raise
    stack.callback(os.close, descriptor)
    return descriptor


def _on_foot(base: Path, below: tuple[str, ...]) -> Path:
    here = base
    for part in below:
        here = here / part
        here.mkdir(exist_ok=True)
        if real_path(here) != here:
            raise _not_written(here, "it is a link")
    return here


def _like(descriptor: int, older: os.stat_result) -> None:
    """Give a new file the owner and the mode of the one that it replaces, as far as we may."""
    if os.geteuid() == 0:
        os.fchown(descriptor, older.st_uid, older.st_gid)
    os.fchmod(descriptor, stat.S_IMODE(older.st_mode) & 0o777)


def _not_written(path: Path, why: str) -> ConfigError:
    return ConfigError(
        f"{path} is not written to: {why}",
        code="U205",
        cause="a project's files are written inside the project alone, and never through a link",
        fix="name a folder of the project in its configuration, or replace the link",
    )
