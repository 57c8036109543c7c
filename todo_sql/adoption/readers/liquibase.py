"""Liquibase's formatted SQL: changesets in files, in the order of the root changelog."""

from __future__ import annotations

import os
import re
import shlex
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import takewhile
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from todo_sql.adoption.documents import document, listed, text_of
from todo_sql.adoption.placeholders import filled
from todo_sql.adoption.revisions import Asked, Half, Revision, split_at
from todo_sql.sql.source import Source

_FORMATTED = re.compile(r"\A\s*--[ \t]*liquibase formatted sql(?P<rest>[^\r\n]*)", re.IGNORECASE)
# What may stand before the path of a changelog: where it was looked for.
_WHERE = re.compile(r"\A(?:classpath\*?|file|[A-Za-z]):")
_CHANGESET = re.compile(r"^[ \t]*--[ \t]*changeset[ \t]+(?P<rest>.*?)[ \t]*\r?$", re.M | re.I)
_ROLLBACK = re.compile(r"^[ \t]*--[ \t]*rollback(?:[ \t]+(?P<sql>.*?))?[ \t]*\r?$", re.M | re.I)
_ROLLBACK_BLOCK = re.compile(r"/\*[ \t]*liquibase rollback[ \t]*\r?\n(?P<sql>.*?)\*/", re.S | re.I)
_PROPERTY = re.compile(r"^[ \t]*--[ \t]*property[ \t]+(?P<rest>.*?)[ \t]*\r?$", re.M | re.I)
_CONDITION = re.compile(r"^[ \t]*--[ \t]*precondition(?:s\b|-)[^\n]*", re.M | re.I)
_OWN = re.compile(
    r"^[ \t]*--[ \t]*(?:validCheckSum|comment|ignoreLines|labels|property)\b[^\n]*", re.M | re.I
)
_IGNORED = re.compile(
    r"^[ \t]*--[ \t]*ignoreLines:start.*?^[ \t]*--[ \t]*ignoreLines:end[^\n]*", re.M | re.S | re.I
)
_PLACEHOLDER = re.compile(r"\$\{(?P<name>[\w.:-]+)\}")
_ROOTS = ("db.changelog-master", "changelog-master", "db.changelog", "changelog", "master", "root")
_KINDS = (".xml", ".yaml", ".yml", ".json", ".sql")
_CONTEXTS = ("context", "contextfilter", "labels")
_NOTHING = {"", "not required", "empty"}
_DEEPEST = 100  # changelogs that include changelogs
# What a delimiter may be besides its own letters: others could be made to match for hours.
_SIMPLE = re.compile(r"(?:[^()\[\]{}*+?.\\]|\\[nrt/;$|]|(?<!\*)\\s\*?)+")


def read(folder: Path, asked: Asked) -> Iterator[Revision]:
    """Read the changesets of a folder, or of a root changelog's includes.

    The keys are ``author:id:file``, with the file's last name, or its path where two files
    of one name hold a changeset of one author and id.
    """
    revisions = [one for path in _ordered(folder, asked) for one in _changesets(path, asked)]
    short = Counter(_short(one.key) for one in revisions)
    for one in revisions:
        name = _short(one.key)
        yield replace(one, key=name) if short[name] == 1 else one


def _short(key: str) -> str:
    """Return a key with the last name of its file."""
    changeset, _, file = key.rpartition(":")
    return f"{changeset}:{file.rpartition('/')[2]}"


def _plain(file: str) -> str:
    """Return the path of a changelog without where it was looked for, or a drive of Windows's."""
    return _WHERE.sub("", file.replace("\\", "/"))


def key_of_row(key: str, keys: Sequence[str]) -> str:
    """Return the key of a row, whose path is as Liquibase was started; its end tells which."""
    author, id, file = key.split("\n")
    changeset, file = f"{author}:{id}", _plain(file)
    parts = file.split("/")[::-1]
    there = [one for one in keys if _short(one) == _short(f"{changeset}:{file}")]

    def shared(one: str) -> int:
        own = one.rpartition(":")[2].split("/")[::-1]
        return len(list(takewhile(lambda pair: pair[0] == pair[1], zip(own, parts, strict=False))))

    return max(there, key=shared, default=_short(f"{changeset}:{file}"))


def _ordered(folder: Path, asked: Asked) -> list[Path]:
    """Return the SQL files in the order of the root changelog, or by name where there is none."""
    root = folder if folder.is_file() else None
    if root is None:
        named = [folder / f"{name}{kind}" for name in _ROOTS for kind in _KINDS]
        root = next((path for path in named if path.is_file()), None)
    if root is None or root.suffix == ".sql":
        return [folder] if folder.is_file() else sorted(folder.rglob("*.sql"))
    return list(_included(root, asked, {}))


