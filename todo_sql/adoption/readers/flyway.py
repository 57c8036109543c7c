"""Flyway: `V1.2__name.sql`, `R__name.sql`, `U1.2__name.sql`, in sub-folders too."""

from __future__ import annotations

import re
import tomllib
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from todo_sql.adoption.placeholders import filled
from todo_sql.adoption.revisions import Asked, Half, Revision, code_instead, half_of
from todo_sql.adoption.versions import natural
from todo_sql.errors import Place

_CALLBACK = re.compile(r"(before|after)[A-Z]\w*(__.*)?\.sql|createSchema.*\.sql")
_CODE = {".java": "in Java", ".kt": "in Kotlin", ".groovy": "in Groovy", ".class": "in Java"}
_KINDS = ("versioned", "undo", "baseline", "repeatable")
_TRUE = {"true", "on", "yes", "1"}
_LONGEST_NAME = 500  # of a placeholder


# What is called so in Flyway's settings, and in ours.
_NAMES = {
    "sqlMigrationPrefix": "versioned",
    "repeatableSqlMigrationPrefix": "repeatable",
    "undoSqlMigrationPrefix": "undo",
    "baselineMigrationPrefix": "baseline",
    "sqlMigrationSeparator": "separator",
    "encoding": "encoding",
    "placeholderPrefix": "opening",
    "placeholderSuffix": "closing",
}
_PLACEHOLDERS = "flyway.placeholders."


@dataclass(frozen=True, slots=True)
class _Settings:
    """What flyway.conf or flyway.toml says of names and placeholders."""

    versioned: str = "V"
    repeatable: str = "R"
    undo: str = "U"
    baseline: str = "B"
    separator: str = "__"
    suffixes: tuple[str, ...] = (".sql",)
    encoding: str = "utf-8"
    opening: str = "${"
    closing: str = "}"
    replaces: bool = True
    values: Mapping[str, str] | None = None

    def named(self, name: str) -> tuple[str, str, str] | None:
        """Return kind, version and description of a file's name."""
        suffix = next((one for one in (*self.suffixes, *_CODE) if name.endswith(one)), None)
        if suffix is None:
            return None
        stem = name.removesuffix(suffix)
        for kind in _KINDS:
            prefix = getattr(self, kind)
            version, separator, words = stem.removeprefix(prefix).partition(self.separator)
            if not prefix or not stem.startswith(prefix) or not separator:
                continue
            if kind == "repeatable":
                return (kind, "", words) if not version else None
            if re.fullmatch(r"\d+([._]\d+)*", version):
                return kind, version.replace("_", "."), words
        return None


def version_key(version: str) -> str:
    """Return a version as Flyway compares it: number by number, without zeros at the end."""
    if not re.fullmatch(r"\d+(\.\d+)*", version):
        return version
    parts = [int(part) for part in version.split(".")]
    while len(parts) > 1 and parts[-1] == 0:
        parts.pop()
    return ".".join(map(str, parts))


def read(folder: Path, asked: Asked) -> Iterator[Revision]:
    """Read a folder of Flyway's; its keys are versions, and ``R__name`` for repeatable files."""
    settings = _settings(folder, asked)

    def top(path: Path) -> Place:
        return asked.source(path, settings.encoding).place(0)

    kinds: dict[str, dict[str, tuple[str, Path]]] = {kind: {} for kind in _KINDS}
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        named = settings.named(path.name)
        if named is None:
            if _CALLBACK.fullmatch(path.name):
                fix = "put what is still needed into migrations/hooks/ (before, after, after_each)"
                asked.leave_out("is a callback", top(path), fix)
            continue
        kind, version, words = named
        key = version_key(version) if version else f"R__{words}"
        if key in kinds[kind]:
            fix = "give one of the two another version"
            asked.refuse("A114", f"a second file of {key}", top(path), fix=fix)
        else:
            kinds[kind][key] = words, path
    versions = kinds["versioned"]
    last = max(kinds["baseline"], key=natural, default=None)
    if last is not None and not any(natural(key) <= natural(last) for key in versions):
        versions = {last: kinds["baseline"][last], **versions}
    elif last is not None:
        words = "was left out: the files before it make the same"
        fix = "delete the older files here if the baseline is to begin the history"
        asked.leave_out(words, top(kinds["baseline"][last][1]), fix)
    ordered = sorted(versions.items(), key=lambda one: natural(one[0]))
    for key, (words, path) in (*ordered, *sorted(kinds["repeatable"].items())):
        name, version = words.replace("_", " "), "" if key.startswith("R__") else key
        if path.suffix in _CODE:
            yield code_instead(key, name, path, asked, _CODE[path.suffix], version)
            continue
        up, text = _half(path, settings, asked)
        undo = kinds["undo"].get(key) if version else None
        if up is not None:
            yield Revision(
                key,
                name,
                up.file,
                up,
                _half(undo[1], settings, asked)[0] if undo else None,
                version=version,
                checksum=_checksum(text),
                repeatable=not version,
            )


