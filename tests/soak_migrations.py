"""The long forms of the fault tests: ``python tests/soak_migrations.py RUN``.

    cuts [STEP]     cut the connection after the k-th message, for every STEP-th k of a run
                    (default: every k, some 1,200 of them)
    kills [N]       SIGKILL at N random moments
    postmaster [N]  SIGKILL the server and all its processes at N random moments
    crowd [N]       N migrators at once on an empty database
    services [N]    two services with a ledger each in one database, N migrators of each at once
    roles [N]       the Todo migrations on two databases of one cluster at once, N times
    batches [N]     SIGKILL a migrator N times, and its backend N times, in batches of 60,000 rows
    phases [N]      whether N random histories are judged as their two orders turn out
    busy [SECONDS]  tables that are busy, and an idle transaction, for so long

Options: ``--postgres 16|18``. Exits 1 at the first failure, and prints what it counted.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import psycopg

sys.path.insert(0, str(Path(__file__).parent))

from support import migrate_process
from support.batches import TABLE, counts, kill_in_batches, write_counted
from support.database import Owner, Server, database
from support.migration_faults import (
    DURABLE,
    check_beside,
    check_whole,
    count_messages,
    crash_within,
    cut_after,
    kill_within,
    write_chain,
    write_folder,
    write_service,
)
from support.migrations import Recorder, applied, fetch, invalid_indexes, migrator, write
from support.random_phases import agreed
from support.traffic import Traffic, holding

from todo_sql.embedded.temporary import temporary_server
from todo_sql.migrations import migrate

SUPERUSER = Owner("superuser", "postgres")
CHAIN = 30  # migrations in a run that is to be cut short by a crash
REPEATABLES = ["repeatable/second", "repeatable/z_first"]
TODO = Path(__file__).parent.parent / "migrations"


def cuts(server: Server, folder: Path, step: int) -> str:
    """Cut after every `step`-th message, two runs at a time."""
    ids = write_folder(folder, tables="ad")
    with database(server, SUPERUSER) as name:
        messages = count_messages(server.url(name), folder)

    def cut(message: int) -> str:
        with database(server, SUPERUSER) as name:
            return cut_after(server.url(name), folder, ids, message).split(" ", 1)[0]

    with ThreadPoolExecutor(2) as workers:
        said = Counter(workers.map(cut, range(1, messages + 1, step)))
    return f"{messages} messages a run, {said.total()} cuts, none torn; first words: {dict(said)}"


def kills(server: Server, folder: Path, number: int) -> str:
    """SIGKILL at `number` random moments."""
    ids = write_folder(folder, pause=0.03)
    for _ in range(number):
        with database(server, SUPERUSER) as name:
            kill_within(server.url(name), folder, ids, 1.2)
    return f"{number} kills, none torn, every next run finished"


def postmaster(server: Server, folder: Path, number: int) -> str:
    """SIGKILL a server that is durable at `number` random moments of a run."""
    ids = write_chain(folder, CHAIN)
    with temporary_server(server.version, settings=DURABLE) as embedded:
        with psycopg.connect(embedded.url("postgres"), autocommit=True) as admin:
            admin.execute("create database measured")
        began = time.monotonic()
        migrate(embedded.url("measured"), folder)
        took = time.monotonic() - began
        lost = [crash_within(embedded, folder, ids, took) for _ in range(number)]
    return (
        f"{number} crashes in runs of {CHAIN} migrations, ledger and schema agree every time; "
        f"{sum(map(bool, lost))} times the newest were lost, whole: at most {max(lost)}"
    )


def crowd(server: Server, folder: Path, number: int) -> str:
    """Start `number` migrators at once."""
    ids = write_folder(folder)
    with database(server, SUPERUSER) as name:
        processes = [migrate_process.spawn(server.url(name), folder) for _ in range(number)]
        for process in processes:
            migrate_process.go(process)
        done: list[str] = []
        for process in processes:
            out, err = process.communicate(timeout=600)
            assert process.returncode == 0, err
            done += out.split()
        assert sorted(done) == [*ids, *REPEATABLES], done
        check_whole(server.url(name), ids)
    return f"{number} migrators, {number} exit codes 0, each of {len(ids)} migrations once"


def services(server: Server, folder: Path, number: int) -> str:
    """Start `number` migrators of each of two services, whose ledgers stand in one database."""
    names = ("billing", "orders")
    ids = {name: write_service(folder / name, name) for name in names}
    with database(server, SUPERUSER) as database_name:
        url = server.url(database_name)
        started = [
            (name, migrate_process.spawn(url, folder / name, name))
            for _ in range(number)
            for name in names
        ]
        for _, process in started:
            migrate_process.go(process)
        done: dict[str, list[str]] = {name: [] for name in names}
        for name, process in started:
            out, err = process.communicate(timeout=600)
            assert process.returncode == 0, err
            done[name] += out.split()
        for name in names:
            assert sorted(done[name]) == [*ids[name], *REPEATABLES], done
            check_beside(url, f"{name}0", name, whole=True)
            assert (
                fetch(url, f"select migration_id from {name}._yoyo_migration order by 1")
                == (ids[name])
            )
        assert invalid_indexes(url) == []
    return f"2 x {number} migrators, {2 * number} exit codes 0, each migration of each once"


def roles(server: Server, folder: Path, number: int) -> str:
    """Migrate two databases of a cluster at once, the roles dropped before each time."""
    for _ in range(number):
        with database(server, SUPERUSER) as one, database(server, SUPERUSER) as two:
            urls = [server.url(one), server.url(two)]
            processes = [migrate_process.spawn(url, TODO) for url in urls]
            for process in processes:
                migrate_process.go(process)
            for process in processes:
                _, err = process.communicate(timeout=120)
                assert process.returncode == 0, err
            assert applied(urls[0]) == applied(urls[1])
        with psycopg.connect(server.url(), autocommit=True) as admin:
            for role in ("todo_app", "todo_readonly", "todo_auth"):
                admin.execute(f"drop role if exists {role}".encode())
    return f"{number} times two databases at once, all succeeded"


def busy(server: Server, folder: Path, seconds: int) -> str:
    """Migrate beside somebody who is in the way, and measure how long traffic waits."""
    write(folder, "20260101000000_setup", "create table t (id int); create table u (id int);")
    cases = {
        "one lock": ("t", "alter table t add column note text;"),
        "a second lock": (
            "u",
            "-- lock-timeout: 60s\nalter table t add column note text;\n"
            "alter table u add column note text;",
        ),
        "an index build": ("t", "-- transactional: false\ncreate index concurrently i on t (id);"),
    }
    said = []
    for case, (table, text) in cases.items():
        write(folder, "20260102000000_change", text)
        with database(server, SUPERUSER) as name:
            url = server.url(name)
            recorder = Recorder()
            migrator(url, folder).migrate(to="20260101000000")
            began = time.monotonic()
            with Traffic(url) as traffic, holding(url, table, seconds):
                migrator(url, folder, recorder).migrate()
                took = time.monotonic() - began
            assert invalid_indexes(url) == []
            said.append(
                f"{case}: landed after {took:.1f} s, longest wait of {traffic.count} queries "
                f"{traffic.longest:.2f} s, {len(recorder.waited)} times given way, "
                f"in the way: {recorder.blockers[-1] if recorder.blockers else 'nobody seen'}"
            )
    return "; ".join(said)


def batches(server: Server, folder: Path, number: int) -> str:
    """SIGKILL a migrator in its batches `number` times, and its backend as often."""
    write_counted(folder, 60_000, "-- batch-time: 5ms\n-- batch-pause: 100%\n")
    with temporary_server(server.version) as embedded:  # a killed backend ends every session
        url = embedded.url("postgres")
        migrator(url, folder).migrate(to=TABLE)
        whole = 0
        for at in range(2 * number):
            if kill_in_batches(url, folder, "backend" if at % 2 else "migrator") == 60_000:
                migrate(url, folder)
                assert counts(url) == {1: 60_000}
                migrator(url, folder).rollback()
                whole += 1
        migrate(url, folder)
        assert counts(url) == {1: 60_000}
    return (
        f"{number} migrators and {number} backends killed in batches of 60,000 rows, "
        f"{whole + 1} times through: every row once"
    )


def phases(server: Server, folder: Path, number: int) -> str:
    """Ask of `number` random histories whether their phases make what their ids make."""

    @contextmanager
    def scratch() -> Iterator[str]:
        with database(server, SUPERUSER) as name:
            yield server.url(name)

    said = Counter(agreed(scratch, folder / str(seed), seed) for seed in range(number))
    return f"{number} random histories, all judged as they happen: {dict(said)}"


RUNS = {
    "batches": (batches, 40),
    "phases": (phases, 100),
    "cuts": (cuts, 1),
    "kills": (kills, 100),
    "postmaster": (postmaster, 200),
    "crowd": (crowd, 50),
    "services": (services, 50),
    "roles": (roles, 20),
    "busy": (busy, 20),
}


def main() -> None:
    """Run one of them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run", choices=RUNS)
    parser.add_argument("number", nargs="?", type=int)
    parser.add_argument("--postgres", type=int, default=18)
    arguments = parser.parse_args()
    run, number = RUNS[arguments.run]
    began = time.monotonic()
    with (
        temporary_server(arguments.postgres) as embedded,
        psycopg.connect(embedded.url("postgres"), autocommit=True) as admin,
        tempfile.TemporaryDirectory() as folder,
    ):
        password = psycopg.conninfo.conninfo_to_dict(embedded.url())["password"]
        server = Server(embedded, arguments.postgres, str(password), admin)
        result = run(server, Path(folder), arguments.number or number)
    print(f"{arguments.run}: {result} ({time.monotonic() - began:.0f} s)")


if __name__ == "__main__":
    main()
