"""A history as files of ours, and the map from keys to ids that stands in them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, replace
from pathlib import Path

from todo_sql import writing
from todo_sql.adoption.body import Body, body_of, without_directives
from todo_sql.adoption.old_ledger import LEDGER_KEY
from todo_sql.adoption.placeholders import Stretches, stretches_in
from todo_sql.adoption.revisions import READ_ROWS, REPLACES, History, Revision, refusal
from todo_sql.adoption.tools import Tool
from todo_sql.adoption.versions import slug, unlike, versions
from todo_sql.errors import Finding, Place
from todo_sql.migrations.files.directives import UNKNOWN_FATE
from todo_sql.migrations.files.folder import REPEATABLE, files_of
from todo_sql.sql.scanner import COMMENTS
from todo_sql.sql.source import open_file

_FROM = re.compile(r"^-- From ([\w-]+): (.+)$", re.MULTILINE)
_CHECKSUM, _DEPENDS = "Its checksum there: ", "There it stands on: "
_HEAD = 4096  # bytes of a file that may hold these lines
_FIRST = "00000000000000"
_NO_WAY_BACK = ("A112", "M121", "M122")  # of a rollback, which is left out then
_UNWRITTEN = "Code that came over as a placeholder"


@dataclass(frozen=True, slots=True)
class Adopted:
    """A migration of ours that came over.

    Attributes:
        id: Ours.
        key: The other tool's.
        checksum: What that tool's ledger would hold of the text, if anything.
        depends: The keys that it stands on, where its tool has heads.
        placeholder: Whether its SQL is not all that the other tool did.
        replaces: The keys that it stands for, where its tool squashed them.
    """

    id: str
    key: str
    checksum: str | None
    depends: tuple[str, ...]
    placeholder: bool
    replaces: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class NewFile:
    """A pair of files to be written.

    Attributes:
        revision: What it comes from.
        name: The file's name, in its folder.
        text: What it holds.
        rollback: What its rollback file holds, or None.
        notes: What a person should know.
    """

    revision: Revision
    name: str
    text: str
    rollback: str | None
    notes: tuple[str, ...] = ()

    @property
    def path(self) -> str:
        """The file's path in the folder of migrations."""
        return f"{REPEATABLE}/{self.name}" if self.revision.repeatable else self.name

    @property
    def rollback_name(self) -> str:
        """The name of the file that undoes it."""
        return self.name.removesuffix(".sql") + ".rollback.sql"


@dataclass(frozen=True, slots=True)
class Conversion:
    """What `convert` makes of a history.

    Attributes:
        files: To be written, in order.
        findings: What was refused (errors), and what was left out (warnings).
        kept: How many came over before.
    """

    files: tuple[NewFile, ...]
    findings: tuple[Finding, ...] = ()
    kept: int = 0

    @property
    def refused(self) -> tuple[Finding, ...]:
        """The errors."""
        return tuple(one for one in self.findings if one.severity == "error")


def convert(
    tool: Tool, history: History, *, before: Sequence[Adopted] = (), left: Set[str] = frozenset()
) -> Conversion:
    """Return the files for a history.

    Args:
        tool: Which.
        history: As its reader read it.
        before: What came over already.
        left: Keys that come over as placeholders, to be written by hand.
    """
    known = {one.key for one in before}
    fresh = [
        one
        for one in history.revisions
        if one.key not in known and not (before and one.key.startswith("("))  # these come first
    ]
    versioned = [one for one in fresh if not one.repeatable]
    own = None if before else _own_ledger(tool, fresh)
    last = max((one.id[:14] for one in before), default=_FIRST if own else "")
    by_hand = {one.file for one in fresh if one.key in left}
    findings = [f for f in history.findings if f.place is None or f.place.file not in by_hand]
    if twice := list(_twice(history.revisions)):
        return Conversion((), (*findings, *twice))
    numbers = versions((one.version for one in versioned), last)
    ids = {one.key: f"{n}_{slug(one.name)}" for n, one in zip(numbers, versioned, strict=True)}
    ids |= {one.key: one.id for one in before}
    files = [own] if own else []
    for one in fresh:
        if one.repeatable:
            ids[one.key] = unlike(slug(one.name), set(ids.values()))
        found, wrong = _file(tool.name, one, ids, placeholder=one.key in left)
        files.append(found)
        findings += wrong
    return Conversion(tuple(files), tuple(findings), len(history.revisions) - len(fresh))


def _twice(revisions: Iterable[Revision]) -> Iterator[Finding]:
    """Yield what two files of a history are one migration of, as its tool counts them."""
    seen: dict[str, str] = {}
    for one in revisions:
        if other := seen.get(one.key):
            yield refusal(
                "A114",
                f"{one.key} is in {other}, too" if other != one.file else f"a second {one.key}",
                Place(one.file, one.up.line if one.up else 1),
                cause="the other tool tells its migrations apart by this",
                fix="give one of the two another, or move it elsewhere",
            )
        seen[one.key] = one.file


