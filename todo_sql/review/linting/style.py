"""The one import of sqlfluff: the style of SQL files, checked in this process.

A file whose text, configuration and sqlfluff version were seen before is answered from a
cache; when all are, sqlfluff is not even imported.
"""

from __future__ import annotations

import configparser
import hashlib
import json
import os
import re
from collections.abc import Iterable, Iterator
from contextlib import suppress
from importlib import metadata, resources
from pathlib import Path
from typing import TYPE_CHECKING, Any

from todo_sql import writing
from todo_sql.errors import ConfigError, Finding
from todo_sql.sql.source import Source

_LONGEST = 200_000  # characters; a longer file is data, and would take minutes
_COMMENTS = 500  # in a file; the time grows by the square of how deep they nest

# Those that run nothing, and the options that name what the others run.
TEMPLATERS = ("raw", "placeholder")
RUNS_CODE = ("library_path", "load_macros_from_path", "loader_search_path", "project_dir")

_CONFIGURED_BY = ("setup.cfg", "tox.ini", "pep8.ini", ".sqlfluff", "pyproject.toml")
_PARAMETER = re.compile(r"(?<![:\w]):([A-Za-z_]\w*+)")

if TYPE_CHECKING:
    from sqlfluff.core import Linter


def _default() -> str:
    """Return the configuration of a project that has none."""
    return (resources.files(__package__) / "sqlfluff.cfg").read_text(encoding="utf-8")


def installed() -> bool:
    """Return whether sqlfluff is there."""
    return _version("sqlfluff") is not None


def page(word: str) -> str | None:
    """Return the address of the page on a rule of sqlfluff, by code or name, or None."""
    if not installed():
        return None
    from sqlfluff import list_rules

    for rule in list_rules():
        if word.upper() == rule.code or word in (rule.name, *rule.aliases):
            return f"https://docs.sqlfluff.com/en/stable/reference/rules/{rule.name.split('.')[0]}"
    return None


def knows(word: str) -> bool:
    """Return whether sqlfluff has a rule, or a group of rules, of such a name or code."""
    from sqlfluff import list_rules

    words = {
        part.lower()
        for rule in list_rules()
        for part in (rule.code, rule.name, rule.name.split(".")[0], *rule.aliases)
    }
    return word.lower() in words


def too_much(text: str) -> str | None:
    """Return why the style of a text is not looked at, or None."""
    if len(text) > _LONGEST:
        return "it is too long"
    return "it has too many comments" if text.count("/*") > _COMMENTS else None


