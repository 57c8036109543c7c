"""Many rows made at once are what the model's own validator makes, in every respect."""

from __future__ import annotations

import abc
import copy
import datetime as dt
import pickle
from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Any, Generic, Literal, TypeVar
from uuid import UUID

import psycopg
import pytest
from psycopg.adapt import AdaptersMap
from psycopg.types.datetime import DateLoader
from psycopg.types.range import Range
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    PrivateAttr,
    RootModel,
    ValidationError,
    computed_field,
    field_validator,
    model_validator,
)

from todo_sql.todo import models
from todo_sql.wire.instances import instances, loaded
from todo_sql.wire.rows import maker

T = TypeVar("T")
Columns = dict[str, tuple[type | None, object]]
"""By name: what the loader proves, and a value."""
NAN, ENDLESS = Decimal("NaN"), Decimal("Infinity")
A: Columns = {"a": (int, 1)}
TWO: Columns = {"a": (int, 1), "b": (str, " x ")}


class Mood(StrEnum):
    """An enum."""

    SAD = "sad"


class Two(BaseModel):
    """Two columns."""

    a: int
    b: str | None


class Frozen(BaseModel):
    """As `generate` writes it."""

    model_config = ConfigDict(frozen=True, ser_json_bytes="base64")

    a: Annotated[int, Field(json_schema_extra={"minimum": 1})]
    b: str | None


class Wide(BaseModel):
    """Every class that a loader proves."""

    model_config = ConfigDict(arbitrary_types_allowed=True)

    flag: bool
    number: int
    real: float
    text: str
    blob: bytes
    id: UUID
    money: Annotated[Decimal, Field(allow_inf_nan=True)]
    day: dt.date
    hour: dt.time
    moment: dt.datetime
    span: dt.timedelta | None


class Documents(BaseModel):
    """What no loader proves: each is validated as a column."""

    model_config = ConfigDict(arbitrary_types_allowed=True)

    mood: Mood
    word: Literal["x", "y"]
    tags: list[str | None]
    grid: list[list[int]] | None
    document: Any
    map: dict[str, int]
    range: Range[int]
    nested: list[Two]


class Bounded(BaseModel):
    """A bound of the user's."""

    a: Annotated[int, Field(ge=1)]
    b: Annotated[str, Field(max_length=5)]


class Endless(BaseModel):
    """Numbers that are none."""

    model_config = ConfigDict(allow_inf_nan=True, ser_json_bytes="base64", val_json_bytes="base64")

    a: Decimal
    b: list[Decimal]
    c: float


class Finite(BaseModel):
    """Numbers alone."""

    model_config = ConfigDict(allow_inf_nan=False)

    a: Decimal | None
    b: list[float]
    c: float


class Plain(BaseModel):
    """What pydantic takes where nothing is said: a Decimal is finite, a float need not be."""

    a: Decimal
    b: list[Decimal]
    c: float


class Child(Two):
    """A model that others stand on, with a method and a computed field."""

    @computed_field
    def c(self) -> int:
        """Return one more."""
        return self.a + 1


class Box(BaseModel, Generic[T]):
    """A generic model."""

    a: T


class Mixed(abc.ABC, Two):
    """Two bases; nothing is abstract."""


