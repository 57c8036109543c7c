"""What our rules find in the examples of linters that we did not write, rule by rule.

    python tests/review/corpora.py eugene CHECKOUT/eugene/examples
    python tests/review/corpora.py splinter CHECKOUT

eugene: a good and a bad script per rule; the last section of a script is the migration in
question. splinter: tests that make a state and ask a lint about it; where its lint finds
rows, ours should find something of the same subject, and nothing where it finds none.
"""

from __future__ import annotations

import re
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg

from todo_sql.catalog.doctor import examine
from todo_sql.compiler.scratch import empty_database
from todo_sql.compiler.scratch_role import ScratchServer
from todo_sql.config import Config, Tenant
from todo_sql.embedded.temporary import temporary_server
from todo_sql.review.hazards import PlanStep, hazards
from todo_sql.review.linting import squawk
from todo_sql.review.linting.proved import unproved
from todo_sql.review.linting.reviewed import File
from todo_sql.review.linting.rule import Project, all_rules
from todo_sql.review.locks import Tracer
from todo_sql.sql.grammar import parse
from todo_sql.sql.source import Source

# What counts as finding each of eugene's rules; None: not ours to find, and why.
EUGENE: dict[str, set[str] | str] = {
    "E1": {"constraint-missing-not-valid", "P104"},
    "E2": {"adding-not-nullable-field", "P104"},
    "E3": {"R504"},
    "E4": {"P105"},
    "E5": {"changing-column-type", "P102"},
    "E6": {"require-concurrent-index-creation", "P103"},
    "E7": {"disallowed-unique-constraint", "P103"},
    "E8": {"R309", "P103"},
    "E9": "the migrator sets a lock timeout for every file",
    "E10": {"P105"},
    "E11": {"R408", "P102", "adding-serial-primary-key-field"},
    "E15": {"R303"},
    "W12": "two changes of one table in one file are one transaction here",
    "W13": {"R505"},
    "W14": {"P104", "adding-not-nullable-field"},
}

# Questions of splinter's tests, by lint and number, on which we keep quiet for a reason.
QUIET = {
    ("0001", 4): "an index on the same columns in another order serves the key as well",
    ("0005", 2): "an unused index below a megabyte is not worth mentioning",
    ("0011", 2): "who runs a function with their own rights gains nothing by their own path",
    ("0013", 2): "a table without the tenant's column holds no tenant's rows",
    ("0024", 19): "an insert without WITH CHECK is refused for every row, which is R106's subject",
}

# The subject of splinter's lints among ours; the others are about Supabase's own services.
SPLINTER = {
    "0001": {"R303", "K209"},
    "0003": {"R107"},
    "0004": {"R506"},
    "0005": {"K212"},
    "0006": {"R111"},
    "0007": {"R109", "K203"},
    "0008": {"R102", "K202"},
    "0009": {"R305", "K211"},
    "0010": {"R206"},  # K208 sees the lints themselves, which are views
    "0011": {"R204", "K207"},
    "0013": {"R101", "K201"},
    "0024": {"R105"},
    "0028": {"R205"},
    "0029": {"R205"},
}


def codes(sections: list[str], tenant: Tenant | None = None) -> set[str]:
    """Return the codes of our rules in several migrations, and of squawk in the last one."""
    files = tuple(
        File(Source(f"{number}.sql", text), "migration", tuple(parse(text)))
        for number, text in enumerate(sections)
    )
    found = {rule.code for rule in all_rules() for _ in rule.check(Project(files, tenant))}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / files[-1].name
        path.write_text(sections[-1], encoding="utf-8")
        checked = squawk.check(files[-1:], {files[-1].name: path}, 18, path.parent)
        found |= {one.code for one in unproved(checked, files)}
    return found


