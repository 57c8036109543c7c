"""Odd files, made at random: every reader answers, and all agree on what is refused."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest
from support.soak import pick

from todo_sql.cli.app import main
from todo_sql.errors import ExitCode

pytestmark = pytest.mark.database

RUNS = int(pick(24, 2_000))

WHOLE = [
    "create table t (a int)",
    "create function f() returns int begin atomic select 1; select 2; end",
    "create rule r as on insert to t do also (insert into u values (1); select 1)",
    "create operator @#@ (leftarg = int, rightarg = int, function = int4pl)",
    "create cast (int as text) with inout as implicit",
    "create aggregate s(int) (sfunc = int4pl, stype = int)",
    "create transform for int language plpgsql (from sql with function f(internal))",
    "create text search configuration c (copy = simple)",
    "create access method m type table handler h",
    "import foreign schema s limit to (a, b) from server v into public",
    "security label for p on table t is 'x'",
    "grant set on parameter work_mem to public",
    "merge into t using u on t.a = u.a when matched then delete when not matched then do nothing",
    "with recursive r as (select 1 union all table r) search depth first by a set o select 1",
    "select * from json_table('[]', '$[*]' columns (a int path '$'))",
    "declare c cursor with hold for select 1",
    "prepare p (int) as select $1",
    "execute p (1)",
    "listen c; notify c, 'x'; unlisten *",
    "load 'nothing'",
    "lock table t in access share mode nowait",
    "do $_$ begin raise notice '%', $$;$$; end $_$ language plpgsql",
    "explain (costs off) select 1",
    "copy t to program 'true'",
    "alter system set work_mem = '1MB'",
    "vacuum (freeze) t",
    "reindex (verbose) table concurrently t",
    "create database d",
    "savepoint s; rollback to s",
    "set constraints all deferred",
    "discard all",
    "select pg_advisory_unlock_all()",
    "values (1), (2)",
    "table t",
    "create statistics on a, b from t",
    "alter table t alter a set expression as (1)",
    "create property graph g",
    "delete from t for portion of valid_at from 1 to 2",
]
PARTS = [
    *(";", ";;", "'", "''", '"', '""', "$$", "$a$", "$1", ":a", "::", ":=", "\\", "\\.", "\\i x"),
    *("--", "-- a\n", "/*", "*/", "/* /* */ */", "-- allow: R101 a\n", "-- depends: x\n"),
    *("E'\\'", "U&'\\0041'", "U&\"d\\0061t\" uescape '!'", "b'01'", "x'1F'", "1e9", "0x1F", "1_0"),
    *("(", ")", "[", "]", "{", "}", ",", ".", "..", "?", "??|", "@>", "=>", "<>", "!=", "#", "`"),
    *("\n", "\r", "\r\n", "\t", "\v", "\f", "\0", "\x1a", "\x7f", "\x85", "\xa0", "\u2028"),
    *("\ufeff", "\u200b", "\u202e", "é", "ﬁ", "日本", "🙂", "İ", "begin", "end", "atomic", "not"),
    *("copy t from stdin;\n", "1\t\\N\n\\.\n", "select", "from", "insert into t values (1)"),
]


def odd(seed: int) -> bytes:
    """Return a file: whole statements, some of them broken, deep or long, and odd bytes."""
    chance = random.Random(seed)
    pieces = []
    for _ in range(chance.randint(1, 5)):
        piece = chance.choice(WHOLE)
        match chance.randrange(7):
            case 0:
                piece = "".join(chance.choices(PARTS, k=chance.randint(1, 12)))
            case 1:
                at = chance.randrange(len(piece))
                piece = piece[:at] + chance.choice(PARTS) + piece[at:]
            case 2:
                piece = piece[: chance.randrange(len(piece))]
            case 3:
                levels = chance.choice([10, 100, 1000])
                opening, closing = chance.choice(
                    [("(", ")"), ("- ", ""), ("not ", ""), ("abs(", ")"), ("(select ", ")")]
                )
                piece = f"select {opening * levels}1{closing * levels}"
            case 4:
                words = ", ".join(f"'{chance.choice(PARTS)}'" for _ in range(9))
                piece = f"insert into t values ({words.replace(chr(0), '')})" * chance.choice(
                    [1, 40]
                )
        pieces.append(piece)
    data = chance.choice([";\n", ";", "\n;\r\n", " "]).join(pieces).encode()
    if chance.random() < 0.1:
        at = chance.randrange(len(data) + 1)
        data = (
            data[:at] + chance.choice([b"\xff", b"\xc3", b"\xed\xa0\x80", b"\xfe\xff"]) + data[at:]
        )
    return data


@pytest.mark.parametrize("seed", range(RUNS))
def test_every_reader_ends_with_an_answer(
    seed: int, tmp_path: Path, empty_database: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """No internal error, whatever the file; `lint` and `migrate` refuse the same."""
    (tmp_path / "todo-sql.toml").write_text("", encoding="utf-8")
    folder = tmp_path / "migrations"
    folder.mkdir()
    (folder / "20260101090000_odd.sql").write_bytes(b"-- irreversible: odd\n" + odd(seed))

    def refused(*words: str) -> tuple[int, set[str]]:
        code = main(["--project", str(tmp_path), "--database", empty_database, "--json", *words])
        shown = capsys.readouterr()
        assert code in (ExitCode.OK, ExitCode.FINDINGS, ExitCode.USAGE, ExitCode.DATABASE), shown
        assert "Traceback" not in shown.err
        said = json.loads(shown.out)
        found = [
            *said.get("findings", ()),
            *said.get("errors", ()),
            *filter(None, [said.get("error")]),
        ]
        return code, {one["code"] for one in found if one["code"].startswith(("M1", "S1"))} - {
            "M100",
            "M129",
            "M131",
        }

    linted, dry = refused("lint"), refused("migrate", "--dry-run")
    assert linted[1] == dry[1]
    assert (dry[0] == ExitCode.OK) == (not dry[1])
    run = refused("migrate")
    assert (run[0] == ExitCode.USAGE) == (dry[0] == ExitCode.USAGE)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "\n",
        "-- later\n",
        "/* select 1; */",
        ";",
        " ;\r\n; -- x\r\n",
        "\\restrict a\n",
    ],
)
@pytest.mark.parametrize("place", ["20260101090000_one.sql", "repeatable/one.sql"])
@pytest.mark.parametrize("allowed", [False, True])
def test_a_file_without_a_statement_is_told(
    text: str,
    place: str,
    allowed: bool,
    tmp_path: Path,
    empty_database: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """By `lint` and by `migrate`, which applies it; unless the file says that it is to be so."""
    (tmp_path / "todo-sql.toml").write_text("", encoding="utf-8")
    file = tmp_path / "migrations" / place
    file.parent.mkdir(parents=True)
    said = "" if "/" in place else "-- irreversible: nothing\n"
    said += "-- allow: M131 its version is taken\n" if allowed else ""
    file.write_text(said + text, encoding="utf-8", newline="")
    for command in ("lint", "migrate"):
        code = main(["--project", str(tmp_path), "--database", empty_database, command])
        shown = capsys.readouterr()
        assert code == ExitCode.OK or command == "lint", shown
        assert ("M131" in shown.out + shown.err) == (not allowed), shown
