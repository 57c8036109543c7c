"""Whether a description holds only what we would have written: names, types, constants. Pure.

A cache of checked queries comes with the checkout, and what it says of types and defaults
becomes Python in the generated package.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Mapping

from todo_sql.compiler.described import Described, DescribedParameter
from todo_sql.compiler.models import is_field
from todo_sql.compiler.python_types import IMPORTED, PythonType, named
from todo_sql.wire.loaders import Form

Imports = frozenset[tuple[str, str]]

_BUILTIN = {"bool", "bytes", "dict", "float", "int", "list", "str", "tuple"}
# What a default is made with, besides the classes that types name.
_CALLED = frozenset(("datetime", name) for name in ("UTC", "timedelta", "timezone")) | IMPORTED


def is_plain(described: Described, types: Mapping[str, str]) -> bool:
    """Whether no text in a description could be another piece of Python than its place asks for.

    Args:
        types: Of the configuration, which may name classes of the project.
    """
    own = frozenset((".models", name) for name, *_ in described.enums)
    own = own.union(*(named(words).imports for words in types.values()))
    try:
        fields = {one.name for model in described.row_models for one in model.fields}
    except KeyError:  # a model in none
        return False
    pythons = [one.python for one in described.columns]
    pythons += [one.python for one in described.parameters]
    classes = [name for name, *_ in described.enums] + [one.model for one in described.nested]
    return (
        all(map(is_field, fields))
        and all(name.isidentifier() for name in classes)
        and all(one.name.isidentifier() for one in described.parameters)
        and all(python.imports <= IMPORTED | own for python in pythons)
        and all(map(_is_annotation, pythons))
        and all(_is_default(one, own) for one in described.parameters)
        and all(map(_is_form, (*described.forms.values(), *described.written.values())))
    )


def _parsed(text: str) -> ast.expr | None:
    """Return a text of one line, without comments, as an expression; None: it is none."""
    if not text.isprintable():
        return None
    try:
        tree = ast.parse(text, mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
    constants = [one.value for one in ast.walk(tree) if isinstance(one, ast.Constant)]
    return tree if text.count("#") == sum(repr(one).count("#") for one in constants) else None


def _is_annotation(python: PythonType) -> bool:
    return _is_type(_parsed(python.text), {name for _, name in python.imports} | _BUILTIN)


def _is_type(node: ast.expr | None, known: set[str]) -> bool:
    """Whether an expression is an annotation; a text in one would be read as Python again."""
    match node:
        case ast.Constant(value=None):
            return True
        case ast.Name(id=name):
            return name in known
        case ast.BinOp(left=left, op=ast.BitOr(), right=right):
            return _is_type(left, known) and _is_type(right, known)
        case ast.Subscript(value=ast.Name(id=name), slice=inner) if name in known:
            parts = inner.elts if isinstance(inner, ast.Tuple) else [inner]
            if name == "Literal":
                return all(isinstance(one, ast.Constant) for one in parts)
            return all(_is_type(one, known) for one in parts)
    return False


def _is_default(parameter: DescribedParameter, own: Imports) -> bool:
    try:
        python = parameter.default_value
    except (SyntaxError, ValueError):
        return False
    if not python.imports <= _CALLED | own:
        return False
    return _is_constant(_parsed(python.text), {"float", *(name for _, name in python.imports)})


def _is_constant(node: ast.expr | None, made: set[str]) -> bool:
    match node:
        case ast.Constant():
            return True
        case ast.Name(id=name) | ast.Attribute(value=ast.Name(id=name)):
            return name in made
        case ast.UnaryOp(op=ast.USub(), operand=ast.Constant()):
            return True
        case ast.List(elts=parts) | ast.Tuple(elts=parts):
            return all(_is_constant(one, made) for one in parts)
        case ast.Dict(keys=keys, values=values):
            return all(_is_constant(one, made) for one in (*keys, *values))
        case ast.Call(func=ast.Name(id=name), args=given, keywords=words):
            values = [*given, *(word.value for word in words)]
            return name in made and all(_is_constant(one, made) for one in values)
    return False


def _is_form(form: Form) -> bool:
    if isinstance(form, str):
        return re.fullmatch(r"[\w ]+", form) is not None
    return all(map(_is_form, form if isinstance(form, list) else form.values()))
