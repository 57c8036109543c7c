"""Functions whose answer changes: with the time, the session, or from call to call. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from todo_sql.review.linting.rule import Project
from todo_sql.review.linting.tree import enum, function_name, strings, walk

VOLATILE = frozenset(
    {
        "clock_timestamp",
        "gen_random_uuid",
        "nextval",
        "random",
        "timeofday",
        "uuid_generate_v4",
        "uuidv7",
    }
)
CHANGING = VOLATILE | {
    "age",
    "current_query",
    "current_setting",
    "now",
    "statement_timestamp",
    "to_char",
    "transaction_timestamp",
    "txid_current",
}


def changing(expression: Any, names: frozenset[str] = CHANGING) -> Iterator[str]:
    """Yield the calls in an expression that are not immutable; of words such as current_date all.

    Args:
        expression: A part of a parse tree.
        names: The functions that count.
    """
    for part in walk(expression):
        kind = type(part).__name__
        if kind == "FuncCall" and function_name(part) in names:
            yield function_name(part) + "()"
        elif kind == "SQLValueFunction" and names >= CHANGING:
            yield enum(part, "op").removeprefix("SVFOP_").lower()


def own_functions(project: Project) -> Mapping[str, str]:
    """Return the project's functions by bare name: immutable, stable or volatile."""
    found = {}
    for _, _, command in project.commands("create_function_stmt"):
        options = {one.def_elem.defname: one.def_elem.arg for one in command.options}
        said = options["volatility"].string.sval if "volatility" in options else "volatile"
        found[strings(command.funcname)[-1]] = said.lower()
    return found
