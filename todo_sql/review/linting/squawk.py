"""The one caller of squawk: the safety of migrations, all files in one run of its binary."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from todo_sql.errors import ConfigError, DatabaseError, Finding
from todo_sql.migrations.files.rerun import DATA
from todo_sql.review.linting.reviewed import File, by_rewrite

_LARGE = 500_000  # characters; what squawk is given of a larger file holds no data

# The migrator sets the timeouts itself, and resumes a file where it stopped; and nobody writes
# smallint by accident.
_NOT_OURS = (
    *("require-lock-timeout", "require-statement-timeout", "prefer-robust-stmts"),
    "prefer-bigint-over-smallint",
)

# What a rollback is for: it takes away what the migration made.
_ROLLBACK_MAY = (
    *("adding-not-nullable-field", "renaming-column", "renaming-table", "ban-drop-column"),
    *("ban-drop-constraint", "ban-drop-database", "ban-drop-function", "ban-drop-not-null"),
    *("ban-drop-schema", "ban-drop-table", "ban-drop-trigger", "ban-drop-type", "ban-drop-view"),
)

# What `todo-sql rewrite` makes safe steps of.
_REWRITTEN = (
    *("adding-field-with-default", "adding-foreign-key-constraint", "adding-not-nullable-field"),
    *("changing-column-type", "constraint-missing-not-valid", "disallowed-unique-constraint"),
    *("renaming-column", "renaming-table", "require-concurrent-index-creation"),
    *("require-concurrent-index-deletion", "ban-drop-column", "ban-drop-table"),
    *("adding-serial-primary-key-field", "require-concurrent-reindex"),
)


def binary() -> str | None:
    """Return the path of squawk: beside this Python, or on PATH."""
    return shutil.which("squawk", path=str(Path(sys.executable).parent)) or shutil.which("squawk")


def page(rule: str) -> str | None:
    """Return the address of the page on a rule of squawk, or None: it has no such rule."""
    program = binary()
    if program is not None:
        asked = [program, f"--exclude={rule}"]
        run = subprocess.run(asked, stdin=subprocess.DEVNULL, capture_output=True, check=False)
        if run.returncode not in (0, 1):
            return None
    return f"https://squawkhq.com/docs/{rule}"


def check(
    files: Sequence[File], paths: Mapping[str, Path], postgres: int, root: Path
) -> Iterator[Finding]:
    """Yield what squawk finds in migrations and rollbacks.

    Args:
        paths: Where each file is, by its shown name.
        postgres: The major version that they are for, unless ``.squawk.toml`` names one.
        root: Where the search for a ``.squawk.toml`` begins.
    """
    program = binary()
    own = _own(root)
    left_out = own.get("excluded_paths", [])
    by_path = {
        str(paths[file.name]): file
        for file in files
        if not any(
            fnmatchcase(name, pattern)
            for pattern in left_out
            for name in (file.name, str(paths[file.name]), file.name.rsplit("/", 1)[-1])
        )
    }
    if program is None or not by_path:
        return
    with tempfile.TemporaryDirectory() as folder:
        for number, (path, file) in enumerate(list(by_path.items())):
            large = len(file.source.text) > _LARGE
            if file.source.segments or large:  # without data, and with the files that it names
                written = Path(folder) / f"{number}.sql"
                text = _without_data(file) if large else file.source.text
                written.write_text(text, encoding="utf-8", newline="")
                by_path[str(written)] = by_path.pop(path)
        run = subprocess.run(
            [
                *(program, "--reporter=json", "--assume-in-transaction"),
                "--no-error-on-unmatched-pattern",
                f"--pg-version={own.get('pg_version') or f'{postgres}.0'}",
                f"--exclude={','.join((*_NOT_OURS, *own.get('excluded_rules', [])))}",
                *by_path,
            ],
            cwd=root,
            capture_output=True,
            text=True,
            check=False,
        )
    if run.returncode not in (0, 1):
        raise DatabaseError(
            f"squawk failed with exit code {run.returncode}",
            code="R990",
            cause=run.stderr.strip() or run.stdout.strip(),
            fix="see whether `squawk --version` works; upgrade squawk-cli",
        )
    for entry in json.loads(run.stdout or "[]"):
        file = by_path[entry["file"]]
        rule = entry["rule_name"]
        if rule == "ban-concurrent-index-creation-in-transaction":
            applies = file.transactional
        else:
            applies = file.kind != "rollback" or rule not in _ROLLBACK_MAY
        if applies:
            yield _finding(file, entry)


def _without_data(file: File) -> str:
    """Return a file's text with blanks for what writes or reads rows, of which no rule speaks.

    So, too, for what is too large to be anything else, and for all of what is no SQL.
    """
    text, parts, at = file.source.text, [], 0
    for statement in file.statements:
        between = text[at : statement.start]
        parts.append(between if len(between) < _LARGE else _blank(between))
        at = statement.end + text.startswith(";", statement.end)
        whole = text[statement.start : at]
        data = statement.kind in DATA or len(whole) > _LARGE
        parts.append(_blank(whole) if data else whole)
    rest = text[at:]
    return "".join((*parts, rest if len(rest) < _LARGE else _blank(rest)))


def _blank(text: str) -> str:
    return re.sub(r"[^\n]", " ", text) if "\n" in text else " " * len(text)


def _own(root: Path) -> dict[str, Any]:
    """Return the ``.squawk.toml`` that squawk itself would read."""
    for folder in (root, *root.parents):
        path = folder / ".squawk.toml"
        if not path.is_file():
            continue
        wrong = None
        try:
            found = tomllib.loads(path.read_text(encoding="utf-8"))
        except (tomllib.TOMLDecodeError, UnicodeDecodeError, OSError) as error:
            found, wrong = {}, f"{path} cannot be read: {error}"
        for key in ("excluded_rules", "excluded_paths"):
            value = found.get(key, [])
            if not (isinstance(value, list) and all(isinstance(one, str) for one in value)):
                wrong = wrong or f"`{key}` in {path} is not a list of texts"
        if wrong:
            raise ConfigError(wrong, code="R006", fix="correct the file")
        return found
    return {}


def _finding(file: File, entry: Mapping[str, object]) -> Finding:
    source = file.source
    line = int(str(entry["line"])) + 1
    before = source.line_text(line).encode()[: int(str(entry["column"]))]  # it counts bytes
    message = str(entry["message"]).strip().rstrip(".")
    fix = str(entry["help"]).strip().rstrip(".") if entry.get("help") else None
    if file.kind == "migration" and entry["rule_name"] in _REWRITTEN:
        fix = by_rewrite(Path(source.file).stem, fix)
    return Finding(
        str(entry["rule_name"]),
        "error" if entry["level"] == "Error" else "warning",
        message[:1].lower() + message[1:],
        source.place_in_line(line, len(before.decode(errors="ignore")) + 1),
        fix=fix,
    )
