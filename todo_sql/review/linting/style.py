"""The one import of sqlfluff: the style of SQL files, checked in this process.

A file whose text, configuration and sqlfluff version were seen before is answered from a
cache; when all are, sqlfluff is not even imported.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Iterator
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

from todo_sql import writing
from todo_sql.errors import ConfigError, Finding
from todo_sql.sql.source import Source

# Those that run nothing, and the options that name what the others run.
TEMPLATERS = ("raw", "placeholder")
RUNS_CODE = ("library_path", "load_macros_from_path", "loader_search_path", "project_dir")

if TYPE_CHECKING:
    from sqlfluff.core import Linter


def installed() -> bool:
    """Return whether sqlfluff is there."""
    try:
        metadata.version("sqlfluff")
    except metadata.PackageNotFoundError:
        return False
    return True


def page(word: str) -> str | None:
    """Return the address of the page on a rule of sqlfluff, by code or name, or None."""
    if not installed():
        return None
    from sqlfluff import list_rules

    for rule in list_rules():
        if word.upper() == rule.code or word in (rule.name, *rule.aliases):
            return f"https://docs.sqlfluff.com/en/stable/reference/rules/{rule.name.split('.')[0]}"
    return None


class Style:
    """Checks and corrects the style of files under one configuration.

    Args:
        root: The folder of ``.sqlfluff``.
        cache: The file of the cache, or None: do without.
    """

    def __init__(self, root: Path, cache: Path | None) -> None:
        self._root = root
        self._cache = cache
        self._linter: Linter | None = None
        configuration = root / ".sqlfluff"
        text = configuration.read_bytes() if configuration.is_file() else b""
        versions = ",".join(
            f"{name}={version}"
            for name in ("sqlfluff", "sqlfluffrs")
            if (version := _version(name)) is not None
        )
        self._base = hashlib.sha256(versions.encode() + b"\0" + text)

    def check(self, sources: Iterable[Source]) -> Iterator[Finding]:
        """Yield what is wrong with the style of each file."""
        known = self._load()
        seen: dict[str, list[list[Any]]] = {}
        for source in sources:
            key = self._key(source)
            seen[key] = known[key] if key in known else self._violations(source)
            for code, name, line, column, description in seen[key]:
                yield _finding(source, code, name, line, column, description)
        if seen.keys() - known.keys():
            self._store({**known, **seen} if len(known) < 2000 else seen)

    def mended(self, source: Source) -> str:
        """Return the text as sqlfluff would write it."""
        result = self._open().lint_string(source.text, fname=source.file, fix=True)
        return str(result.fix_string()[0])

    def _violations(self, source: Source) -> list[list[Any]]:
        violations = self._open().lint_string(source.text, fname=source.file).get_violations()
        return [[v.rule_code(), v.rule_name(), v.line_no, v.line_pos, v.desc()] for v in violations]

    def _open(self) -> Linter:
        if self._linter is None:
            from sqlfluff.core import FluffConfig, Linter
            from sqlfluff.core.config.loader import load_config_up_to_path

            overrides: dict[str, Any] = {}
            if not (self._root / ".sqlfluff").is_file():
                overrides = {"dialect": "postgres"}
            found: Any = load_config_up_to_path(str(self._root))
            self._refuse_code(found)
            if not found.get("core", {}).get("templater"):
                overrides["templater"] = TEMPLATERS[0]  # sqlfluff's own default runs templates
            config = FluffConfig.from_path(str(self._root), overrides=overrides)
            self._linter = Linter(config=config)
        return self._linter

    def _refuse_code(self, found: Any) -> None:
        """Refuse a configuration that makes sqlfluff run what came with the checkout.

        Raises:
            ConfigError: It names a templater that runs code, or files of macros or libraries.
        """
        templater = found.get("core", {}).get("templater")
        templates = found.get("templater", {})
        named = [key for one in templates.values() if isinstance(one, dict) for key in one]
        wrong = [key for key in (*named, *templates) if key in RUNS_CODE]
        if templater and templater not in TEMPLATERS:
            wrong.append("templater")
        if not wrong:
            return
        path = self._root / ".sqlfluff"
        source = Source.read(path, self._root) if path.is_file() else None
        at = source and re.search(rf"^\s*{wrong[0]}\s*=", source.text, re.MULTILINE)
        raise ConfigError(
            f"`{wrong[0]}` in sqlfluff's configuration would run code of this checkout",
            code="R004",
            place=source.place(at.start()) if source and at else None,
            fix=f"leave it out, and use the templater {' or '.join(TEMPLATERS)}",
        )

    def _key(self, source: Source) -> str:
        whole = self._base.copy()
        whole.update(source.text.encode())
        return whole.hexdigest()

    def _load(self) -> dict[str, list[list[Any]]]:
        if self._cache is None or not self._cache.is_file():
            return {}
        try:
            found = json.loads(self._cache.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}  # a damaged cache is made anew
        return found if isinstance(found, dict) else {}

    def _store(self, entries: dict[str, list[list[Any]]]) -> None:
        if self._cache is None:
            return
        try:
            writing.write(self._cache, json.dumps(entries), self._root)
        except (OSError, ConfigError):
            return  # a project that cannot be written to is linted all the same


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def _finding(
    source: Source, code: str, name: str, line: int, column: int, description: str
) -> Finding:
    lines = source.text.count("\n") + 1
    start = source.place(0)
    if line <= lines:
        text = source.line_text(line)
        start = type(start)(source.file, line, column, text)
    fix = None
    if code != "PRS":
        fix = "`todo-sql lint --fix` corrects most of style"
    return Finding(
        code,
        "error" if code == "PRS" else "warning",
        _lower(description),
        start,
        cause=f"style: {name}" if name else None,
        fix=fix,
    )


def _lower(text: str) -> str:
    text = text.rstrip(".")
    return text[:1].lower() + text[1:] if text[1:2].islower() else text