def _included(path: Path, asked: Asked, seen: dict[str, bool], depth: int = 0) -> Iterator[Path]:
    """Yield the SQL files that a changelog leads to, each once.

    Args:
        path: Of the changelog, or of an SQL file.
        asked: What may be read; is told what is wrong with an include.
        seen: The files so far by their real paths, each with whether it is still being read.
        depth: How many changelogs lead to it.
    """
    real = os.path.realpath(path)
    if seen.get(real) is False:
        return
    if path.suffix == ".sql":
        seen[real] = False
        yield path
        return
    source = asked.source(path)
    if real in seen or depth > _DEEPEST:
        fix = "take one of the includes out"
        asked.refuse("A114", "includes itself", source.place(0), fix=fix)
        return
    seen[real] = True
    for kind, file in _entries(source, asked):
        targets = _targets(kind, file, path, asked)
        if targets is None:
            fix = "correct the path, or import from the folder that it starts at"
            words = f"includes {file[:200]}, which is not there"
            asked.refuse("A114", words, source.place(0), fix=fix)
        for target in targets or ():
            yield from _included(target, asked, seen, depth + 1)
    seen[real] = False


def _targets(kind: str, file: str, path: Path, asked: Asked) -> list[Path] | None:
    """Return the files that an include of a changelog means; None: it is not in the project."""
    try:
        # Below each folder from the changelog's up to the root, too.
        name = file.removeprefix("classpath:").lstrip("/")
        places = [path.parent / file, *(here / name for here in asked.above(path.parent))]
        target = next((one for one in places if one.exists()), places[0])
        if not asked.holds(target):
            return None
        if kind == "includeAll" and target.is_dir():
            return sorted(one for one in target.rglob("*") if one.suffix in _KINDS)
        return [target] if kind == "include" and target.is_file() else None
    except (OSError, ValueError):  # a name that no file can have
        return None


def _entries(source: Source, asked: Asked) -> Iterator[tuple[str, str]]:
    """Yield the includes of a changelog in XML, YAML or JSON."""
    try:
        if source.file.endswith(".xml"):
            if "<!DOCTYPE" in source.text or "<!ENTITY" in source.text:
                raise ValueError("it defines entities")
            tree: Any = ElementTree.fromstring(source.text.encode())
            found = [(one.tag.rpartition("}")[2], dict(one.attrib)) for one in tree]
        else:
            changes: list[Any] = listed(document(source)["databaseChangeLog"])
            found = [pair for one in changes for pair in one.items()]
    except (ValueError, KeyError, TypeError, AttributeError, ElementTree.ParseError) as error:
        fix = "name the folder of the SQL files instead"
        words = f"cannot be read as a changelog: {error}"
        asked.refuse("A114", words, source.place(0), fix=fix)
        return
    for kind, given in found:
        if kind in ("include", "includeAll") and isinstance(given, Mapping):
            file = text_of(given.get("file") or given.get("path"))
            relative = text_of(given.get("relativeToChangelogFile")).lower() == "true"
            yield kind, file if relative else file.removeprefix("/")
        elif kind in ("changeSet", "changeset"):
            fix = "write it in formatted SQL (`liquibase update-sql` shows what it sends)"
            id = text_of(given.get("id") if isinstance(given, Mapping) else "?")
            words = f"changeset {id} is not in SQL"
            asked.refuse("A113", words, source.place(0), fix=fix)


def _changesets(path: Path, asked: Asked) -> Iterator[Revision]:
    source = asked.source(path)
    first = _FORMATTED.match(source.text)
    if first is None:
        return
    properties = dict(_properties(source))
    own = _attributes(f"- {first['rest']}")[1].get("logicalfilepath", source.file)
    # `ignoreLines` may hide anything, marks too; their lines stay, empty.
    text = _IGNORED.sub(lambda found: "\n" * found[0].count("\n"), source.text)
    at = 0
    for mark, body, line in split_at(text, _CHANGESET):
        if mark is None:
            continue
        name, said = _attributes(mark["rest"])
        author, _, id = name.partition(":")
        at = source.text.find(mark[0], at)
        place = source.place(at, at + len(mark[0]))
        if not id:
            fix = "write `--changeset author:id`"
            asked.refuse("A114", "a changeset without author:id", place, fix=fix)
            continue
        if unwanted := _unwanted(said, asked):
            asked.leave_out(f"changeset {name} was left out: {unwanted}", place)
            continue
        if not asked.contexts and not said.keys().isdisjoint(_CONTEXTS):
            fix = "name those that are meant: `--context NAME`, once each"
            asked.refuse("A115", f"changeset {name} is for `{_which(said)}` only", place, fix=fix)
        half = Half(source.file, body, line, said.get("runintransaction", "true") != "false")
        if condition := _CONDITION.search(body):
            shown = half.place(condition.start(), condition.end())
            fix = "take it out, or write it as `if` in a `do` block"
            asked.refuse("A115", f"changeset {name} has a precondition", shown, fix=fix)
        up, down, reason = _halves(half, said)
        file = _plain(said.get("logicalfilepath", own))
        yield Revision(
            f"{author}:{id}:{file}",
            f"{Path(source.file).stem} {id}",
            source.file,
            filled(up, _PLACEHOLDER, asked, properties),
            down and filled(down, _PLACEHOLDER, asked, properties),
            irreversible=reason,
            repeatable="true" in (said.get("runonchange"), said.get("runalways")),
        )


