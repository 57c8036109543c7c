"""Pages by keyset: the texts, the cursors, and the walk over real rows."""

from __future__ import annotations

import re
from base64 import urlsafe_b64encode
from collections.abc import Callable, Iterator
from hashlib import blake2b
from typing import Any

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from psycopg.raw_cursor import RawCursor
from support.queries import one_query, shown
from support.soak import pick

from todo_sql.queries.cursor import Cursor, Page, decode, encode, make_page
from todo_sql.queries.keyset import choose_page, page_size, page_variants
from todo_sql.queries.named import NamedQuery
from todo_sql.queries.query_errors import BadCursor, BadParameter

TASKS = """-- name: page_tasks :page -> Task
-- param: limit = 50
select id, title, due_date, created_at
from tasks
where user_id = :user_id
    and completed = :completed              -- if: completed
order by created_at desc, id desc           -- case sort: newest
-- order by due_date nulls last, id         -- case sort: due
limit :limit
"""
NOT_NULL = frozenset({"created_at", "id"})


def text(query: NamedQuery, cursor: Cursor | None, **arguments: object) -> str:
    """Return the text of a page."""
    arguments = {"user_id": "u", "limit": 2, **arguments}
    return choose_page(query, arguments, cursor, NOT_NULL).sql


def after(*keys: str | None, sort: str = "newest", back: bool = False) -> Cursor:
    """Return a cursor that stands at a row."""
    return Cursor(back, keys, {"sort": sort})


def test_first_page() -> None:
    """Without a cursor there is no predicate, and one row more is asked for."""
    assert text(one_query(TASKS), None) == (
        "select page.*, page.created_at::text, page.id::text\n"
        "from (\n"
        "select id, title, due_date, created_at\n"
        "from tasks\n"
        "where user_id = $1\n"
        ") as page\n"
        "order by page.created_at desc, page.id desc\n"
        "limit $2::bigint + 1"
    )


@pytest.mark.parametrize(
    ("cursor", "conditions", "order"),
    [
        (
            after("2026-01-01", "7"),
            ["(page.created_at, page.id) < ($3, $4)"],
            "page.created_at desc, page.id desc",
        ),
        (
            after("2026-01-01", "7", back=True),
            ["(page.created_at, page.id) > ($3, $4)"],
            "page.created_at, page.id",
        ),
        (
            after("2026-01-01", "7", sort="due"),
            ["(page.due_date, page.id) > ($3, $4)", "page.due_date is null"],
            "page.due_date, page.id",
        ),
        (
            after(None, "7", sort="due"),
            ["page.due_date is null and page.id > $3"],
            "page.due_date, page.id",
        ),
        (
            after("2026-01-01", "7", sort="due", back=True),
            ["(page.due_date, page.id) < ($3, $4)"],
            "page.due_date desc, page.id desc",
        ),
        (
            after(None, "7", sort="due", back=True),
            ["page.due_date is null and page.id < $3", "page.due_date is not null"],
            "page.due_date desc, page.id desc",
        ),
    ],
)
def test_predicates(cursor: Cursor, conditions: list[str], order: str) -> None:
    """Rows are compared as rows; nulls and values are two ranges, each with its own select."""
    sql = text(one_query(TASKS), cursor)
    assert re.findall(r"\) as page\nwhere (.*)\norder by", sql) == conditions
    assert set(re.findall(r"order by (.*)", sql)) == {order}


def test_mixed_directions_keep_an_index_condition() -> None:
    """Where directions differ, the first key still bounds the scan."""
    query = one_query(
        "-- name: p :page\nselect id, created_at from t order by created_at desc, id limit 10"
    )
    sql = choose_page(query, {}, Cursor(False, ("a", "1"), {}), NOT_NULL).sql
    assert (
        "where page.created_at <= $1 and (page.created_at < $1 or page.id > $2)\n"
        "order by page.created_at desc, page.id\n"
        "limit 10::bigint + 1"
    ) in sql


def test_with_stays_in_front() -> None:
    """Common table expressions stay outside, so that the select can be pulled up."""
    query = one_query(
        "-- name: p :page\n"
        "with mine as (select * from t order by x limit 3)\n"
        'select m.id, m."Odd name" from mine m order by m."Odd name", m.id limit :n'
    )
    sql = choose_page(query, {"n": 5}).sql
    assert sql.startswith("with mine as (select * from t order by x limit 3)\nselect page.*, ")
    assert sql.endswith('order by page."Odd name", page.id\nlimit $1::bigint + 1')


