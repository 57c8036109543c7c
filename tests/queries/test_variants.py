"""Optional lines and cases: what binds to what, which texts come out, which one is chosen."""

from __future__ import annotations

from itertools import combinations

import pytest
from hypothesis import given as using
from hypothesis import settings
from hypothesis import strategies as st
from support.queries import one_query, shown

from todo_sql import UNSET, Unset, given
from todo_sql.queries.named import NamedQuery
from todo_sql.queries.query_errors import BadParameter
from todo_sql.queries.variants import Variant, choose, compose, variants
from todo_sql.sql.grammar import GrammarError, parse
from todo_sql.sql.scanner import Kind, scan

HEADER = "-- name: q :many\n"
LIST = (
    HEADER
    + """-- param: limit = 50
select id
from tasks
where user_id = :user_id
    and completed = :completed          -- if: completed
    and due_date >= :lo                 -- if: lo, hi
    and due_date < :hi                  -- if: lo, hi -- both or none
order by created_at desc, id desc       -- case sort: newest
-- order by due_date, id                -- case sort: due
limit :limit;
"""
)


def texts(query: NamedQuery) -> list[str]:
    """Return every text with its white space folded."""
    return [" ".join(variant.sql.split()) for variant in variants(query)]


def chosen(text: str, **arguments: object) -> str:
    """Return the text that is chosen, with its white space folded."""
    return " ".join(choose(one_query(text), arguments).sql.split())


def test_every_text() -> None:
    """Each group is there or not, under each case; the whole text with defaults comes first."""
    head = "select id from tasks where user_id = $1"
    newest, due = "order by created_at desc, id desc limit", "order by due_date, id limit"
    span = "and due_date >= ${} and due_date < ${}"
    expected = []
    for order in (newest, due):
        expected += [
            f"{head} and completed = $2 {span.format(3, 4)} {order} $5",
            f"{head} and completed = $2 {order} $3",
            f"{head} {span.format(2, 3)} {order} $4",
            f"{head} {order} $2",
        ]
    assert texts(one_query(LIST)) == expected


def test_what_is_required() -> None:
    """Parameters on lines without `if` are required; the others come in groups."""
    query = one_query(LIST)
    assert query.names == ("user_id", "completed", "lo", "hi", "limit")
    assert query.required == {"user_id", "limit"}
    assert query.groups == (frozenset({"completed"}), frozenset({"lo", "hi"}))
    assert query.optional == {"completed", "lo", "hi"}
    sort = query.cases["sort"]
    assert (sort.values, sort.default) == (("newest", "due"), "newest")


def test_choice_is_by_what_was_given() -> None:
    """UNSET and absent leave a line out; None is a value."""
    query = one_query(LIST)
    base = {"user_id": "u", "limit": 5}
    assert "completed" not in choose(query, base).sql
    assert "completed" not in choose(query, {**base, "completed": UNSET}).sql
    assert "completed = $2" in choose(query, {**base, "completed": None}).sql
    assert choose(query, {**base, "sort": "due"}).cases == {"sort": "due"}
    assert choose(query, {**base, "sort": UNSET}).cases == {"sort": "newest"}
    assert choose(query, {**base, "lo": 1, "hi": 2}).parameters == ("user_id", "lo", "hi", "limit")


def test_choice_is_remembered() -> None:
    """The same arguments give the same object, whatever their values."""
    query = one_query(LIST)
    first = choose(query, {"user_id": "a", "limit": 1, "completed": True})
    assert choose(query, {"user_id": "b", "limit": 2, "completed": False}) is first


