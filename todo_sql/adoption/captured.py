"""The history of a tool that was run: what its harness found, as revisions. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from todo_sql.adoption.revisions import READ_ROWS, REPLACES, Asked, Half, History, Revision
from todo_sql.errors import Place

_DJANGO = "django_migrations"
_SETS = re.compile(r"(?i)\s*set\s")


def history_of(
    asked: Asked,
    *,
    up: Mapping[str, Any],
    undone: Mapping[str, Any],
    reasons: Mapping[str, str],
    text: Mapping[str, Any] | None = None,
) -> History:
    """Return the history of the passes of a harness.

    Args:
        asked: How files are shown; is told of what ended the way up.
        up: What was sent from nothing to the newest.
        undone: What was sent on the way back, by key.
        reasons: Why there is no way back, by key; of those that were not reached by "".
        text: What the tool prints for the way up, without a database, if it can.
    """
    texts = text["revisions"] if text else {}
    revisions = [
        _revision(
            key,
            found,
            texts.get(key),
            undone.get(key),
            reasons.get(key) or reasons.get("") or "it was not reached",
            up["before"],
            asked,
            printed=text is not None,
        )
        for key, found in up["revisions"].items()
    ]
    made = [one for one in up["before"] if not _SETS.match(one)]
    if made:
        half = Half("env.py", _joined(made))
        reason = "env.py makes it before the first revision"
        revisions.insert(0, Revision("(env)", "env", "env.py", half, irreversible=reason))
    _tell(up, asked)
    schema, table = up["ledger"]
    own = table if table not in ("alembic_version", _DJANGO) else None
    return History(
        tuple(revisions),
        tuple(asked.findings),
        own and f"{schema}.{own}" if schema else own,
    )


def _revision(
    key: str,
    found: Mapping[str, Any],
    text: Mapping[str, Any] | None,
    back: Mapping[str, Any] | None,
    reason: str,
    before: Sequence[str],
    asked: Asked,
    *,
    printed: bool,
) -> Revision:
    file = _shown(found["path"], asked)
    statements = found["statements"]
    sets = [one for one in before if _SETS.match(one)]
    irreversible = down = None
    if back is None:
        irreversible = f"its downgrade did not run: {_line(reason)}"
    elif back["statements"]:
        down = _half(file, sets, back)
    elif statements:
        irreversible = "its downgrade does nothing"
    else:
        down = Half(file, "select 1; -- there is nothing to undo")
    remarks = []
    if found.get("replaces"):
        remarks.append(f"{REPLACES}{' '.join(found['replaces'])}")
    if found["read_rows"]:
        remarks.append(READ_ROWS)
    elif printed and found["asked_catalog"] and (text is None or not _same(text, found)):
        remarks.append("It asked the catalog: these are the statements for an empty database.")
    notes = [one[0].lower() + one[1:] for one in remarks if not one.startswith(REPLACES)]
    if text is not None and not _same(text, found):
        notes.append("its offline text is another; this is what its run sent")
    return Revision(
        key,
        found["name"],
        file,
        _half(file, sets, found),
        down,
        version=found["created"],
        irreversible=irreversible,
        depends=tuple(found["depends"]),
        remarks=tuple(remarks),
        notes=tuple(notes),
    )


def _shown(path: str, asked: Asked) -> str:
    """Return a path as messages show it, without where a package is installed."""
    return asked.shown(Path(path)).rpartition("site-packages/")[2]


def _half(file: str, sets: Sequence[str], found: Mapping[str, Any]) -> Half:
    text = _joined([*sets, *found["statements"]]) if found["statements"] else ""
    return Half(file, text, transactional=not found["outside"])


def _same(text: Mapping[str, Any], found: Mapping[str, Any]) -> bool:
    return sorted(map(_line, text["statements"])) == sorted(map(_line, found["statements"]))


def _line(text: str) -> str:
    return " ".join(text.split()).rstrip("; ")


def _joined(statements: Sequence[str]) -> str:
    # The last line may be a comment.
    ended = (f"{one}\n;" if "--" in one.rpartition("\n")[2] else f"{one};" for one in statements)
    return "\n\n".join(ended)


def _tell(up: Mapping[str, Any], asked: Asked) -> None:
    """Tell what ended the way up, or what it did besides."""
    if up["error"] is None:
        after = [_line(one)[:80] for one in up["after"] if not _SETS.match(one)]
        words = f"does more once the revisions ran, which is none of them: {'; '.join(after)}"
        fix = "write what is still needed into migrations/hooks/after.sql, or a migration"
        if after:
            asked.leave_out(words, Place("env.py", 1), fix)
        return
    *words_of, at = up["error"].split("\n")
    file, _, line = at.rpartition(":")
    failed = up["failed"]
    path = Path(file or (failed["path"] if failed else "env.py"))
    which = failed["key"] if failed else "env.py" if up["ledger"][1] != _DJANGO else "the project"
    more = f"; {_line(' '.join(words_of[1:]))}" if words_of[1:] else ""
    asked.refuse(
        "A133",
        f"{which} raised {words_of[0]}",
        Place(_shown(str(path), asked), int(line) if line.isdigit() else 1),
        cause=f"the whole history is run on an empty scratch database, as it is for you{more}",
        fix="give it what it needs as environment variables: `--set NAME=VALUE`, where {url} "
        "is the scratch database, and {host}, {port}, {user}, {password}, {database} its "
        "parts; or correct the revision; where all databases are at head, "
        "`todo-sql init DIR --from URL` is the short way",
    )