MADE: list[tuple[type[BaseModel], Columns]] = [
    (Two, TWO),
    (Two, {"b": (str, None), "a": (int, 1)}),
    (Two, {"a": (None, 1), "b": (None, "x")}),
    (Two, {"a": (None, "1"), "b": (str, "x")}),
    (Frozen, TWO),
    (Child, TWO),
    (Mixed, TWO),
    (Box[int], A),
    (Bounded, TWO),
    (Endless, {"a": (Decimal, -ENDLESS), "b": (None, [ENDLESS]), "c": (float, float("inf"))}),
    (Finite, {"a": (Decimal, Decimal(1)), "b": (None, [1.5]), "c": (float, 1.5)}),
    (Plain, {"a": (Decimal, Decimal(1)), "b": (None, [1]), "c": (float, float("inf"))}),
    (Wide, {
        "flag": (bool, True), "number": (int, 2**70), "real": (float, float("inf")),
        "text": (str, "é"), "blob": (bytes, b"\0"), "id": (UUID, UUID(int=1)),
        "money": (Decimal, Decimal("-0.00")), "day": (dt.date, dt.date.max),
        "hour": (dt.time, dt.time(1, tzinfo=dt.UTC)),
        "moment": (dt.datetime, dt.datetime(2026, 1, 1, fold=1, tzinfo=dt.UTC)),
        "span": (dt.timedelta, None),
    }),
    (Documents, {
        "mood": (None, "sad"), "word": (str, "y"), "tags": (None, ["a", None]),
        "grid": (None, [[1], [2]]), "document": (None, None), "map": (None, {"a": 1}),
        "range": (None, Range(1, 2)), "nested": (None, [{"a": 1, "b": None}]),
    }),
]  # fmt: skip


class Private(BaseModel):
    """An attribute that is no field."""

    a: int
    _seen: list[int] = PrivateAttr(default_factory=list)


class After(BaseModel):
    """Something is done behind it."""

    a: int

    def model_post_init(self, context: Any, /) -> None:
        """Change the instance."""
        self.__dict__["a"] = self.a + 1


class ByField(BaseModel):
    """A validator of a field that looks at another."""

    a: int
    b: str

    @field_validator("b")
    @classmethod
    def _with_a(cls, value: str, info: Any) -> str:
        return f"{value}{info.data['a']}"


class ByModel(BaseModel):
    """A validator of the whole."""

    a: int

    @model_validator(mode="before")
    @classmethod
    def _more(cls, values: Any) -> Any:
        return {"a": values["a"] + 1}


class AfterModel(BaseModel):
    """Likewise, behind it."""

    a: int

    @model_validator(mode="after")
    def _less(self) -> AfterModel:
        self.a = 0
        return self


class Init(BaseModel):
    """A constructor of the user's."""

    a: int

    def __init__(self, a: int) -> None:
        super().__init__(a=a + 1)


class New(BaseModel):
    """An allocator of the user's."""

    a: int

    def __new__(cls, *args: Any, **kwargs: Any) -> New:
        """Mark the instance."""
        made = super().__new__(cls)
        made.__dict__["new"] = True
        return made


class Default(BaseModel):
    """A field that the result lacks."""

    a: int
    b: str = "b"


class Alias(BaseModel):
    """A field of another name."""

    c: int = Field(alias="a")


class Strip(BaseModel):
    """A configuration that changes values."""

    model_config = ConfigDict(str_strip_whitespace=True)

    a: int
    b: str


class Loose(BaseModel):
    """It keeps what it does not know."""

    model_config = ConfigDict(extra="allow")

    a: int


class Tree(BaseModel):
    """It holds its like."""

    a: int
    b: list[Tree] | None


LEFT: list[tuple[type[BaseModel], Columns]] = [
    (Private, A), (After, A), (ByField, TWO), (ByModel, A), (AfterModel, A), (Init, A), (New, A),
    (Default, A), (Alias, TWO), (Strip, TWO), (Loose, A), (Loose, TWO),
    (RootModel[dict[str, Any]], TWO), (Tree, {"a": (int, 1), "b": (None, [{"a": 2, "b": None}])}),
    (Box[int], TWO),
]  # fmt: skip


def both(row: type[BaseModel], columns: Columns, count: int) -> tuple[list[Any], list[Any]]:
    """Return rows made at once, and the same by the model's validator."""
    rows = [tuple(value for _, value in columns.values()) for _ in range(count)]
    proved = [kind for kind, _ in columns.values()]
    return maker(row, [*columns], proved)(rows), maker(row, [*columns])(rows)