@pytest.mark.parametrize(
    ("arguments", "parameter", "message"),
    [
        ({"limit": 1}, "user_id", "query `q` needs `user_id`"),
        ({"user_id": UNSET, "limit": 1}, "user_id", "query `q` needs `user_id`"),
        ({"user_id": 1, "limit": 1, "limt": 1}, "limt", "query `q` has no parameter `limt`"),
        ({"user_id": 1, "limit": 1, "lo": 1}, "hi", "`lo` and `hi` together, or none"),
        ({"user_id": 1, "limit": 1, "sort": "old"}, "sort", "query `q` has no sort 'old'"),
        ({"user_id": 1, "limit": 1, "sort": None}, "sort", "query `q` has no sort None"),
        ({"user_id": 1, "limit": 1, "sort": ["due"]}, "sort", "query `q` has no sort"),
    ],
)
def test_bad_arguments(arguments: dict[str, object], parameter: str, message: str) -> None:
    """A call that does not fit is refused by the parameter's name, also the second time."""
    query = one_query(LIST)
    for _ in range(2):
        with pytest.raises(BadParameter) as caught:
            choose(query, arguments)
        assert caught.value.parameter == parameter
        assert message in caught.value.finding.message


def test_unset() -> None:
    """UNSET is falsy and shows its name; `given` turns None into it and leaves the rest."""
    assert not UNSET
    assert repr(UNSET) == "UNSET"
    assert isinstance(UNSET, Unset)
    assert given(None) is UNSET
    assert given(0) == 0


@pytest.mark.parametrize(
    ("lines", "with_a", "without"),
    [
        ("select 1\n, :a -- if: a\n", "select 1 , $1", "select 1"),
        ("select 1\n-- if: a\n, :a\n", "select 1 , $1", "select 1"),
        ("select 1\n    --if:a\n, :a\n, 2", "select 1 , $1 , 2", "select 1 , 2"),
        ("-- if: a\nselect :a union\nselect 1", "select $1 union select 1", "select 1"),
        ("select 1\r\n, :a -- if: :a\r\n, 2\r\n", "select 1 , $1 , 2", "select 1 , 2"),
        ("select 1\n, :a /* c */ -- if: a\n;", "select 1 , $1 /* c */", "select 1"),
        ("select 1\n, :a; -- if: a", "select 1 , $1", "select 1"),
        ("select 1\n, :a -- if: a -- noqa: LT05\n", "select 1 , $1", "select 1"),
        ("select 1\n, :a || 'x\n -- y' -- if: a\n", "select 1 , $1 || 'x -- y'", "select 1"),
        ("select 1\nfrom t -- if: a\nwhere :a -- if: a", "select 1 from t where $1", "select 1"),
        ("select 1 -- one\n-- two\n, :a -- if: a\n", "select 1 , $1", "select 1"),
    ],
)
def test_binding(lines: str, with_a: str, without: str) -> None:
    """A directive binds to its line, or alone on a line to the one below."""
    assert texts(one_query(HEADER + lines)) == [with_a, without]


@pytest.mark.parametrize(
    ("lines", "with_a", "without"),
    [
        ("select 1 where (\n true\n) and x in ( -- if: a\nselect :a\n) and y\n, 2",
         "select 1 where ( true ) and x in ( select $1 ) and y , 2", "select 1 where ( true , 2"),
        ("select 1\n, f( -- if: a\n(1),\n g[\n(:a)\n]\n) -- c\n, 2",
         "select 1 , f( (1), g[ ($1) ] ) , 2", "select 1 , 2"),
        ("select 1\n-- if: a\n, f(\n')', /* ) */ \")\", -- )\n:a\n)\n, 2",
         "select 1 , f( ')', /* ) */ \")\", $1 ) , 2", "select 1 , 2"),
        ("select 1\n, f(:a) -- if: a\n, 2", "select 1 , f($1) , 2", "select 1 , 2"),
        ("select 1\n, f( -- if: a\n:a -- if: a\n) -- if: a\n, 2",
         "select 1 , f( $1 ) , 2", "select 1 , 2"),
    ],
)  # fmt: skip
def test_brackets(lines: str, with_a: str, without: str) -> None:
    """An `if` on a line that opens a bracket holds to the line that closes it."""
    assert texts(one_query(HEADER + lines)) == [with_a, without]


