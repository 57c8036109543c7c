"""The names that a generated module uses and did not define: imported, sorted as ruff does. Pure.

What the user named keeps its name. Where that is also the name of something imported or
built in, the module calls the latter by the same name with an underscore before it.
"""

from __future__ import annotations

import builtins
import sys
from collections import defaultdict
from collections.abc import Collection

from todo_sql.compiler.generating.layout import WIDTH
from todo_sql.compiler.python_types import PythonType

# The one module of ours that generated code imports.
RUNTIME = "todo_sql.runtime"


class Imports:
    """Names by module, collected while a module is written.

    Args:
        own: The package that the module belongs to, where imports of it stand apart.
        taken: The names that the user gave to what the module defines.
        here: The module that is written, whose own names need no import.
    """

    def __init__(
        self, own: str | None = None, taken: Collection[str] = (), here: str | None = None
    ) -> None:
        self._own = own
        self._taken = set(taken)
        self._here = here
        self._local: dict[tuple[str, str], str] = {}
        self._lasting: set[tuple[str, str]] = set()
        self._aliases: dict[str, str] = {}

    def name(self, module: str, name: str, *, typing: bool = False) -> str:
        """Note that a name is used, and return what the module calls it.

        Args:
            typing: Whether only a type checker has to know it.
        """
        if module == self._here:
            return self._aliases.get(name, name)
        origin = (module, name)
        if not typing:
            self._lasting.add(origin)
        if origin not in self._local:
            self._local[origin] = self.free(name)
        return self._local[origin]

    def free(self, name: str) -> str:
        """Return a name that is neither the user's nor used yet: this, or with underscores.

        Never with two in front, which a class would take for a name of its own.
        """
        used = {*self._taken, *self._local.values()}
        if name in used and not name.startswith("_"):
            name = f"_{name}"
        while name in used:
            name = f"{name}_"
        return name

    def define(self, name: str) -> str:
        """Return a free name for something that the module defines, and keep it."""
        name = self.free(name)
        self._taken.add(name)
        return name

    def alias(self, name: str) -> str:
        """Return another name for something that the module defines, by which types call it."""
        self._aliases[name] = self.define(f"_{name}")
        return self._aliases[name]

    def builtin(self, name: str) -> str:
        """Return what the module calls a built-in function or type."""
        return name if self.free(name) == name else self.name("builtins", name)

    def type(self, python: PythonType) -> str:
        """Note the names of a type, and return its annotation."""
        origins = {name: module for module, name in python.imports}

        def local(word: str) -> str:
            if word in origins:
                return self.name(origins[word], word)
            return self.builtin(word) if hasattr(builtins, word) else word

        return python.renamed(local)

    def future(self) -> str:
        """Return the line that leaves annotations unevaluated."""
        local = self.free("annotations")
        renamed = f" as {local}" if local != "annotations" else ""
        return f"from __future__ import annotations{renamed}"

    def lines(self, *, typing: bool = False) -> list[str]:
        """Return the import lines: standard library, other packages, ours, this package.

        Args:
            typing: Whether of what only a type checker has to know, or of the rest.
        """
        origins = self._local.keys() - self._lasting if typing else self._lasting
        names: dict[str, list[str]] = defaultdict(list)
        for module, name in sorted(origins, key=lambda origin: _order(origin[1])):
            local = self._local[module, name]
            names[module].append(name if local == name else f"{name} as {local}")
        groups: list[list[str]] = [[], [], [], []]
        for module in sorted(names):
            groups[self._group(module)] += _import(module, names[module])
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