@pytest.mark.parametrize(("row", "columns"), [*MADE, *LEFT])
@pytest.mark.parametrize("count", [0, 1, 9])
def test_the_same(row: type[BaseModel], columns: Columns, count: int) -> None:
    """Class, dict and its order, set of fields, extra, private; copies, pickles, texts."""
    found, wanted = both(row, columns, count)
    assert found == wanted
    assert len(found) == count
    for one, other in zip(found, wanted, strict=True):
        assert type(one) is type(other)
        assert [(k, type(v), v) for k, v in vars(one).items()] == [
            (k, type(v), v) for k, v in vars(other).items()
        ]
        for name in ("model_fields_set", "model_extra", "__pydantic_private__"):
            assert type(getattr(one, name)) is type(getattr(other, name)), name
            assert getattr(one, name) == getattr(other, name), name
        assert (repr(one), one.model_dump()) == (repr(other), other.model_dump())
        assert one.model_dump(exclude_unset=True) == other.model_dump(exclude_unset=True)
        for same in (copy.copy(one), copy.deepcopy(one), one.model_copy()):
            assert (same == one) == (same == other)
        if "[" not in row.__name__:
            assert pickle.loads(pickle.dumps(one)) == other
    if count > 1:
        assert len({id(one.model_fields_set) for one in found}) == count
        assert len({id(vars(one)) for one in found}) == count


@pytest.mark.parametrize(("row", "columns"), [*MADE, *LEFT])
def test_which_are_made_at_once(row: type[BaseModel], columns: Columns) -> None:
    """All but those that run code of the user's, or whose fields are not the columns."""
    kinds = tuple(kind for kind, _ in columns.values())

    def slow(rows: list[tuple[Any, ...]]) -> list[Any]:
        return []

    at_once = instances(row, tuple(columns), kinds, slow) is not slow
    assert at_once == ((row, columns) in MADE)


def test_generated_models_are_made_at_once() -> None:
    """The core schemas that `generate` causes are known."""
    rows = [
        row for row in vars(models).values()
        if isinstance(row, type) and issubclass(row, BaseModel) and row.model_config.get("frozen")
    ]  # fmt: skip
    assert len(rows) > 5

    def slow(rows: list[tuple[Any, ...]]) -> list[Any]:
        return []

    for row in rows:
        names = tuple(row.model_fields)
        assert instances(row, names, (None,) * len(names), slow) is not slow, row


@pytest.mark.parametrize(("row", "columns"), MADE)
def test_what_does_not_fit(row: type[BaseModel], columns: Columns) -> None:
    """A NULL or another class in one row: what the validator says, or makes of it."""
    names, kinds = [*columns], [kind for kind, _ in columns.values()]
    good = tuple(value for _, value in columns.values())
    for index in range(len(names)):
        for wrong in (None, object(), NAN, float("nan")):
            if wrong is not None and kinds[index] not in (None, type(wrong)):
                continue  # the loader proves that it cannot be
            bad = (*good[:index], wrong, *good[index + 1 :])
            rows = [*9 * [good], bad, good]
            outcomes: list[Any] = []
            for make in (maker(row, names, kinds), maker(row, names)):
                try:
                    outcomes.append(repr(make(rows)))
                except ValidationError as error:
                    outcomes.append(error.errors(include_url=False))
            assert outcomes[0] == outcomes[1]


def test_an_instance_that_changes() -> None:
    """A field that is set, deleted or unset in one row is so in that row only."""
    found, wanted = both(Two, TWO, 9)
    for rows in (found, wanted):
        rows[0].a = 2
        rows[1].model_fields_set.clear()
        del rows[2].b
    assert [vars(one) for one in found] == [vars(one) for one in wanted]
    assert [one.model_fields_set for one in found] == [one.model_fields_set for one in wanted]


def test_loaders_of_the_users() -> None:
    """What psycopg loads is known; what a loader of the user's returns is not."""
    adapters = AdaptersMap(psycopg.adapters)
    day = adapters.types["date"].oid
    assert loaded(adapters, day) is dt.date

    class Endless(DateLoader):
        """Takes infinity."""

    adapters.register_loader("date", Endless)
    assert loaded(adapters, day) is None
    assert loaded(adapters, adapters.types["jsonb"].oid) is None