def test_brackets_within_brackets() -> None:
    """Inside an optional bracket a line may be optional, or one of several, in its own right."""
    text = HEADER + (
        "select 1 where true\nand exists ( -- if: a\nselect from t where a = :a\n"
        "and b in ( -- if: b\n:b\n)\norder by 1 -- case s: one\n-- order by 2 -- case s: two\n)\n"
        "and c = :c -- if: c"
    )
    whole, part = "and exists ( select from t where a = $1", "and b in ( $2 )"
    assert chosen(text, a=1) == f"select 1 where true {whole} order by 1 )"
    assert chosen(text, a=1, b=2, s="two") == f"select 1 where true {whole} {part} order by 2 )"
    assert chosen(text, c=3, s="two") == "select 1 where true and c = $1"
    query = one_query(text)
    assert query.groups == (frozenset("a"), frozenset("b"), frozenset("c"))
    assert {variant.given for variant in variants(query)} == {
        frozenset(given) for given in ("", "a", "ab", "c", "ac", "abc")
    }
    with pytest.raises(BadParameter, match="takes `b` only with `a`"):
        choose(query, {"b": 1})
    assert shown(HEADER + "select f( -- if: x\n:x, :y\n, :y)") == ["Q115 3:5 :y", "Q115 4:3 :y"]
    assert shown(HEADER + "select f( -- if: z\n:x\n)") == ["Q114 2:18 z"]


ONE_OF = (
    HEADER + "-- one of: id, slug\nselect 1 where x\nand id = :id -- if: id\n"
    "and slug = :slug -- if: slug, lang\nand lang = :lang -- if: slug, lang\nand d = :d -- if: d"
)


def test_one_of_several() -> None:
    """Only texts with exactly one of them exist, each with the other lines and without."""
    query = one_query(ONE_OF)
    assert query.choices == (("id", "slug"),)
    by_id, by_slug = "and id = $1", "and slug = $1 and lang = $2"
    assert texts(query) == [
        f"select 1 where x {by_id} and d = $2",
        f"select 1 where x {by_slug} and d = $3",
        f"select 1 where x {by_id}",
        f"select 1 where x {by_slug}",
    ]
    assert chosen(ONE_OF, id=1, slug=UNSET) == f"select 1 where x {by_id}"


@pytest.mark.parametrize("given", [{}, {"id": 1, "slug": "a", "lang": "b"}, {"d": 1}])
def test_one_of_several_is_needed(given: dict[str, object]) -> None:
    """None of them is refused, and so are two."""
    with pytest.raises(BadParameter) as caught:
        choose(one_query(ONE_OF), given)
    assert caught.value.parameter == "id"
    assert "exactly one of `id` and `slug`" in caught.value.finding.message


def test_two_choices() -> None:
    """Each is a choice by itself."""
    lines = "".join(f"and {x} = :{x} -- if: {x}\n" for x in "abcde")
    query = one_query(f"{HEADER}-- one of: a, b\n-- one of: c, d, e\nselect 1 where x\n{lines}")
    found = [variant.given for variant in variants(query)]
    assert len(found) == 6
    assert set(found) == {frozenset((x, y)) for x in "ab" for y in "cde"}


@pytest.mark.parametrize(
    "lines",
    [
        "select 1\norder by a   -- case s: a\n-- order by b   -- case s: b\n",
        "select 1\n-- case s: a\norder by a\n-- order by b   -- case s: b\n",
        "select 1\n-- case s: a\norder by a\n-- case s: b\n-- order by b\n",
        "select 1\n-- order by b   --case  s : b\norder by a   -- case s: a -- remark\n",
    ],
)
def test_case_binding(lines: str) -> None:
    """The uncommented line is the default; a directive may stand above either."""
    query = one_query(HEADER + lines)
    assert query.cases["s"].default == "a"
    assert chosen(HEADER + lines) == "select 1 order by a"
    assert chosen(HEADER + lines, s="b") == "select 1 order by b"