def test_places_lead_back_to_the_file() -> None:
    """An offset in the written text is an offset in the file; our own text points at its cause."""
    query = one_query(TASKS)
    variant = choose_page(
        query, {"user_id": "u", "completed": True, "limit": 1}, after("a", "1"), NOT_NULL
    )
    for word in ("title", "tasks", "completed", "$2", "page.created_at desc", "bigint"):
        at = query.source.text[variant.source_offset(variant.sql.index(word)) :]
        expected = {"$2": ":completed", "page.created_at desc": "created_at", "bigint": ":limit"}
        assert at.startswith(expected.get(word, word))


@pytest.mark.parametrize(
    ("sql", "mistake"),
    [
        ("update t set a = 1", "Q119 2:1 update"),
        ("select a from t limit :n", "Q119 2:1 select"),
        ("select a from t order by a", "Q119 2:26 a"),
        ("select a from t order by a limit :n + 1", "Q119 2:37 +"),
        ("select a from t order by a limit :n offset 3", "Q119 2:37 offset"),
        ("select a from t order by a limit", "Q119 2:28 limit"),
        ("select a from t order by a limit :n::bigint", "Q119 2:36 ::"),
        ("select a from t order by a offset 3 limit :n", "Q119 2:28 offset"),
        ("select a from t order by a for update limit :n", "Q119 2:28 for"),
        ("select a from t order by lower(a) limit :n", "Q119 2:26 lower(a)"),
        ("select a from t order by a, b + 1 desc limit :n", "Q119 2:29 b + 1 desc"),
        ("select 'ü', t.a from t order by 'ü', t.b limit :n", "Q119 2:33 'ü'"),
        ("select t.a from t order by t.a, t.b limit :n", "Q119 2:33 t.b"),
        ("select t.b as a from t order by t.b limit :n", "Q119 2:33 t.b"),
        ("select a from t\norder by a\n, b -- if: x\nlimit :x", "Q119 3:1 order by"),
        ("select a from t\norder by a\nlimit :x -- if: x", "Q119 3:1 order by"),
        ("select distinct on (a) a from t order by a limit :n", "Q119 2:8 distinct on"),
    ],
)
def test_other_shapes_are_refused(sql: str, mistake: str) -> None:
    """What cannot be paged soundly is an error at its place."""
    assert shown(f"-- name: p :page\n{sql}\n") == [mistake]


def test_cursor_round_trip() -> None:
    """A cursor comes back as it was, with any text and with NULL."""
    query = one_query(TASKS)
    for cursor in (
        after("2026-01-01 00:00:00+00", None, sort="due", back=True),
        after('a"\\🙂', ""),
        Cursor(True, None, {"sort": "newest"}),
    ):
        assert decode(query, encode(query, cursor)) == cursor


def test_foreign_cursor() -> None:
    """A cursor of another query, or of an older text of this one, is refused."""
    query = one_query(TASKS)
    cursor = encode(query, after("a", "1"))
    for other in (TASKS.replace("page_tasks", "page_more"), TASKS.replace("title,", "")):
        with pytest.raises(BadCursor, match="not one of query"):
            decode(one_query(other), cursor)


def test_line_endings_keep_cursors() -> None:
    """A checkout with other line endings still knows its cursors."""
    cursor = encode(one_query(TASKS), after("a", "1"))
    assert decode(one_query(TASKS.replace("\n", "\r\n")), cursor) == after("a", "1")


@settings(deadline=None)
@given(st.data())
def test_tampered_cursor(data: st.DataObject) -> None:
    """Any cut or changed cursor, and any other text, is a BadCursor and nothing else."""
    query = one_query(TASKS)
    cursor = encode(query, after("2026-01-01", "12345"))
    at = data.draw(st.integers(0, len(cursor) - 1))
    changed = data.draw(
        st.sampled_from([cursor[:at], cursor[:at] + cursor[at + 1 :], cursor + "A", cursor + "="])
        | st.characters().map(lambda c: cursor[:at] + c + cursor[at + 1 :])
        | st.text()
    )
    if changed != cursor:
        with pytest.raises(BadCursor):
            decode(query, changed)


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"\xff",
        b"[0,null]",
        b"[0,null,null]",
        b"[0,null,{}]",
        b'[0,null,{"sort":"old"}]',
        b'[0,null,{"sort":["due"]}]',
        b'[0,null,{"sort":"due","x":"y"}]',
        b'[0,5,{"sort":"due"}]',
        b'[0,[1,2],{"sort":"due"}]',
        b"[" * 100_000,
    ],
)
def test_forged_cursor(payload: bytes) -> None:
    """Who knows how the digest is made still gets a BadCursor for what no query wrote."""
    query = one_query(TASKS)
    token = query.fingerprint + blake2b(payload, key=query.fingerprint, digest_size=8).digest()
    forged = urlsafe_b64encode(token + payload).rstrip(b"=").decode()
    with pytest.raises(BadCursor, match="forged"):
        decode(query, forged)