def _half(path: Path, settings: _Settings, asked: Asked) -> tuple[Half | None, str]:
    """Return a file, unless its .conf says that it is not to be run, and its text."""
    own = path.with_name(f"{path.name}.conf")
    conf = asked.half_there(own)
    said = dict(_properties(conf.text)) if conf else {}
    source = asked.source(path, said.get("encoding", settings.encoding))
    run = said.get("shouldExecute", "true").strip().lower()
    if run not in ("true", "false"):
        fix = "say true or false, as it is meant for this history"
        asked.refuse("A115", f"`shouldExecute={run}` is decided at run time", own, fix=fix)
    if run == "false":
        words = "was left out: its .conf says shouldExecute=false"
        asked.leave_out(words, source.place(0))
        return None, source.text
    inside = said.get("executeInTransaction")
    half = half_of(source, None if inside is None else inside in _TRUE)
    replaces = said.get("placeholderReplacement")
    if settings.replaces if replaces is None else replaces.lower() in _TRUE:
        opening, closing = re.escape(settings.opening), re.escape(settings.closing)
        ends = re.escape(settings.closing[-1])
        pattern = re.compile(rf"{opening}(?P<name>[^{ends}\n]{{1,{_LONGEST_NAME}}}?){closing}")
        half = filled(half, pattern, asked, settings.values)
    return half, source.text


def _checksum(text: str) -> str:
    """Return Flyway's: CRC-32 over the lines without their ends, as a signed number."""
    found = 0
    for line in re.split(r"\r\n|\r|\n", text):
        found = zlib.crc32(line.encode(), found)
    return str(found - (1 << 32) if found >= 1 << 31 else found)


def _settings(folder: Path, asked: Asked) -> _Settings:
    """Read flyway.toml or flyway.conf, beside the folder or above it up to the project."""
    found: dict[str, str] = {}
    for here in asked.above(folder):
        for path in (here / "flyway.conf", here / "conf" / "flyway.conf"):
            if path.is_file():
                found = {**dict(_properties(asked.source(path).text)), **found}
        if (here / "flyway.toml").is_file():
            try:
                tree = tomllib.loads(asked.source(here / "flyway.toml").text)
            except (tomllib.TOMLDecodeError, RecursionError):
                tree = {}
            found = {**dict(_flat(tree.get("flyway", {}), "flyway")), **found}

    said = {name: value for key, name in _NAMES.items() if (value := found.get(f"flyway.{key}"))}
    replaces = found.get("flyway.placeholderReplacement") or "true"
    suffixes = found.get("flyway.sqlMigrationSuffixes") or ".sql"
    return _Settings(
        **said,
        suffixes=tuple(one.strip() for one in suffixes.split(",")),
        replaces=replaces.lower() in _TRUE,
        values={
            name.removeprefix(_PLACEHOLDERS): value
            for name, value in found.items()
            if name.startswith(_PLACEHOLDERS)
        },
    )


def _properties(text: str) -> Iterator[tuple[str, str]]:
    for line in text.splitlines():
        name, equals, value = line.partition("=")
        if equals and not line.lstrip().startswith(("#", "!")):
            yield name.strip(), value.strip()


def _flat(tree: object, name: str) -> Iterator[tuple[str, str]]:
    if isinstance(tree, dict):
        for key, value in tree.items():
            yield from _flat(value, f"{name}.{key}")
    elif isinstance(tree, list):
        yield name, ",".join(map(str, tree))
    else:
        yield name, str(tree).lower() if isinstance(tree, bool) else str(tree)


def key_of_row(key: str, keys: Sequence[str]) -> str:
    """Return the key of a row: a version, or ``R__`` and the words of a repeatable file."""
    if not key.startswith("R:"):
        return version_key(key)
    words = key[2:]
    said = (one for one in keys if one.startswith("R__") and one[3:].replace("_", " ") == words)
    return next(said, f"R__{words.replace(' ', '_')}")
