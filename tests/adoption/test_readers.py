"""What a tool's folder may hold besides plain migrations: small histories, and what comes over."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import pytest
from support.importing import lay, run

HEAD = "--liquibase formatted sql\n"
SET = "--changeset ada:"


class Case(NamedTuple):
    """A history, and what is made of it.

    Attributes:
        files: In the folder `m`.
        keys: Of what comes over, in order.
        told: The codes of what is told, each with the last name of its file.
        holds: What stands in the new files.
        asked: Further words of the command.
        lacks: What does not.
    """

    files: dict[str, str]
    keys: str = ""
    told: str = ""
    holds: tuple[str, ...] = ()
    asked: tuple[str, ...] = ()
    lacks: tuple[str, ...] = ()


def changeset(rest: str, text: str = "select 1;") -> dict[str, str]:
    """Return a folder of one changeset."""
    return {"a.sql": f"{HEAD}{SET}{rest}\n{text}\n"}


def root(name: str, text: str) -> dict[str, str]:
    """Return a folder with a root changelog, and files that it may include."""
    return {
        name: text,
        **{f"sql/{one}.sql": f"{HEAD}{SET}{one}\nselect '{one}';\n" for one in "ba"},
        "more/b.sql": f"{HEAD}{SET}c\nselect 'more';\n",
        "more/note.txt": "no changelog",
    }


def xml(*entries: str, more: str = "") -> str:
    """Return a changelog in XML."""
    name = "http://www.liquibase.org/xml/ns/dbchangelog"
    return f'{more}<databaseChangeLog xmlns="{name}">{"".join(entries)}</databaseChangeLog>'


LIQUIBASE = {
    "an XML root": Case(
        root("master.xml", xml('<include file="sql/b.sql"/><includeAll path="more/"/>')),
        "ada:b:b.sql ada:c:b.sql",
    ),
    "a YAML root": Case(
        root(
            "db.changelog-master.yaml",
            "databaseChangeLog:\n"
            "  - include: {file: more/b.sql, relativeToChangelogFile: true}\n"
            "  - includeAll: {path: sql}\n",
        ),
        "ada:c:b.sql ada:a:a.sql ada:b:b.sql",
    ),
    "a JSON root, a changelog in a changelog, from the root of the project": Case(
        root("changelog.json", '{"databaseChangeLog": [{"include": {"file": "/m/more.xml"}}]}')
        | {"more.xml": xml('<include file="classpath:m/sql/a.sql"/>')},
        "ada:a:a.sql",
    ),
    "twice the same file": Case(
        root("master.xml", xml('<include file="sql/a.sql"/>' * 2)), "ada:a:a.sql"
    ),
    "itself": Case(root("master.xml", xml('<include file="master.xml"/>')), told="A114 master.xml"),
    "no such file": Case(
        root("master.xml", xml('<include file="sql/c.sql"/>')), told="A114 master.xml"
    ),
    "a folder that is included": Case(
        root("master.xml", xml('<include file="sql"/>')), told="A114 master.xml"
    ),
    "a changeset in XML": Case(
        root("master.xml", xml('<changeSet id="7" author="ada"/><include file="sql/a.sql"/>')),
        told="A113 master.xml",
    ),
    "XML that is none": Case(root("master.xml", "<a"), told="A114 master.xml"),
    "entities": Case(
        root("master.xml", xml(more='<!DOCTYPE a [<!ENTITY b "c">]>')), told="A114 master.xml"
    ),
    "a root in SQL": Case(
        root("master.sql", f"{HEAD}{SET}z\nselect 'z';\n"),
        "ada:z:master.sql ada:c:b.sql ada:a:a.sql ada:b:b.sql",
    ),
    "a file that is none of Liquibase's": Case(
        {**changeset("1"), "b.sql": "select 2;\n"}, "ada:1:a.sql"
    ),
    "a changeset without a number": Case(
        {"a.sql": f"{HEAD}--changeset ada\nselect 1;\n"}, told="A114 a.sql"
    ),
    "quotes that do not end": Case(changeset("1 comment:it's runOnChange:true"), "ada:1:a.sql"),
    "quotes in attributes": Case(
        changeset('"a long one" labels:"a, b"'), "ada:a long one:a.sql", asked=("--context", "b")
    ),
    "contexts, and none is named": Case(changeset("1 context:prod"), told="A115 a.sql"),
    "the context that is named": Case(
        changeset("1 contextFilter:prod"), "ada:1:a.sql", asked=("--context", "prod")
    ),
    "contexts combined": Case(
        changeset("1 context:'test, prod and !eu'"), "ada:1:a.sql", asked=("--context", "prod")
    ),
    "a precondition": Case(
        changeset("1", "--preconditions onFail:HALT\nselect 1;"), told="A115 a.sql"
    ),
    "properties": Case(
        {
            "a.sql": f"{HEAD}--property name:t value:notes\n"
            "--property name:t value:other dbms:mysql\n"
            f"{SET}1\ncreate table ${{t}} (id int); -- ${{unknown}}\n"
            "--rollback drop table ${t};\n"
        },
        "ada:1:a.sql",
        holds=("create table notes", "drop table notes"),
    ),
    "a placeholder without a value": Case(
        changeset("1", "select ${x};"), told="A110 a.sql M121 a.sql"
    ),
    "lines that are ignored": Case(
        {
            "a.sql": f"{HEAD}{SET}1\nselect 1;\n--ignoreLines:start\n{SET}2\nselec 2;\n"
            f"--ignoreLines:end\nselect 3;\n"
        },
        "ada:1:a.sql",
        holds=("select 3",),
        lacks=("selec 2",),
    ),
    "a rollback in a block": Case(
        changeset("1", "create table a ();\n/* liquibase rollback\ndrop table a;\n*/"),
        "ada:1:a.sql",
        holds=("drop table a",),
    ),
    "nothing to roll back": Case(
        changeset("1", "select 1;\n--rollback empty"),
        "ada:1:a.sql",
        holds=("irreversible: its changeset says that nothing is to be rolled back",),
    ),
    "a rollback by another changeset": Case(
        changeset("1", "select 1;\n--rollback changesetId:2 changesetAuthor:ada"),
        "ada:1:a.sql",
        holds=("irreversible: it was rolled back by another changeset",),
    ),
    "ends of statements": Case(
        changeset("1 endDelimiter:/", "select 1\n/\nselect 2\n  /\n--rollback select 3 /"),
        "ada:1:a.sql",
        holds=("select 1\n;\nselect 2\n;", "select 3;"),
    ),
    "an end that is a pattern": Case(
        changeset("1 endDelimiter:\\nGO", "select 1\nGO\nselect 2\nGO"),
        "ada:1:a.sql",
        holds=("select 1;\nselect 2;",),
    ),
    "an end that would match for hours": Case(
        changeset("1 endDelimiter:(a+)+", "select 1 (a+)+"), "ada:1:a.sql", holds=("select 1;",)
    ),
    **{
        f"left out: {rest}": Case(changeset(f"1 {rest}"), told="A116 a.sql", asked=tuple(asked))
        for rest, *asked in (
            ("dbms:mysql",),
            ("dbms:!postgresql",),
            ("ignore:true",),
            ("context:test", "--context", "prod"),
            ("context:!prod", "--context", "prod"),
        )
    },
    **{
        f"meant: {rest}": Case(changeset(f"1 {rest}"), "ada:1:a.sql")
        for rest in ("dbms:mysql,postgresql", "dbms:all", "dbms:!mysql", "stripComments:false")
    },
}
UP = "create table a ();\n"
DIESEL = {
    "a folder of nothing": Case({"1_a/up.sql": UP, "2_b/.keep": ""}, "1 2"),
    "Rust": Case({"2024-01-02-030405_a/mod.rs": "", "1_b/up.sql": UP}, "1 20240102030405"),
    "a down file alone": Case({"1_a/down.sql": ""}, told="A114 down.sql"),
    "in no transaction": Case(
        {"1_a/up.sql": "vacuum;", "1_a/metadata.toml": "run_in_transaction = false"},
        "1",
        holds=("-- transactional: false",),
    ),
    "settings that say nothing of it": Case(
        {"1_a/up.sql": UP, "1_a/metadata.toml": "other = 1"},
        "1",
        lacks=("-- transactional: false",),
    ),
    "no TOML": Case({"1_a/up.sql": UP, "1_a/metadata.toml": "run = "}, told="A114 metadata.toml"),
    "TOML without an end": Case(
        {"1_a/up.sql": UP, "1_a/metadata.toml": f"a = {'[' * 5000}"}, told="A114 metadata.toml"
    ),
    "neither a version nor a folder": Case(
        {"1_a/up.sql": UP, "notes/up.sql": "selec", "2_b": "a file"}, "1"
    ),
}
CASES = {
    **{f"liquibase: {name}": case for name, case in LIQUIBASE.items()},
    **{f"diesel: {name}": case for name, case in DIESEL.items()},
}


@pytest.mark.parametrize("name", CASES)
def test_a_history(name: str, tmp_path: Path) -> None:
    """It comes over under its keys, or is told with a code at its file."""
    case = CASES[name]
    (tmp_path / "pyproject.toml").write_text('[tool.todo-sql]\nmigrations = "ours"\n')
    lay(tmp_path / "m", case.files)
    code, document = run(tmp_path, name.partition(":")[0], "m", *case.asked)
    findings = [*document["refused"], *document["warnings"]]
    assert " ".join(f"{one['code']} {Path(one['file']).name}" for one in findings) == case.told
    assert code == bool(document["refused"])
    text = "\n".join(path.read_text() for path in sorted((tmp_path / "ours").rglob("*.sql")))
    assert bool(text) == bool(case.keys)
    if text:
        assert " ".join(one["key"] for one in document["files"]) == case.keys
    assert [part for part in case.holds if part not in text] == []
    assert [part for part in case.lacks if part in text] == []
