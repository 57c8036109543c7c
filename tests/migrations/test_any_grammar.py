"""What PostgreSQL takes, `migrate` applies: nesting, continued strings, pg_dump's lines."""

from __future__ import annotations

from pathlib import Path

import psycopg
import pytest
from support.deep import DEEP
from support.migrations import Recorder, applied, fetch, migrator, write

from todo_sql.errors import Finding
from todo_sql.migrations.files.folder import load
from todo_sql.migrations.files.statements import check
from todo_sql.sql.grammar import EXAMINED, GrammarError, cut, parse

ID = "20260101000000_first"
LEVELS = 120


@pytest.mark.parametrize("kind", DEEP)
@pytest.mark.parametrize("levels", [20, 120, 900])
def test_a_statement_is_cut_and_known_at_any_depth(kind: str, levels: int) -> None:
    """With its neighbours; what of its tree can be had agrees with its kind."""
    deep = DEEP[kind](levels)
    text = f"create table ä (a int);\n-- {kind}\n{deep} ;\ndrop table ä;"
    found = parse(text)
    assert [one.text for one in found] == ["create table ä (a int)", deep, "drop table ä"]
    assert [text[one.start : one.end] for one in found] == [one.text for one in found]
    assert [one.kind for one in found] == ["create_stmt", "select_stmt", "drop_stmt"]
    assert all(one.node.WhichOneof("node") == one.kind for one in found)
    assert [one.unseen for one in (found[0], found[2])] == [None, None]


def test_what_stands_on_the_surface_of_a_deep_statement_is_seen(tmp_path: Path) -> None:
    """Such as CONCURRENTLY, which must not run in a transaction."""
    predicate = DEEP["calls"](LEVELS).removeprefix("select ")
    write(
        tmp_path, ID, f"create index concurrently if not exists i on t (a) where a > {predicate};"
    )
    (statement,) = load(tmp_path).migrations[0].forward.statements
    assert statement.unseen and statement.node.index_stmt.concurrent
    assert (statement.node.index_stmt.idxname, statement.node.index_stmt.if_not_exists) == (
        "i",
        True,
    )


@pytest.mark.parametrize(
    "text",
    [
        "select 1; foo bar; select 2",
        "select 1;\nselect from from;",
        "select 'a' -- c\n 'b' 'c';",
        "create function f() returns int begin atomic select 1; selec 2; end; select 1",
    ],
)
def test_what_is_no_sql_is_not_passed_over(text: str) -> None:
    """Neither the scanner's splitting nor the mending of strings lets a mistake through."""
    with pytest.raises(GrammarError) as caught:
        parse(text)
    assert text[caught.value.offset :].startswith(("foo", "from;", "'c'", "selec "))


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("select 'a' -- first part\n    'b'", "ab"),
        ("select 'a'\n-- one\n-- two ' with a quote\n'b' -- three\n'c'", "abc"),
        ("select 'it''s -- no comment' -- comment\n ' ä'", "it's -- no comment ä"),
        ("select E'a\\'--' -- comment\n 'b'", "a'--b"),
    ],
)
@pytest.mark.database
def test_a_string_goes_on_after_a_comment(
    tmp_path: Path, empty_database: str, text: str, value: str
) -> None:
    """As in PostgreSQL: the text that runs is the text of the file."""
    write(tmp_path, ID, f"create table t as {text} as v;\nselect 1;", "drop table t;")
    assert migrator(empty_database, tmp_path).migrate()
    assert fetch(empty_database, "select v from t") == [value]
    assert parse(text)[0].text == text


class Warned(Recorder):
    """Keeps warnings and notices, too."""

    def __init__(self) -> None:
        super().__init__()
        self.warnings: list[Finding] = []
        self.notices: list[Finding] = []

    def warning(self, finding: Finding) -> None:
        """Keep a warning."""
        self.warnings.append(finding)

    def notice(self, finding: Finding) -> None:
        """Keep what the server said."""
        self.notices.append(finding)


@pytest.mark.database
def test_deep_statements_are_applied_and_told(tmp_path: Path, empty_database: str) -> None:
    """One migration of each kind; each has a warning with its place."""
    for number, make in enumerate(DEEP.values()):
        write(tmp_path, f"202601010000{number:02}_deep", f"select 1;\n{make(LEVELS)};")
    told = Warned()
    assert len(migrator(empty_database, tmp_path, told).migrate()) == len(DEEP)
    places = [(one.code, one.place and one.place.line) for one in told.warnings]
    assert set(places) == {("M129", 2)} and len(places) >= len(DEEP) - 3  # brackets leave no trace


