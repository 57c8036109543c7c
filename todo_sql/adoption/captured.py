"""The history of a tool that was run: what its harness found, as revisions. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from todo_sql.adoption.revisions import READ_ROWS, REPLACES, Asked, Half, History, Revision, refusal
from todo_sql.errors import Finding, Place

_SETS = re.compile(r"(?i)\s*set\s")


def history_of(
    folder: Path,
    asked: Asked,
    *,
    up: Mapping[str, Any],
    down: Mapping[str, Any],
    text: Mapping[str, Any] | None = None,
) -> History:
    """Return the history of three passes of a harness.

    Args:
        folder: What was named.
        asked: How files are shown.
        up: What was sent from nothing to the newest.
        down: What was sent on the way back, as far as it came.
        text: What the tool prints for the way up, without a database, if it can.
    """
    texts = text["revisions"] if text else {}
    revisions = [
        _revision(key, found, texts.get(key), down, up["before"], asked, printed=text is not None)
        for key, found in up["revisions"].items()
    ]
    made = [one for one in up["before"] if not _SETS.match(one)]
    if made:
        half = Half("env.py", _joined(made))
        reason = "env.py makes it before the first revision"
        revisions.insert(0, Revision("(env)", "env", "env.py", half, irreversible=reason))
    return History(tuple(revisions), tuple(_findings(up, folder, asked)))


def _revision(
    key: str,
    found: Mapping[str, Any],
    text: Mapping[str, Any] | None,
    down: Mapping[str, Any],
    before: Sequence[str],
    asked: Asked,
    *,
    printed: bool,
) -> Revision:
    file = _shown(found["path"], asked)
    statements = found["statements"]
    back = down["revisions"].get(key)
    irreversible = None
    if back is None:
        irreversible = f"its downgrade did not run: {_line(down['error'] or 'it was not reached')}"
    elif statements and not back["statements"]:
        irreversible = "its downgrade does nothing"
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
    outside = bool(found["outside"])
    sets = [one for one in before if _SETS.match(one)]
    empty = not statements and not (back and back["statements"])
    return Revision(
        key,
        found["name"],
        file,
        Half(file, _joined([*sets, *statements]) if statements else "", transactional=not outside),
        _half(file, sets, back, nothing=empty) if irreversible is None else None,
        version=found["created"],
        irreversible=irreversible,
        depends=tuple(found["depends"]),
        remarks=tuple(remarks),
        notes=tuple(notes),
    )


def _shown(path: str, asked: Asked) -> str:
    """Return a path as messages show it, without where a package is installed."""
    return asked.shown(Path(path)).rpartition("site-packages/")[2]


def _half(
    file: str, sets: Sequence[str], back: Mapping[str, Any] | None, *, nothing: bool
) -> Half | None:
    if nothing:
        return Half(file, "select 1; -- there is nothing to undo")
    if back is None:
        return None
    return Half(file, _joined([*sets, *back["statements"]]), transactional=not back["outside"])


def _same(text: Mapping[str, Any], found: Mapping[str, Any]) -> bool:
    return sorted(map(_line, text["statements"])) == sorted(map(_line, found["statements"]))


def _line(text: str) -> str:
    return " ".join(text.split()).rstrip("; ")


def _joined(statements: Sequence[str]) -> str:
    return "\n\n".join(f"{one};" for one in statements)


def _findings(up: Mapping[str, Any], folder: Path, asked: Asked) -> list[Finding]:
    if up["error"] is None:
        return []
    words = up["error"].splitlines()
    last = next(reversed(up["revisions"].values()), None)
    place = Place(_shown(last["path"] if last else str(folder), asked), 1)
    after = "the revision after this one" if last else "env.py"
    return [
        refusal(
            "A133",
            f"{after} raised {words[0]}",
            place,
            cause="the whole history is run on an empty scratch database, with the project's env.py"
            + (f"; {words[-1]}" if len(words) > 1 else ""),
            fix="give it what it needs as environment variables (`--set NAME=VALUE`; `{url}` is "
            "the scratch database), or correct the revision; where all databases are at head, "
            "`todo-sql init --from URL` is the short way",
        )
    ]
