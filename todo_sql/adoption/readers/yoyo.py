"""yoyo: `id.sql` with `id.rollback.sql`, or steps in Python, ordered by `depends`, then name."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from todo_sql.adoption.old_ledger import OldLedger
from todo_sql.adoption.revisions import (
    Asked,
    Half,
    History,
    Revision,
    Sign,
    Tool,
    code_instead,
    left_out,
    refusal,
)
from todo_sql.errors import Finding
from todo_sql.migrations.files.directives import leading_comments
from todo_sql.migrations.files.folder import topological
from todo_sql.sql.source import Source

_DIRECTIVE = re.compile(r"--[ \t]*([\w-]+)[ \t]*:[ \t]*(.*)")
_VERSION = re.compile(r"\d*")
_POST_APPLY = re.compile(r"post-apply.*")


def read(folder: Path, asked: Asked) -> History:
    """Read a folder of yoyo's; its keys are the file names without extension."""
    found: dict[str, Revision] = {}
    findings: list[Finding] = []
    for path in sorted(folder.iterdir()):
        if path.name.endswith(".rollback.sql") or path.suffix not in (".sql", ".py"):
            continue
        if path.stem == "__init__":
            continue
        source = asked.source(path)
        if _POST_APPLY.fullmatch(path.stem):
            fix = "make it a file of migrations/repeatable/, or migrations/hooks/after.sql"
            words = "runs after every apply and is no migration"
            findings.append(left_out(words, source.place(0), fix))
            continue
        read_one = _from_python if path.suffix == ".py" else _from_sql
        if path.stem in found:
            fix = "give one of the two another name, or move it elsewhere"
            words = f"{path.stem} is in {found[path.stem].file}, too"
            findings.append(refusal("A114", words, source.place(0), fix=fix))
            continue
        found[path.stem] = read_one(path, source, asked)
    depends = {key: set(one.depends) & found.keys() for key, one in found.items()}
    for one in found.values():
        for missing in sorted(set(one.depends) - found.keys()):
            place = asked.source(folder / Path(one.file).name).place(0)
            fix = "name another folder that holds both, or take the line out"
            words = f"depends on {missing}, which is not in this folder"
            findings.append(refusal("A114", words, place, fix=fix))
    order = topological(found, depends)
    return History(tuple(found[key] for key in order), tuple(findings))


def _name(key: str) -> tuple[str, str]:
    version = _VERSION.match(key)
    digits = version[0] if version else ""
    return digits, key[len(digits) :].lstrip("._-") or key


def _from_sql(path: Path, source: Source, asked: Asked) -> Revision:
    version, name = _name(path.stem)
    other = path.with_name(f"{path.stem}.rollback.sql")
    down = asked.source(other) if other.exists() else None
    said = _directives(source)
    return Revision(
        path.stem,
        name,
        source.file,
        _half(source),
        _half(down) if down else None,
        version=version,
        depends=tuple(said.get("depends", "").split()),
    )


def _half(source: Source) -> Half:
    said = _directives(source)
    text = source.text
    for offset, comment in reversed(list(leading_comments(text))):
        match = _DIRECTIVE.fullmatch(comment.rstrip())
        if match and match[1] in ("depends", "transactional"):
            text = text[:offset] + text[offset + len(comment) :]
    inside = said.get("transactional", "true").lower() != "false"
    return Half(source.file, text, transactional=inside)


def _directives(source: Source) -> dict[str, str]:
    found: dict[str, str] = {}
    for _, comment in leading_comments(source.text):
        match = _DIRECTIVE.fullmatch(comment.rstrip())
        if match:
            found[match[1]] = f"{found.get(match[1], '')} {match[2]}".strip()
    return found


def _from_python(path: Path, source: Source, asked: Asked) -> Revision:
    """Read steps that are written as literals; whatever else Python does is code."""
    version, name = _name(path.stem)
    code = code_instead(path.stem, name, path, asked, "in Python", version)
    try:
        tree = ast.parse(source.text)
    except (SyntaxError, ValueError, MemoryError, RecursionError):
        return code
    depends: tuple[str, ...] = ()
    inside = True
    steps: list[tuple[str, str | None]] = []
    for node in tree.body:
        match node:
            case ast.Assign(targets=[ast.Name(id="__depends__")], value=value):
                given = _literal(value)
                names = given if isinstance(given, set | list | tuple) else ()
                depends = tuple(sorted(one for one in names if isinstance(one, str)))
            case ast.Assign(targets=[ast.Name(id="__transactional__")], value=value):
                inside = bool(_literal(value))
            case ast.Assign(targets=[ast.Name(id="steps")], value=ast.List(elts=elements)):
                steps += [step for one in elements for step in _steps(one)]
            case ast.Expr(value=ast.Call() as call):
                steps += _steps(call)
    from dataclasses import replace

    calls = sum(isinstance(node, ast.Call) for node in ast.walk(tree))
    if not steps or calls != len(steps):
        return replace(code, depends=depends)
    down = [back for _, back in reversed(steps)]
    return Revision(
        path.stem,
        name,
        source.file,
        Half(source.file, _joined([step for step, _ in steps]), transactional=inside),
        Half(source.file, _joined([one for one in down if one]), transactional=inside)
        if all(down)
        else None,
        version=version,
        depends=depends,
        irreversible="a step of it had no way back",
        notes=("was steps in Python, all of them literal SQL",),
    )


def _steps(node: ast.AST) -> Iterator[tuple[str, str | None]]:
    match node:
        case ast.Call(func=ast.Name(id="step"), args=[first, *rest], keywords=[]):
            up, down = _literal(first), _literal(rest[0]) if rest else None
            if isinstance(up, str) and (down is None or isinstance(down, str)) and len(rest) < 2:
                yield up, down


def _literal(node: ast.AST) -> object:
    try:
        return ast.literal_eval(node)
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
        return None


def _joined(texts: list[str]) -> str:
    return "\n\n".join(text.strip().rstrip(";") + ";" for text in texts if text.strip())


TOOL = Tool(
    "yoyo",
    "yoyo",
    (
        Sign("../yoyo.ini", None, "a yoyo.ini"),
        Sign("yoyo.ini", None, "a yoyo.ini"),
        Sign("*.py", r"^from yoyo import|^import yoyo", "files that import yoyo"),
        Sign("*.rollback.sql", None, "files named X.rollback.sql", sure=False),
    ),
    read,
    OldLedger(
        "_yoyo_migration",
        ("migration_hash", "migration_id", "applied_at_utc"),
        "migration_id, applied_at_utc::text, null, null",
        rest="order by applied_at_utc",
        ddl="",
    ),
)