class Style:
    """Checks and corrects the style of files under one configuration.

    Args:
        cache: The file of the cache, or None: do without.
        queries: Texts whose parameters have no value in the configuration, perhaps.
    """

    def __init__(self, root: Path, cache: Path | None, queries: Iterable[Source] = ()) -> None:
        self._root = root
        self._cache = cache
        self._linters: dict[Path, Linter] = {}
        self._names = sorted({name for one in queries for name in _PARAMETER.findall(one.text)})
        found = ((name, _version(name)) for name in ("sqlfluff", "sqlfluffrs"))
        versions = ",".join(f"{name}={version}" for name, version in found if version is not None)
        self._base = hashlib.sha256(f"{versions} {self._names} {_default()}".encode())
        self._folders: dict[Path, bytes] = {}

    def check(self, sources: Iterable[Source]) -> Iterator[Finding]:
        """Yield what is wrong with the style of each file."""
        known = self._load()
        seen: dict[str, list[list[Any]]] = {}
        for source in sources:
            if too_much(source.text):
                continue
            whole = self._base.copy()
            whole.update(self._configured((self._root / source.file).parent))
            whole.update(source.text.encode())
            key = whole.hexdigest()
            seen[key] = known[key] if key in known else self._violations(source)
            for violation in seen[key]:
                yield _finding(source, *violation)
        if self._cache is not None and seen.keys() - known.keys():
            entries = {**known, **seen} if len(known) < 2000 else seen
            # A project that cannot be written to is linted all the same.
            with suppress(OSError, ConfigError):
                writing.write(self._cache, json.dumps(entries), self._root)

    def mended(self, source: Source) -> str:
        """Return the text as sqlfluff would write it."""
        result = self._open(source).lint_string(source.text, fname=source.file, fix=True)
        return str(result.fix_string()[0])

    def _violations(self, source: Source) -> list[list[Any]]:
        linter = self._open(source)
        violations = linter.lint_string(source.text, fname=source.file).get_violations()
        return [[v.rule_code(), v.rule_name(), v.line_no, v.line_pos, v.desc()] for v in violations]

    def _open(self, source: Source) -> Linter:
        """Return the linter for a file: under the configuration of its folder and those above."""
        folder = (self._root / source.file).parent
        if folder not in self._linters:
            from sqlfluff.core import FluffConfig, Linter
            from sqlfluff.core.config.loader import load_config_string, load_config_up_to_path
            from sqlfluff.core.errors import SQLFluffUserError

            try:
                found: Any = load_config_up_to_path(str(folder))
                self._refuse_code(found, folder)
                core = found.get("core", {})
                if not core and not found.get("rules"):
                    found = load_config_string(_default(), found)
                    core = found["core"]
                core.setdefault("dialect", "postgres")
                core.setdefault("templater", TEMPLATERS[1])  # sqlfluff's own default runs templates
                found["core"] = core
                values = found.setdefault("templater", {}).setdefault("placeholder", {})
                if not {"param_style", "param_regex"} & values.keys():
                    values["param_style"] = "colon"
                for name in self._names:
                    values.setdefault(name, "1")
                self._linters[folder] = Linter(config=FluffConfig(configs=found))
            except (SQLFluffUserError, configparser.Error, ValueError, KeyError) as error:
                raise ConfigError(
                    f"sqlfluff's configuration for {folder} cannot be read: {error}",
                    code="R006",
                    fix="correct it; see https://docs.sqlfluff.com",
                ) from None
        return self._linters[folder]

    def _refuse_code(self, found: Any, folder: Path) -> None:
        """Refuse a configuration that makes sqlfluff run what came with the checkout."""
        templater = found.get("core", {}).get("templater", "")
        templates = found.get("templater", {})
        named = [key for one in templates.values() if isinstance(one, dict) for key in one]
        wrong = [key for key in (*named, *templates) if key in RUNS_CODE]
        wrong += ["templater"] if templater not in (*TEMPLATERS, "") else []
        if not wrong:
            return
        within = [one for one in (folder, *folder.parents) if one.is_relative_to(self._root)]
        files = (one / ".sqlfluff" for one in within)
        source = next((Source.read(one, self._root) for one in files if one.is_file()), None)
        at = source and re.search(rf"^\s*{wrong[0]}\s*=", source.text, re.MULTILINE)
        raise ConfigError(
            f"`{wrong[0]}` in sqlfluff's configuration would run code of this checkout",
            code="R004",
            place=source.place(at.start()) if source and at else None,
            fix=f"leave it out, and use the templater {' or '.join(TEMPLATERS)}",
        )

    def _configured(self, folder: Path) -> bytes:
        """Return the texts of every file that may configure sqlfluff for a folder."""
        if folder not in self._folders:
            above = (folder, *folder.parents, Path.home())
            paths = [one / name for one in above for name in _CONFIGURED_BY]
            self._folders[folder] = b"\0".join(
                path.read_bytes() for path in paths if path.is_file() and os.access(path, os.R_OK)
            )
        return self._folders[folder]

    def _load(self) -> dict[str, list[list[Any]]]:
        found = None
        if self._cache is not None:
            with suppress(OSError, ValueError):  # a damaged cache is made anew
                found = json.loads(self._cache.read_text(encoding="utf-8"))
        return found if isinstance(found, dict) else {}


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def _finding(
    source: Source, code: str, name: str, line: int, column: int, description: str
) -> Finding:
    unread, said = code == "PRS", description.rstrip(".")
    is_behind = line > source.text.count("\n") + 1
    return Finding(
        code,
        "error" if unread else "warning",
        said[:1].lower() + said[1:] if said[1:2].islower() else said,
        source.place(0) if is_behind else source.place_in_line(line, column),
        cause=f"style: {name}" if name else None,
        fix=None if unread else "`todo-sql lint --fix` corrects most of style",
    )