def _own_ledger(tool: Tool, revisions: Iterable[Revision]) -> NewFile | None:
    """Return the file that makes the other tool's ledger, if one of the history uses it."""
    ledger = tool.ledger
    if not ledger.ddl:
        return None
    name = f"{ledger.schema}.{ledger.table}" if ledger.schema else ledger.table
    used = re.compile(rf"(?<![\w.-]){re.escape(name)}\b|\bpublic\.{re.escape(name)}\b")
    uses = next((one for one in revisions if one.up and _holds(one.up.text, used)), None)
    if uses is None:
        return None
    name = f"{_FIRST}_ledger_of_{slug(tool.name)}.sql"
    revision = Revision(LEDGER_KEY, "ledger", uses.file, None)
    text = (
        f"-- From {tool.name}: {LEDGER_KEY}\n"
        f"-- {_line(uses.file)} uses the table of {tool.title}'s own ledger.\n"
        f"-- irreversible: {tool.title} has no file for it\n\n{ledger.ddl};\n"
    )
    return NewFile(revision, name, text, None, (f"uses {ledger.table}, so {name} makes it",))


def _file(
    tool: str, one: Revision, ids: Mapping[str, str], *, placeholder: bool
) -> tuple[NewFile, list[Finding]]:
    text = [f"-- From {tool}: {_line(one.key)}", f"-- It was {_line(one.file)}."]
    if one.checksum:
        text.append(f"-- {_CHECKSUM}{one.checksum}")
    text += [f"-- {remark}" for remark in one.remarks]
    if one.depends:
        text.append(f"-- {_DEPENDS}{' '.join(one.depends)}")
    notes = list(one.notes)
    name = f"{ids[one.key]}.sql"
    if one.up is None or placeholder:
        text.append(f"-- irreversible: {_line(one.irreversible or f'{tool} ran it')}")
        words = f"{one.key} of {tool} did more than SQL says: write it here".replace("'", "''")
        warns = f"do $placeholder$ begin raise warning '{words}'; end $placeholder$;"
        if placeholder:
            notes.append("is a placeholder: what it does is to be written as SQL")
        text += ["", f"-- {_UNWRITTEN}.", warns, ""]
        return NewFile(one, name, "\n".join(text), None, tuple(notes)), []
    up = body_of(one.up)
    down = body_of(one.down) if one.down and not one.repeatable else None
    unread = [f for f in down.findings if f.code in _NO_WAY_BACK] if down else []
    wrong = list(up.findings)
    left_out = "its way back did not come over: "
    wrong += [
        replace(f, severity="warning", cause=left_out + (f.cause or f.message)) for f in unread
    ]
    notes += up.notes
    if not up.transactional and one.up.transactional is not False:
        notes.append("runs outside a transaction: PostgreSQL asks that of a statement in it")
    _say(text, up, tool)
    rollback = None
    if down and not down.empty and not unread:
        undo = [f"-- Undoes {ids[one.key]}."]
        _say(undo, down, tool)
        rollback = _joined(undo, down)
        notes += [f"way back: {note}" for note in down.notes]
        wrong += down.findings
    elif not one.repeatable:
        reason = one.irreversible or f"{tool} has no way back for it"
        if down:
            words = f"did not come over: {unread[0].message}" if unread else "holds no statement"
            reason = f"its way back in {tool} {words}"
        text.append(f"-- irreversible: {_line(reason)}")
    return NewFile(one, name, _joined(text, up), rollback, tuple(notes)), wrong


def _say(text: list[str], body: Body, tool: str) -> None:
    if not body.transactional:
        text.append("-- transactional: false")
    if body.unknown_fate:
        text.append(f"-- allow: {UNKNOWN_FATE} {tool} ran it outside a transaction, too")


def _joined(text: list[str], body: Body) -> str:
    sql = body.text.replace("\r\n", "\n").strip("\n")
    return without_directives("\n".join(text) + (f"\n\n{sql}\n" if sql else "\n"), len(text))


def _line(text: str) -> str:
    return " ".join(text.split())


def _holds(text: str, pattern: re.Pattern[str]) -> bool:
    """Tell whether a pattern is found outside of comments."""
    comments = Stretches(stretches_in(text, COMMENTS))
    return any(found.start() not in comments for found in pattern.finditer(text))


def write(files: Iterable[NewFile], folder: Path, within: Path) -> None:
    """Write the files.

    Raises:
        ConfigError: The folder lies outside of the project.
    """
    for one in files:
        with writing.folder((folder / one.path).parent, within) as open_folder:
            open_folder.write(one.name, one.text)
            if one.rollback is not None:
                open_folder.write(one.rollback_name, one.rollback)


def adopted(folder: Path, tool: str) -> list[Adopted]:
    """Return what came over from a tool, by what its files say, in the order of the ids."""
    found = []
    names = files_of(folder) if folder.is_dir() else []
    repeatables = sorted((folder / REPEATABLE).glob("*.sql"))
    names += [f"{REPEATABLE}/{path.name}" for path in repeatables]
    for name in names:
        if not name.endswith(".sql") or name.endswith(".rollback.sql"):
            continue
        with open_file(folder / name) as file:
            head = file.read(_HEAD).decode(errors="replace")
        origin = _FROM.search(head)
        if origin is None or origin[1] != tool:
            continue
        found.append(
            Adopted(
                Path(name).stem,
                origin[2],
                next(iter(_said(head, _CHECKSUM)), None),
                _said(head, _DEPENDS),
                _UNWRITTEN in head or READ_ROWS in head,
                _said(head, REPLACES),
            )
        )
    return sorted(found, key=lambda one: one.id)


def _said(head: str, remark: str) -> tuple[str, ...]:
    """Return the words behind a remark of ours on top of a file."""
    found = re.search(rf"^-- {remark}(.+)$", head, re.MULTILINE)
    return tuple(found[1].split()) if found else ()
