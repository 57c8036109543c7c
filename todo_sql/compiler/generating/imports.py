"""The imports of a generated module, sorted as ruff sorts them. Pure."""

from __future__ import annotations

import sys
from collections import defaultdict

from todo_sql.compiler.generating.layout import WIDTH
from todo_sql.compiler.python_types import PythonType


class Imports:
    """Names by module, collected while a module is written.

    Args:
        own: The package that the module belongs to, where imports of it stand apart.
    """

    def __init__(self, own: str | None = None) -> None:
        self._own = own
        self._names: dict[str, set[str]] = defaultdict(set)

    def add(self, module: str, *names: str) -> None:
        """Note that names are used."""
        self._names[module].update(names)

    def add_type(self, python: PythonType) -> None:
        """Note that a type is used."""
        for module, name in python.imports:
            self.add(module, name)

    def lines(self, without: str | None = None) -> list[str]:
        """Return the import lines: standard library, other packages, ours, this package.

        Args:
            without: The module that the lines are for, which has its own names.
        """
        groups: list[list[str]] = [[], [], [], []]
        for module in sorted(self._names.keys() - {without}):
            names = sorted(self._names[module], key=_order)
            if names:
                groups[self._group(module)] += _import(module, names)
        lines: list[str] = []
        for group in groups:
            lines += ["", *group] if group and lines else group
        return lines

    def _group(self, module: str) -> int:
        if module.startswith("."):
            return 3
        top = module.partition(".")[0]
        if top == self._own:
            return 2
        return 0 if top in sys.stdlib_module_names else 1


def _import(module: str, names: list[str]) -> list[str]:
    flat = f"from {module} import {', '.join(names)}"
    if len(flat) <= WIDTH:
        return [flat]
    return [f"from {module} import (", *(f"    {name}," for name in names), ")"]


def _order(name: str) -> tuple[int, str]:
    rank = 0 if name.isupper() else 1 if name[0].isupper() else 2
    return rank, name
