"""Which findings count in a project, for how much, and which are told once for all places."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from difflib import get_close_matches
from fnmatch import fnmatchcase

from todo_sql.config import Lint
from todo_sql.errors import ConfigError, Finding
from todo_sql.review.linting import squawk, style
from todo_sql.review.linting.rule import all_rules

_STYLE = "style: "
# What `check` says of queries that run, as a query's own `-- allow:` can waive it.
CHECKS = frozenset(f"c{number}" for number in (*range(109, 117), *range(121, 125), 126))
# What concerns the whole project: told at its first place, with the others named.
_ONCE = ("R501", "R502", "R503", "prefer-")


def chosen(findings: Iterable[Finding], lint: Lint) -> Iterator[Finding]:
    """Yield the findings that a project wants, with the severity that it gives them."""
    names = {rule.code: rule.name for rule in all_rules()}
    for one in findings:
        words = _words(one, names)
        file = one.place.file if one.place else ""
        asked = [lint, *(own for path, own in lint.paths.items() if fnmatchcase(file, path))]
        if any(word.lower() in words for rules in asked for word in rules.disable):
            continue
        for rules in asked:
            for word, severity in rules.severity.items():
                if word.lower() in words:
                    one = replace(one, severity=severity)
        yield one


def refuse_unknown(lint: Lint) -> None:
    """Refuse a configuration that names a rule which nobody has.

    Raises:
        ConfigError: With the name that was meant, if one is close.
    """
    known = {word for rule in all_rules() for word in (rule.code.lower(), rule.name)}
    for part in (lint, *lint.paths.values()):
        for word in (*part.disable, *part.severity):
            if word.lower() in known | CHECKS or (style.installed() and style.knows(word)):
                continue
            if squawk.binary() is not None and "-" in word and squawk.page(word) is not None:
                continue
            letter = word[:1].upper() if word[1:].isdigit() else ""
            refusing = {"M": "migrate", "C": "generate"}.get(letter)
            close = get_close_matches(word.lower(), known, 1)
            raise ConfigError(
                f"`lint` names `{word}`, which is no rule of lint, check, squawk or sqlfluff",
                code="R005",
                cause=f"what `{refusing}` would refuse cannot be disabled" if refusing else None,
                fix=f"did you mean `{close[0]}`?" if close else "see `todo-sql lint --rules`",
            )


def _words(one: Finding, names: dict[str, str]) -> set[str]:
    """Return every word that means the rule of a finding: code, name, and sqlfluff's group."""
    words = {one.code.lower(), names.get(one.code, "")}
    if one.cause and one.cause.startswith(_STYLE):
        name = one.cause.removeprefix(_STYLE)
        words |= {name, name.split(".")[0]}
    return words - {""}


def gathered(findings: Iterable[Finding]) -> list[Finding]:
    """Return findings with those that concern the whole project told once, and where."""
    alike: dict[str, list[Finding]] = {}
    for one in findings:
        once = one.code.startswith(_ONCE) or (one.cause or "").startswith(_STYLE)
        alike.setdefault(one.code if once else f"{len(alike)}", []).append(one)
    return [_one(*group) for group in alike.values()]


def _one(first: Finding, *others: Finding) -> Finding:
    if not others:
        return first
    lines: dict[str, list[int]] = {}
    for place in (one.place for one in others if one.place is not None):
        lines.setdefault(place.file, []).append(place.line)
    where = "; ".join(
        f"{file}:{','.join(map(str, dict.fromkeys(numbers)))}" for file, numbers in lines.items()
    )
    return replace(
        first,
        message=f"{first.message}, and {len(others)} more like it",
        cause="; ".join(filter(None, (first.cause, f"also {where}"))),
    )