def traced(server: str, sections: list[str]) -> set[str]:
    """Return the hazards that running the last of several migrations shows."""
    found: set[str] = set()
    with empty_database(ScratchServer(server, superuser=True)) as url:
        with psycopg.connect(url, autocommit=True) as connection:
            for text in sections[:-1]:
                for statement in parse(text):
                    connection.execute(statement.text.encode())
        tracer = Tracer(url)
        try:
            tracer.begin()
            source = Source("last.sql", sections[-1])
            for statement in parse(sections[-1]):
                step = PlanStep(source.place(statement.start), tracer.run(statement))
                found |= {finding.code for finding in hazards(step, {})}
        except psycopg.Error as error:
            found.add(f"({error.sqlstate})")
        finally:
            tracer.close()
    return found


def eugene(examples: Path, server: str) -> Iterator[str]:
    """Yield a line per example."""
    for folder in sorted(examples.glob("[EW]*"), key=lambda p: (p.name[0], int(p.name[1:]))):
        wanted = EUGENE.get(folder.name, set())
        for path in sorted(folder.glob("*.sql")):
            text = path.read_text(encoding="utf-8")
            sections = [part for part in re.split(r"(?m)^-- \d+\.sql\s*$", text) if part.strip()]
            alone = re.search(r"\bconcurrently\b", sections[-1], re.I)
            found = codes(sections) | (set() if alone else traced(server, sections))
            if isinstance(wanted, str):
                verdict = f"not ours: {wanted}"
            elif path.stem == "bad":
                verdict = "found" if wanted & found else "MISSED"
            else:
                verdict = "FLAGGED WRONGLY" if wanted & found else "quiet"
            style = ("R50", "prefer-", "require-")
            shown = sorted(c for c in found if not c.startswith(style) or c in wanted)
            yield f"{folder.name:<4} {path.stem:<5} {verdict:<18} {', '.join(shown)}"


def splinter(checkout: Path, server: str) -> Iterator[str]:
    """Yield a line per question that splinter's tests ask."""
    lints = {path.stem[:4]: path for path in (checkout / "lints").glob("*.sql")}
    config = Config(checkout, checkout, checkout, None, checkout, checkout, Tenant("user_id"))
    for path in sorted((checkout / "test" / "sql").glob("0*.sql")):
        number = path.stem[:4]
        if number not in SPLINTER:
            continue
        with (
            empty_database(ScratchServer(server, superuser=True)) as url,
            psycopg.connect(url, autocommit=True) as connection,
        ):
            connection.execute("drop role if exists anon")
            connection.execute("drop role if exists authenticated")
            for script in [checkout / "test" / "fixtures.sql", lints[number]]:
                connection.execute(script.read_bytes())
            yield from _asked(connection, config, number, path)


def _asked(connection: Any, config: Config, number: str, path: Path) -> Iterator[str]:
    done: list[str] = []
    asked = 0
    for statement in parse(re.sub(r"(?m)^\\.*$", "", path.read_text(encoding="utf-8"))):
        connection.execute(statement.text.encode())
        if not re.search(r'from\s+lint\."', statement.text):
            done = [] if statement.text.startswith("rollback to") else [*done, statement.text]
            continue
        asked += 1
        theirs = connection.execute(f'select from lint."{path.stem}"').rowcount
        text = ";\n".join(text for text in done if not text.startswith(("begin", "savepoint")))
        ours = codes([text], config.tenant) if text else set()
        ours |= {finding.code for finding in examine(connection, config).findings}
        met = sorted(ours & SPLINTER[number])
        verdict = {
            (True, True): "found",
            (True, False): "MISSED",
            (False, True): "flagged by us alone",
            (False, False): "quiet",
        }[theirs > 0, bool(met)]
        if verdict == "MISSED" and (number, asked) in QUIET:
            verdict = f"not ours: {QUIET[number, asked]}"
        yield f"{path.stem:<48} theirs {theirs:<3} {verdict:<20} {', '.join(met)}"


if __name__ == "__main__":
    with temporary_server(18) as running:
        measure = {"eugene": eugene, "splinter": splinter}[sys.argv[1]]
        for line in measure(Path(sys.argv[2]), running.url("postgres")):
            print(line, flush=True)