def test_several_lines_of_one_case() -> None:
    """A value may pick several lines, and two cases are independent."""
    text = (
        HEADER + "select 1 from t\n"
        "-- join l using (i)       -- case by: list\n"
        "order by                  -- case way: up\n"
        "-- order by -1 *          -- case way: down\n"
        "    a                     -- case by: age\n"
        "--  l.name                -- case by: list\n"
    )
    assert chosen(text, by="list", way="down") == (
        "select 1 from t join l using (i) order by -1 * l.name"
    )
    assert chosen(text) == "select 1 from t order by a"


def test_case_with_if() -> None:
    """A line may ask for a value and for an argument."""
    text = HEADER + (
        "select 1 where true\n"
        "and a = :x   -- if: x -- case m: is\n"
        "-- if: x\n-- and a <> :x   -- case m: not\n"
    )
    assert [chosen(text, m=m) for m in ("is", "not")] == ["select 1 where true"] * 2
    assert chosen(text, m="not", x=1) == "select 1 where true and a <> $1"


def test_a_parameter_on_a_required_line_is_required() -> None:
    """Its optional lines are then always kept."""
    text = HEADER + "select :a\n, :a + :b -- if: a, b\n"
    query = one_query(text)
    assert query.required == {"a"}
    assert query.groups == (frozenset({"b"}),)
    assert texts(query) == ["select $1 , $1 + $2", "select $1"]


def test_groups_that_share_a_parameter_are_one() -> None:
    """Given together or not at all."""
    query = one_query(HEADER + "select 1\n, :a -- if: a\n, :b -- if: b, a\n, :c -- if: c, b\n")
    assert query.groups == (frozenset("abc"),)


def test_a_default_stands_in_on_an_optional_line() -> None:
    """A parameter with a default need not be named: it is always there."""
    query = one_query(HEADER + "-- param: b = 1\nselect 1\n, :a + :b -- if: a\n")
    assert query.required == {"b"}
    assert query.optional == {"a"}


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ("-- if: a\n\nselect :a", "Q111 2:1 -- if: a"),
        ("select 1\n, :a -- if: a\r, 2", "Q111 3:6 -- if: a"),
        ("select :a\n-- if: a\n-- words\n, 1", "Q111 3:1 -- if: a"),
        ("select :a\n-- if: a", "Q111 3:1 -- if: a"),
        ("select :a\n/* c */ -- if: a\n, 1", "Q111 3:9 -- if: a"),
        ("select 'ü', :a -- words -- if: a\n", "Q111 2:25 -- if: a"),
        ("select 1\n-- , :a -- if: a\n, :a", "Q111 3:9 -- if: a"),
        ("select 1, :a -- if: b", "Q114 2:21 b"),
        ("select 1, :ab -- if: ab, ac", "Q114 2:26 ac"),
        ("select 1\n, :a + :b -- if: a", "Q115 3:8 :b"),
        ("select 1\n, :a -- if:", "Q109 3:12 "),
        ("select 1\n, :a -- if: a b", "Q109 3:13 a b"),
        ("select 1 -- case s:", "Q109 2:20 "),
        ("select 1 -- case s: a b", "Q109 2:10 -- case s: a b"),
        ("select 1 -- case 1s: a", "Q109 2:18 1s"),
        ("select 1\n-- , 2 -- case s: two", "Q116 3:16 s"),
        ("select 1 -- case s: one\n, 2 -- case s: two", "Q116 3:13 s"),
        ("select 1 -- case s: one -- case s: two", "Q111 2:36 two"),
        ("select :s -- case s: one", "Q112 2:8 :s"),
        ("select :x\n, 1 -- case s: one\n, 2 -- if: s", "Q114 4:12 s"),
        ("-- param: s = 'one'\nselect 1 -- case s: one", "Q114 2:11 s"),
        ("-- one of: a\nselect 1\n, :a -- if: a", "Q109 2:12 a"),
        ("-- one of: a, b c\nselect 1\n, :a -- if: a", "Q109 2:15 b c"),
        ("-- one of: a, a\nselect 1\n, :a -- if: a", "Q110 2:15 a"),
        ("-- one of: a, bb\nselect 1\n, :a -- if: a", "Q114 2:15 bb"),
        ("-- one of: a, s\nselect 1\n, :a -- if: a\n, 2 -- case s: b", "Q114 2:15 s"),
        ("-- one of: a, b\nselect :b\n, :a -- if: a", "Q121 2:15 b"),
        ("-- one of: a, b\nselect 1\n, :a + :b -- if: a, b", "Q121 2:15 b"),
        ("-- one of: a, b\n-- param: b = 1\nselect 1\n, :a + :b -- if: a", "Q121 2:15 b"),
        ("select 1\n-- , 'open -- case s: b\n, 2 -- case s: a", "S102 3:6 'open "),
    ],
)
def test_mistakes(lines: str, expected: str) -> None:
    """A directive that cannot be meant is an error at its place."""
    assert shown(HEADER + lines) == [expected]


