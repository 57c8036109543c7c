"""Types that psycopg does not know, loaded like the built-in ones that look the same.

An array of an enum reads as an array of texts, a range over a domain as one over its base, a
composite as a dict. The compiler says which (`Form`); the OID, which differs from database to
database, stands in the result.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

import psycopg
from psycopg import abc
from psycopg.adapt import AdaptersMap, Loader, Transformer
from psycopg.pq import Format
from psycopg.types import TypeInfo
from psycopg.types.array import register_array
from psycopg.types.composite import CompositeInfo, register_composite
from psycopg.types.multirange import MultirangeInfo, register_multirange
from psycopg.types.range import RangeInfo, register_range
from typing_extensions import TypeAliasType

Form = TypeAliasType("Form", "str | list[Form] | dict[str, Form]")
"""``"int4"``: the built-in type; ``"int4 range"``, ``"int4 multirange"``: over it; a list of one
form: an array of that; a dict: a composite, its fields in order."""

_VOID = 2278
_HIGHEST_OID = 2**32 - 1


@dataclass(frozen=True)
class _Context:
    """The adapters of one result, beside those of its connection."""

    adapters: AdaptersMap
    connection: Any


class _Nothing(Loader):
    """What a function that returns void returns; on the wire it is an empty text."""

    def load(self, data: abc.Buffer) -> None:
        return None


class _NothingBinary(_Nothing):
    format = Format.BINARY


def register_void(context: abc.AdaptContext) -> None:
    """Load void as None on a connection."""
    for loader in (_Nothing, _NothingBinary):
        context.adapters.register_loader(_VOID, loader)


def transformer_for(known: abc.Transformer, forms: Mapping[int, Form]) -> abc.Transformer:
    """Return a transformer that also loads the types of these OIDs."""
    context = _Context(AdaptersMap(known.adapters), known.connection)
    free = itertools.count(_HIGHEST_OID, -1)  # for what lies inside and has no OID in the result
    for oid, form in forms.items():
        _register(context, oid, form, free)
    return Transformer(context)


def _register(context: _Context, oid: int, form: Form, free: Iterator[int]) -> None:
    if isinstance(form, dict):
        types = tuple(_oid(context, one, free) for one in form.values())
        context.adapters.register_loader(oid, _composite_loader(tuple(form), types))
    elif isinstance(form, list):
        (element,) = form
        info = context.adapters.types.get(element) if isinstance(element, str) else None
        delimiter, inner = info.delimiter if info else ",", _oid(context, element, free)
        register_array(TypeInfo("form", inner, oid, delimiter=delimiter), context)
    else:
        subtype, _, kind = form.partition(" ")
        inner = context.adapters.types[subtype].oid
        if kind == "range":
            register_range(RangeInfo("form", oid, 0, subtype_oid=inner), context)
        else:
            info = MultirangeInfo("form", oid, 0, range_oid=0, subtype_oid=inner)
            register_multirange(info, context)


def _oid(context: _Context, form: Form, free: Iterator[int]) -> int:
    """Return the OID under which values of a form are loaded."""
    if isinstance(form, str) and " " not in form:
        return context.adapters.types[form].oid
    if isinstance(form, list) and isinstance(form[0], str) and " " not in form[0]:
        return context.adapters.types[form[0]].array_oid
    oid = next(free)
    _register(context, oid, form, free)
    return oid


@cache  # psycopg keeps each loader that it makes for ever
def _composite_loader(names: tuple[str, ...], types: tuple[int, ...]) -> type[abc.Loader]:
    def make(*values: Any) -> dict[str, Any]:
        return dict(zip(names, values, strict=True))

    context = _Context(AdaptersMap(psycopg.adapters), None)
    info = CompositeInfo("form", _HIGHEST_OID, 0, field_names=names, field_types=types)
    register_composite(info, context, make)
    loader = context.adapters.get_loader(_HIGHEST_OID, Format.TEXT)
    assert loader is not None
    return loader
