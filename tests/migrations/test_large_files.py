"""Large files are read in other ways than small ones; what is found in them is the same."""

from __future__ import annotations

from pathlib import Path

import pytest

from todo_sql.config import load_config
from todo_sql.migrations.files.folder import load
from todo_sql.migrations.files.statements import explain
from todo_sql.review.linting import lint as linting
from todo_sql.review.linting import squawk
from todo_sql.review.linting.lint import Outside
from todo_sql.sql import grammar
from todo_sql.sql.grammar import GrammarError, parse
from todo_sql.sql.source import Source

DATA = "".join(f"insert into t (a, b) values ({n}, 'x; y', now());\n" for n in range(30))
BODY = "create function f() returns int begin atomic insert into t values (1); select 1; end;\n"

TEXTS = {
    "data": DATA,
    "data and other things": f"set a.b = 'c';\n{DATA}alter table t add c int;\n{DATA}select 1",
    "kinds": "INSERT into t default values; Update t set a = 1 ; delete from t;values (1);table t;",
    "comments": f"-- a\n/* b; /* c */ */ {DATA}/* insert */ delete from t -- d;\n;; -- e",
    "no ASCII": "insert into t values ('é', '日本');\n" * 20 + "update t set a = 'ß' where b = 'ł'",
    "strings that go on": "insert into t values ('a'\n  'b');" * 9 + "select 'a' -- b\n 'c';",
    "dollars": "insert into t values ($$a; b$$, $c$ $$; $c$);\n" * 9,
    "deep": DATA + "insert into t values (" + "1+" * 200 + "1);" + DATA,
    "brackets": DATA + "delete from t where " + "(" * 90 + "a" + ")" * 90 + ";" + DATA,
    "negations": "delete from t where " + "not " * 90 + "a;" + DATA,
    "a body in SQL": DATA + BODY + DATA,
    "a rule": f"create rule r as on insert to t do also ({DATA.rstrip()[:-1]});{DATA}",
    "an error": DATA + "insert into t valeus (1);" + DATA,
    "an error at the end": DATA + "insert into t values (1",
    "an error in a comment": DATA + "/* a",
    "an error in a string": DATA + "insert into t values ('a);" + DATA,
    "an error after a body": BODY + DATA + "update t where a;" + DATA,
    "two in one": DATA + "insert into t values (1) insert into t values (2);" + DATA,
    "no word of SQL": DATA + "(1);" + DATA,
}


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS.keys())
def test_a_large_text_is_parsed_as_a_small_one(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same statements of the same kinds at the same places, or the same error at its own."""

    def found(*, large: bool) -> object:
        try:
            with monkeypatch.context() as patched:
                if large:
                    patched.setattr(grammar, "_KEPT", 10)
                    patched.setattr(grammar, "_TOGETHER", 7)
                statements = parse(text)
            return [(one, one.node) for one in statements]
        except GrammarError as error:
            return error.message, error.offset

    assert found(large=True) == found(large=False)


@pytest.mark.parametrize(
    ("text", "code"),
    [
        (f"{DATA}\\connect other\n{DATA}", "M122"),
        ("insert into t values ('\n\\a\n');\n" * 5 + "\\i other.sql\n", "M122"),
        (DATA + "\\N\t1\n" * 500, "M122"),
        (f"{DATA}insert into t values ('copy a from stdin;') x;", "M121"),
    ],
)
def test_the_cause_of_an_error_is_found_among_much_data(text: str, code: str) -> None:
    """However many lines look like it."""
    with pytest.raises(GrammarError) as caught:
        parse(text)
    assert explain(Source("m.sql", text), caught.value).code == code


def test_squawk_is_not_given_data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What it says of the rest stands where it stood, for files with and without data."""
    text = (
        f"-- irreversible: a test\n{DATA}alter table t add column c int not null; {DATA}"
        "insert into t values (1,\n 2); create index i on t (c);\n"
        "select 1;drop table t;\n"
    )
    (tmp_path / "pyproject.toml").write_text("[tool.todo-sql]\n", encoding="utf-8")
    (tmp_path / "migrations").mkdir()
    path = tmp_path / "migrations" / "20260101090000_large.sql"
    path.write_text(text, encoding="utf-8")
    config = load_config(tmp_path)
    project, _ = linting.read(config, load(config.migrations, config.root), None, Outside())
    paths = {file.name: path for file in project.files}

    def said() -> set[tuple[str, int, int]]:
        findings = squawk.check(project.files, paths, 18, tmp_path)
        places = [(one.code, one.place) for one in findings]
        return {(code, place.line, place.column) for code, place in places if place}

    whole = said()
    assert {"ban-drop-table", "require-concurrent-index-creation"} <= {one[0] for one in whole}
    monkeypatch.setattr(squawk, "_LARGE", 200)
    assert said() == whole