def test_cursor_with_too_many_keys() -> None:
    """A cursor has a value for each key."""
    with pytest.raises(BadCursor, match="does not fit"):
        text(one_query(TASKS), after("a", "b", "c"))


def test_a_cursor_brings_its_case() -> None:
    """A case left at its default follows the cursor; one that says otherwise is refused."""
    query = one_query(TASKS)
    due = after("2026-01-01", "7", sort="due")
    assert "order by page.due_date, page.id" in text(query, due)
    assert "order by page.due_date, page.id" in text(query, due, sort="newest")
    assert "order by page.due_date, page.id" in text(query, due, sort="due")
    with pytest.raises(BadCursor, match="walks by sort 'newest', not 'due'"):
        text(query, after("a", "1"), sort="due")


@pytest.mark.parametrize("size", [0, -1, True, None, "5", 1.0])
def test_page_size(size: object) -> None:
    """A page holds one row or more."""
    query = one_query(TASKS)
    arguments = {"user_id": "u", "limit": size}
    with pytest.raises(BadParameter) as caught:
        page_size(choose_page(query, arguments), arguments)
    assert caught.value.parameter == "limit"


def test_every_text_is_checked() -> None:
    """Check sees the first page, the last, and both directions with every pattern of NULL."""
    query = one_query(TASKS)
    found = list(page_variants(query, NOT_NULL))
    newest, due = 2 * (1 + 1), 2 * (1 + 2)  # a direction: its edge, and each pattern of NULL
    assert len(found) == 2 * (newest + due)  # with and without `completed`
    assert len({variant.sql for variant in found}) == len(found)


# The walk on a real server.


@pytest.fixture(scope="module")
def rows(server: Any) -> Iterator[psycopg.Connection[Any]]:
    """A connection with a temporary table for the rows of each example."""
    with psycopg.connect(server.url(), cursor_factory=RawCursor, autocommit=True) as connection:
        connection.execute(
            "create temporary table walked "
            "(id int primary key, a int, b text, c timestamptz, d numeric not null)"
        )
        yield connection


def walk(
    rows: psycopg.Connection[Any], query: NamedQuery, cursor: str | None, size: int
) -> Page[tuple[Any, ...]]:
    """Read one page, as a session does."""
    arguments = {"size": size}
    place = decode(query, cursor) if cursor else None
    variant = choose_page(query, arguments, place, frozenset({"id", "d"}))
    values: dict[str, Any] = {"size": size}
    bound = [values[name] for name in variant.parameters if name in values]
    found = rows.execute(
        variant.sql.encode(), [*bound, *(place.values if place else [])]
    ).fetchall()
    keys = len(variant.keys)
    split = [(row[:-keys], row[-keys:]) for row in found]
    return make_page(query, place, variant.cases, split, page_size(variant, arguments))


ORDERS = st.lists(
    st.tuples(
        st.sampled_from("abcd"),
        st.sampled_from(["", " asc", " desc"]),
        st.sampled_from(["", " nulls first", " nulls last"]),
    ),
    max_size=3,
    unique_by=lambda key: key[0],
)
ROWS = st.lists(
    st.tuples(
        st.none() | st.integers(0, 2),
        st.none() | st.sampled_from(["", "a", "B", "é", "'\\"]),
        st.none() | st.sampled_from(["2026-01-01", "2026-01-01 00:00:00.000001"]),
        st.sampled_from(["1", "1.0", "1.50", "NaN"]),
    ),
    max_size=12,
)


