"""yoyo: `id.sql` with `id.rollback.sql`, or steps in Python, ordered by `depends`, then name."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from todo_sql.adoption.revisions import Asked, Half, Revision, code_instead
from todo_sql.migrations.files.directives import leading_comments
from todo_sql.migrations.files.folder import topological

_DIRECTIVE = re.compile(r"--[ \t]*([\w-]+)[ \t]*:[ \t]*(.*)")


def read(folder: Path, asked: Asked) -> list[Revision]:
    """Read a folder of yoyo's; its keys are the file names without extension."""
    found: dict[str, Revision] = {}
    for path in sorted(folder.iterdir()):
        kind = path.suffix if not path.name.endswith(".rollback.sql") else ""
        if kind not in (".sql", ".py") or path.stem == "__init__":
            continue
        if path.stem.startswith("post-apply"):
            fix = "make it a file of migrations/repeatable/, or migrations/hooks/after.sql"
            asked.leave_out("runs after every apply and is no migration", path, fix)
        elif path.stem in found:
            fix = "give one of the two another name, or move it elsewhere"
            asked.refuse("A114", f"{path.stem} is in {found[path.stem].file}, too", path, fix=fix)
        else:
            found[path.stem] = (_from_python if kind == ".py" else _from_sql)(path, asked)
    for one in found.values():
        for missing in sorted(set(one.depends) - found.keys()):
            fix = "name another folder that holds both, or take the line out"
            words = f"depends on {missing}, which is not in this folder"
            asked.refuse("A114", words, folder / Path(one.file).name, fix=fix)
    depends = {key: set(one.depends) & found.keys() for key, one in found.items()}
    return [found[key] for key in topological(found, depends)]


def _name(key: str) -> tuple[str, str]:
    words = key.lstrip("0123456789")
    return key[: len(key) - len(words)], words.lstrip("._-") or key


def _from_sql(path: Path, asked: Asked) -> Revision:
    version, name = _name(path.stem)
    up, said = _half(asked.half(path))
    back = asked.half_there(path.with_name(f"{path.stem}.rollback.sql"))
    down = _half(back)[0] if back else None
    depends = tuple(said.get("depends", "").split())
    return Revision(path.stem, name, up.file, up, down, version=version, depends=depends)


def _half(half: Half) -> tuple[Half, dict[str, str]]:
    """Return a file without its directives, and what these say."""
    said: dict[str, str] = {}
    text, taken = half.text, 0
    for offset, comment in leading_comments(text):
        match = _DIRECTIVE.fullmatch(comment.rstrip())
        if match is None:
            continue
        said[match[1]] = f"{said.get(match[1], '')} {match[2]}".strip()
        if match[1] in ("depends", "transactional"):
            at = offset - taken
            text = text[:at] + text[at + len(comment) :]
            taken += len(comment)
    inside = said.get("transactional", "true").lower() != "false"
    return replace(half, text=text, transactional=inside), said


def _from_python(path: Path, asked: Asked) -> Revision:
    """Read steps that are written as literals; whatever else Python does is code."""
    source = asked.source(path)
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
    calls = sum(isinstance(node, ast.Call) for node in ast.walk(tree))
    if not steps or calls != len(steps):
        return replace(code, depends=depends)
    up = _joined([step for step, _ in steps])
    backs = [back for _, back in reversed(steps) if back]
    down = Half(source.file, _joined(backs), transactional=inside)
    return replace(
        code,
        up=Half(source.file, up, transactional=inside),
        down=down if len(backs) == len(steps) else None,
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