def test_at_most_1024_texts() -> None:
    """All of them are prepared by check, so their number is bounded."""
    lines = [f", :p{i} -- if: p{i}\n" for i in range(11)]
    assert sum(1 for _ in variants(one_query(HEADER + "select 1\n" + "".join(lines[:10])))) == 1024
    assert shown(HEADER + "select 1\n" + "".join(lines)) == ["Q117 1:1 -- name: q :many"]


def test_source_offsets() -> None:
    """Every place of every text leads to its place in the file, also out of a comment."""
    query = one_query(LIST.replace("tasks", "täsks"))
    source = query.source.text
    for variant in variants(query):
        for offset, character in enumerate(variant.sql):
            at = variant.source_offset(offset)
            if source[at] == ":":
                name = source[at + 1 :].split()[0].rstrip(";")
                number = variant.parameters.index(name) + 1
                assert variant.sql[: offset + 1].endswith((f"${number}", "$"))
            else:
                assert source[at] == character


@settings(deadline=None)
@using(st.data())
def test_choice_agrees_with_check(data: st.DataObject) -> None:
    """Whatever is chosen is one of the texts that were checked."""
    query = one_query(LIST)
    checked = {(v.given, v.cases["sort"]): v for v in variants(query)}
    arguments: dict[str, object] = {"user_id": "u", "limit": 1}
    for names in (("completed",), ("lo", "hi")):
        arguments.update(dict.fromkeys(names, data.draw(st.sampled_from([1, UNSET]))))
    arguments["sort"] = data.draw(st.sampled_from(["newest", "due"]))
    order = data.draw(st.permutations(list(arguments)))
    variant = choose(query, {name: arguments[name] for name in order})
    assert variant == checked[variant.given, variant.cases["sort"]]


WORDS = [
    "select", "x", "größe", ":a", ":b", "(:c)", ":a::int", "'it''s -- :no'", "E'\\\\'", '"q :no"',
    "$$ :no -- $$", "$t$\n-- if: a\n$t$", "'two\nlines'", "/* :no */", "/* two\nlines */",
    "-- remark\n", "--\n", ",", "+", "::", "t[1:n]", "t[:n]", "array[:a]", "1.5e3", "->>", "?|",
    "\n", "\r\n", " ", "\t", "    ",
]  # fmt: skip


@settings(deadline=None, max_examples=300)
@using(st.lists(st.sampled_from(WORDS), max_size=20).map(" ".join))
def test_what_is_sent_is_what_was_written(text: str) -> None:
    """Only line comments, the semicolon and the names of parameters are changed."""
    text = "select " + text
    (variant,) = variants(one_query(f"{HEADER}{text};\n"))
    sent = [
        f":{variant.parameters[int(word[1:]) - 1]}" if kind is Kind.POSITIONAL else word
        for kind, word in _words(variant.sql)
    ]
    assert sent == [word for _, word in _words(text)]


def _words(text: str) -> list[tuple[Kind, str]]:
    tokens = scan(text)
    return [(t.kind, text[t.start : t.end]) for t in tokens if t.kind is not Kind.LINE_COMMENT]


