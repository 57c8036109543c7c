"""What git knows of a project's files. Nothing of a repository's configuration is run."""

from __future__ import annotations

import hashlib
import subprocess
from pathlib import Path

from todo_sql.config import Config
from todo_sql.errors import UsageError
from todo_sql.paths import real_path


def changed_since(config: Config, revision: str) -> frozenset[Path]:
    """Return the files of the project that differ from a git revision, untracked ones too.

    Raises:
        UsageError: No git repository, or no such revision.
    """
    root = config.root
    entries = _git(root, "ls-tree", "-r", "-z", "--end-of-options", revision)
    parts = (entry.partition("\t") for entry in entries)
    before = {name: kind.split()[-1] for kind, _, name in parts}
    names = _git(root, "ls-files", "-z", "--cached", "--others", "--exclude-standard")
    paths = {name: root / name for name in names if name.endswith(".sql")}
    return frozenset(
        real_path(path)
        for name, path in paths.items()
        if path.is_file() and before.get(name) not in _hashes(path.read_bytes())
    )


def _hashes(data: bytes) -> set[str]:
    """Return the names that git may have for a file.

    `git diff` would have a program of the repository's configuration (a clean filter) read it.
    """
    return {
        hash(b"blob %d\0%b" % (len(text), text)).hexdigest()
        for text in (data, data.replace(b"\r\n", b"\n"))
        for hash in (hashlib.sha1, hashlib.sha256)
    }


def committed(config: Config) -> frozenset[Path]:
    """Return the files that git knows in HEAD; none where there is no git."""
    try:
        names = _git(config.root, "ls-tree", "-r", "-z", "--name-only", "HEAD")
    except UsageError:
        return frozenset()
    return frozenset(real_path(config.root / name) for name in names)


def _git(root: Path, *arguments: str) -> list[str]:
    try:
        run = subprocess.run(
            # A repository's own configuration may name a program here.
            ["git", "-c", "core.fsmonitor=false", "-C", str(root), *arguments],
            capture_output=True,
            text=True,
            check=False,
        )
    except FileNotFoundError:
        raise UsageError("git is not installed", code="R003", fix="leave out --since") from None
    if run.returncode:
        words = run.stderr.strip().splitlines()[:1] or ["git failed"]
        raise UsageError(words[0], code="R003", fix="name a revision that this repository has")
    return run.stdout.split("\0")[:-1]