def _attributes(rest: str) -> tuple[str, dict[str, str]]:
    """Return ``author:id`` and the attributes of a changeset."""
    lexer = shlex.shlex(rest, posix=True)
    lexer.whitespace_split, lexer.commenters, lexer.escape = True, "", ""  # `\nGO` stays it
    try:
        words = list(lexer)
    except ValueError:
        words = rest.split()
    name, *others = words or [""]
    pairs = (word.partition(":") for word in others)
    return name, {key.lower(): value for key, colon, value in pairs if colon}


def _properties(source: Source) -> Iterator[tuple[str, str]]:
    for found in _PROPERTY.finditer(source.text):
        said = _attributes(f"- {found['rest']}")[1]
        dbms = said.get("dbms", "")
        if "name" in said and (not dbms or "postgresql" in dbms):
            yield said["name"], said.get("value", "")


def _unwanted(said: Mapping[str, str], asked: Asked) -> str | None:
    dbms = [one.strip() for one in said.get("dbms", "").split(",") if one.strip()]
    if dbms and not ({"postgresql", "all"} & set(dbms)) and not any(d[0] == "!" for d in dbms):
        return f"it is for {', '.join(dbms)}"
    if "!postgresql" in dbms:
        return "it is not for PostgreSQL"
    if said.get("ignore") == "true":
        return "it says ignore:true"
    which = _which(said)
    if which and asked.contexts and not _meant(which, asked.contexts):
        return f"it is for `{which}`, which was not named"
    return None


def _which(said: Mapping[str, str]) -> str | None:
    """Return the contexts or labels that a changeset is for."""
    return next((said[name] for name in _CONTEXTS if said.get(name)), None)


def _meant(expression: str, contexts: tuple[str, ...]) -> bool:
    """Evaluate ``a and !b, c`` as Liquibase does, for the contexts that were named."""
    return any(
        all(
            (one[1:].strip() not in contexts) if one.startswith("!") else one in contexts
            for one in map(str.strip, re.split(r"\band\b", either, flags=re.IGNORECASE))
        )
        for either in re.split(r",|\bor\b", expression, flags=re.IGNORECASE)
    )


def _halves(half: Half, said: Mapping[str, str]) -> tuple[Half, Half | None, str | None]:
    """Return both directions of a changeset, and why there is no way back."""
    body = half.text
    block = _ROLLBACK_BLOCK.search(body)
    lines = [found["sql"] or "" for found in _ROLLBACK.finditer(body)]
    text = "\n".join(lines).strip() if lines else (block["sql"].strip() if block else None)
    for marks in (_ROLLBACK_BLOCK, _ROLLBACK, _OWN, _CONDITION):
        body = marks.sub(lambda found: "\n" * found[0].count("\n"), body)
    up = replace(half, text=_delimited(body, said))
    if text is None:
        return up, None, None
    if text.lower().rstrip(";") in _NOTHING:
        return up, None, "its changeset says that nothing is to be rolled back"
    if re.match(r"changesetId:", text, re.IGNORECASE):
        return up, None, "it was rolled back by another changeset"
    down = replace(half, text=_delimited(text, said))
    return up, down, None


def _delimited(text: str, said: Mapping[str, str]) -> str:
    """Return a text whose statements end as PostgreSQL has it."""
    delimiter = said.get("enddelimiter")
    if not delimiter or delimiter == ";":
        return text
    plain = delimiter if _SIMPLE.fullmatch(delimiter) else re.escape(delimiter)
    pattern = re.compile(rf"(?<![ \t])[ \t]*(?:{plain})[ \t]*$", re.MULTILINE)
    return pattern.sub(";", text)