ENTRIES = {
    "a PATCH": (
        "update t\nset\n",
        ["{c} = :{c},"],
        "    z = z\nwhere id = :id\nreturning id",
        True,
    ),
    "commas in front": ("update t\nset\n    z = z\n", [", {c} = :{c}"], "where id = :id", True),
    "the last is optional, too": (
        "update t\nset\n    z = z,\n",
        ["{c} = :{c},"],
        "where i = 1",
        False,
    ),
    "one without a comma": (
        "update t\nset\n",
        ["{c} = :{c},"] * 4 + ["{c} = :{c}"],
        "z = z",
        False,
    ),
    "upsert": (
        "insert into t as x (id)\nvalues (:id)\non conflict (id) do update set\n",
        ["{c} = excluded.{c} + :{c},"],
        "z = 1",
        True,
    ),
    "a value in brackets": ("update t\nset\n", ["{c} = (select max(:{c})),"], "z = z", True),
}
NAMES = ["a", "b", "c", "d", "e"]


@pytest.mark.parametrize(("before", "lines", "after", "sound"), ENTRIES.values(), ids=ENTRIES)
def test_entries_of_a_list(before: str, lines: list[str], after: str, sound: bool) -> None:
    """Few texts tell what all of them would: whether each can be read as SQL."""
    entries = [
        f"    {lines[min(at, len(lines) - 1)].format(c=name)} -- if: {name}\n"
        for at, name in enumerate(NAMES)
    ]
    query = one_query(f"{HEADER}{before}{''.join(entries)}{after}")
    found = list(variants(query))
    assert len(found) == 2 * len(NAMES) + 2
    every = [compose(query, frozenset(some), {}) for some in powerset(NAMES)]
    assert all(map(reads, every)) is sound
    assert all(map(reads, found)) is sound


def test_an_insert_of_many() -> None:
    """A column and its value are one choice; what is not an entry doubles the texts."""
    columns = "".join(f"    {name}, -- if: {name}\n" for name in NAMES)
    values = "".join(f"    :{name}, -- if: {name}\n" for name in NAMES)
    text = f"{HEADER}insert into t (\n{columns}    z\n)\nvalues (\n{values}    :z\n)\n"
    assert len(texts(one_query(f"{text}returning id"))) == 12
    where = "on conflict (id) do update set z = 1\nwhere true\n    and t.z = :y -- if: y\n"
    assert len(texts(one_query(f"{text}{where}"))) == 24


@pytest.mark.parametrize(
    "text",
    [
        "select id from t where true\n" + "".join(f"and {n} = :{n} -- if: {n}\n" for n in NAMES),
        "select\n" + "".join(f":{n}::int as {n}, -- if: {n}\n" for n in NAMES) + "1",
        "update t set z = z\nwhere true\n" + "".join(f"and {n} = :{n} -- if: {n}\n" for n in NAMES),
        "insert into t\nselect\n" + "".join(f":{n}, -- if: {n}\n" for n in NAMES) + "1",
    ],
)
def test_what_is_no_entry(text: str) -> None:
    """Other lines are checked in every text."""
    assert len(texts(one_query(HEADER + text))) == 32


def test_a_patch_of_fifty_columns() -> None:
    """It is one query of 102 texts, and each choice of columns has its own."""
    names = [f"c{number}" for number in range(50)]
    lines = "".join(f"    {name} = :{name}, -- if: {name}\n" for name in names)
    text = f"{HEADER}update t\nset\n{lines}    z = z\nwhere id = :id"
    assert len(texts(one_query(text))) == 102
    wanted = "update t set c3 = $1, c7 = $2, z = z where id = $3"
    assert chosen(text, id=1, c3=2, c7=3) == wanted


def powerset(names: list[str]) -> list[tuple[str, ...]]:
    """Return every choice of some names."""
    return [some for size in range(len(names) + 1) for some in combinations(names, size)]


def reads(variant: Variant) -> bool:
    """Tell whether PostgreSQL's grammar takes a text."""
    try:
        parse(variant.sql)
    except GrammarError:
        return False
    return True