@pytest.mark.database
@settings(
    max_examples=int(pick(60, 3000)),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    ORDERS,
    st.sampled_from(["id", "id desc"]),
    ROWS,
    st.integers(1, 5),
)
def test_a_walk_meets_every_row_once(
    rows: psycopg.Connection[Any],
    order: list[tuple[str, str, str]],
    last: str,
    content: list[tuple[Any, ...]],
    size: int,
) -> None:
    """Forwards and back, any directions, nulls and ties: every row once, in order."""
    rows.execute("truncate walked")
    with rows.cursor() as cursor:
        cursor.executemany(
            "insert into walked values ($1::int, $2::int, $3, $4::text::timestamptz, "
            "$5::text::numeric)",
            [(index, *row) for index, row in enumerate(content)],
        )
    by = ", ".join(["".join(key) for key in order] + [last])
    query = one_query(
        f"-- name: walk :page\nselect id, a, b, c, d\nfrom walked\norder by {by}\nlimit :size\n"
    )
    expected = [row[0] for row in rows.execute(f"select id from walked order by {by}").fetchall()]
    rows.execute("set timezone = 'Asia/Kathmandu'")
    pages = _walk_on(lambda at: walk(rows, query, at, size), None, "next")
    assert [row[0] for page in pages for row in page.items] == expected
    assert pages[0].previous is None
    if len(pages) > 1:
        back = _walk_on(lambda at: walk(rows, query, at, size), pages[-1].previous, "previous")
        met = [row[0] for page in reversed(back) for row in page.items]
        assert met == expected[: len(expected) - len(pages[-1].items)]
        assert all(page.next for page in back)


def _walk_on(
    read: Callable[[str | None], Page[tuple[Any, ...]]], cursor: str | None, direction: str
) -> list[Page[tuple[Any, ...]]]:
    pages = [read(cursor)]
    while (cursor := getattr(pages[-1], direction)) is not None:
        pages.append(read(cursor))
        assert len(pages) < 50
    return pages


@pytest.mark.database
def test_turning_round_where_rows_are_gone(rows: psycopg.Connection[Any]) -> None:
    """A page whose rows were deleted meanwhile still leads back to the last one."""
    rows.execute("truncate walked")
    rows.execute("insert into walked select i, null, null, null, 0 from generate_series(1, 6) i")
    query = one_query("-- name: walk :page\nselect id from walked order by id limit :size\n")
    first = walk(rows, query, None, 2)
    second = walk(rows, query, first.next, 2)
    rows.execute("delete from walked where id > 4")
    third = walk(rows, query, second.next, 2)
    assert (third.items, third.next) == ([], None)
    last = walk(rows, query, third.previous, 2)
    assert ([row[0] for row in last.items], last.next) == ([3, 4], None)
    rows.execute("delete from walked where id < 3")
    before = walk(rows, query, last.previous, 2)
    assert (before.items, before.previous) == ([], None)
    assert [row[0] for row in walk(rows, query, before.next, 2).items] == [3, 4]


@pytest.mark.database
def test_pages_use_the_index(rows: psycopg.Connection[Any]) -> None:
    """The wrapped select is pulled up: the predicate is an index condition without a sort."""
    rows.execute("truncate walked")
    rows.execute(
        "insert into walked select i, i % 9, 'x', null, i from generate_series(1, 20000) i"
    )
    rows.execute("create index walked_d on walked (d desc, id desc)")
    rows.execute("analyze walked")
    query = one_query(
        "-- name: walk :page\nwith x as (select 1)\nselect id, d from walked\n"
        "where b = 'x'\norder by d desc, id desc limit 20\n"
    )
    variant = choose_page(query, {}, Cursor(False, ("10000", "10000"), {}), frozenset({"id", "d"}))
    plan = rows.execute(f"explain (costs off) {variant.sql}".encode(), ["10000", "10000"])
    lines = [line.strip() for (line,) in plan.fetchall()]
    assert lines[1].startswith("->  Index Scan using walked_d")
    assert lines[2].startswith("Index Cond: (ROW(d, id) < ROW(")


@pytest.mark.database
@pytest.mark.parametrize("null", [False, True])
def test_ranges_of_nulls_use_the_index(rows: psycopg.Connection[Any], null: bool) -> None:
    """Values and nulls behind a cursor are read from the index, each bounded."""
    rows.execute("truncate walked")
    rows.execute(
        "insert into walked select i, nullif(i % 9, 0), 'x', null, i "
        "from generate_series(1, 20000) i"
    )
    rows.execute("create index if not exists walked_a on walked (a, id)")
    rows.execute("analyze walked")
    query = one_query("-- name: walk :page\nselect id, a from walked order by a, id limit 20\n")
    cursor = Cursor(null, (None if null else "7", "10000"), {})
    variant = choose_page(query, {}, cursor, frozenset({"id"}))
    plan = rows.execute(f"explain (costs off) {variant.sql}".encode(), cursor.values).fetchall()
    text = "\n".join(line for (line,) in plan)
    assert len(re.findall(r"Index (?:Only )?Scan (?:Backward )?using walked_a", text)) == 2
    assert text.count("Index Cond:") == 2
    assert "Filter:" not in text
