"""Texts that are nested deeply, one of each kind of nesting."""

from __future__ import annotations

from collections.abc import Callable

DEEP: dict[str, Callable[[int], str]] = {
    "operands": lambda n: "select " + " + ".join(["1"] * n),
    "strings": lambda n: "select " + " || ".join(["'a'::text"] * n),
    "calls": lambda n: "select " + "abs(" * n + "1" + ")" * n,
    "cases": lambda n: "select " + "case when false then 1 else " * n + "1" + " end" * n,
    "sub-selects": lambda n: "select " + "(select " * n + "1" + ")" * n,
    "from": lambda n: (
        "select x from " + "(select x from " * n + "(select 1 as x) as q" + ") as q" * n
    ),
    "unions": lambda n: " union all ".join(["select 1"] * n),
    "negations": lambda n: "select " + "not " * n + "true",
    "brackets": lambda n: "select " + "(" * n + "1" + ")" * n,
    "casts": lambda n: "select 1" + "::integer" * n,
    "joins": lambda n: (
        "select 1 from (select 1 as a) as q0"
        + "".join(f" join (select 1 as a) as q{i} using (a)" for i in range(1, n))
    ),
    "with": lambda n: (
        "with c0 as (select 1 as a)"
        + "".join(f", c{i} as (select a from c{i - 1})" for i in range(1, n))
        + f" select a from c{n - 1}"
    ),
}
"""By kind: a statement with so many levels."""