@pytest.mark.database
def test_a_long_statement_is_applied_and_told(tmp_path: Path, empty_database: str) -> None:
    """Data beyond `EXAMINED` bytes is not looked into."""
    rows = ",\n".join(f"({number}, 'ä')" for number in range(EXAMINED // 10))
    write(tmp_path, ID, f"create table t (a int, b text);\ninsert into t values {rows};")
    told = Warned()
    migrator(empty_database, tmp_path, told).migrate()
    assert [(one.code, one.place and one.place.line) for one in told.warnings] == [("M129", 2)]
    assert fetch(empty_database, "select count(*) from t") == [EXAMINED // 10]


@pytest.mark.database
def test_the_server_knows_what_the_grammar_does_not(tmp_path: Path, empty_database: str) -> None:
    """A statement that libpg_query cannot read is the server's to judge; here it refuses."""
    write(tmp_path, ID, "create table t (a int);\ncreate tabel u (a int);")
    with pytest.raises(Exception, match="problem") as caught:
        migrator(empty_database, tmp_path).migrate()
    assert "tabel" in str(caught.value)
    script = load(tmp_path).migrations[0].forward
    assert script.cut(lambda text: True)
    assert [one.text for one in script.statements] == [one.text for one in cut(script.source.text)]
    assert all(one.unseen and not one.kind for one in script.statements)


def test_a_transaction_statement_is_refused_without_a_tree(tmp_path: Path) -> None:
    """What would tear the migration from its ledger row is told by its first word."""
    write(tmp_path, ID, "create tabel u (a int);\ncommit;")
    with pytest.raises(Exception, match="transaction statement"):
        check(load(tmp_path), takes=lambda text: True)


@pytest.mark.database
def test_the_lines_of_pg_dump_for_psql_are_passed_over(tmp_path: Path, empty_database: str) -> None:
    """Every pg_dump since 17.6 writes them; other commands of psql are refused as before."""
    text = (
        "-- Dumped by pg_dump\r\n\\restrict 9zYgjQFnIpXQmK46\r\nSELECT 1;\r\n"
        "CREATE TABLE public.t (v text default '\n\\restrict abc\n');\n"
        "\\unrestrict 9zYgjQFnIpXQmK46\n"
    )
    write(tmp_path, ID, "", "drop table t;")
    (tmp_path / f"{ID}.sql").write_bytes(text.encode())
    migrator(empty_database, tmp_path).migrate()
    assert applied(empty_database) == [ID]
    with psycopg.connect(empty_database) as connection:
        connection.execute("insert into t default values")
        assert connection.execute("select v from t").fetchone() == ("\n\\restrict abc\n",)
    (tmp_path / f"{ID}.sql").write_bytes(text.encode() + b"\\connect x\n")
    with pytest.raises(Exception, match="problem") as caught:
        check(load(tmp_path))
    assert "M122" in str(caught.value) and "connect" in str(caught.value)


@pytest.mark.parametrize(
    ("statement", "again", "alone"),
    [
        ("alter index i attach partition j", True, False),
        ("alter table t attach partition u for values from (1) to (2)", False, False),
        ("create database d", False, True),
        ("drop database d", False, True),
        ("drop database if exists d", True, True),
        ("create tablespace s location '/x'", False, True),
        ("drop tablespace if exists s", True, True),
        ("alter system set work_mem = '1MB'", True, True),
        ("alter database d set tablespace s", True, True),
        ("alter database d connection limit 3", False, False),
        ("reindex database d", True, True),
        ("reindex schema s", True, True),
        ("reindex table t", True, False),
        ("cluster", True, True),
        ("cluster t using i", True, False),
        ("create subscription s connection 'x' publication p", False, True),
        (
            "create subscription s connection 'x' publication p with (create_slot = false)",
            False,
            False,
        ),
        ("alter subscription s refresh publication", False, True),
        ("create or replace view v as select 1", True, False),
    ],
)
def test_the_advice_on_transactions_does_not_contradict_itself(
    tmp_path: Path, statement: str, again: bool, alone: bool
) -> None:
    """M127 proposes no transaction for what can be in none, M128 says all that is needed."""

    def found(head: str) -> dict[str, str]:
        write(tmp_path, ID, f"{head}{statement};")
        try:
            check(load(tmp_path))
        except Exception as error:
            return {one.code: one.fix or "" for one in getattr(error, "findings", [])}
        return {}

    inside, outside = found(""), found("-- transactional: false\n")
    assert list(inside) == (["M128"] if alone else [])
    assert list(outside) == ([] if again else ["M127"])
    if alone:
        assert ("unknown-fate" in inside["M128"]) is not again
    if outside:
        assert ("transactional migration" in outside["M127"]) is not alone
        assert "unknown-fate" in outside["M127"]


@pytest.mark.database
def test_what_the_server_says_is_passed_on(tmp_path: Path, empty_database: str) -> None:
    """Warnings and notices of a file's own statements, each at its statement."""
    name = "x" * 70
    write(
        tmp_path,
        ID,
        "do $$ begin raise notice 'moved % rows', 5; end $$;\n"
        "do $$ begin raise warning 'check me' using hint = 'now'; end $$;\n"
        f"create table {name} (a int);\n"
        "create table if not exists pg_temp.t (a int);",
    )
    told = Warned()
    migrator(empty_database, tmp_path, told).migrate()
    said = [(one.severity, one.place and one.place.line, one.message) for one in told.notices]
    assert ("info", 1, "moved 5 rows") in said
    assert ("warning", 2, "check me") in said
    assert any(line == 3 and "will be truncated" in words for _, line, words in said)
    assert [one.fix for one in told.notices if one.message == "check me"] == ["now"]
