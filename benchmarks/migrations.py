"""Migrating with todo-sql beside yoyo, Alembic and dbmate, on the same migrations.

    python benchmarks/migrations.py                     1, 20, 200, 1,000 and 2,000 migrations
    python benchmarks/migrations.py --sizes 1 20        a quick look
    python benchmarks/migrations.py --latency-up-to 2000
    python benchmarks/migrations.py --chart docs/migrations.svg     the chart that is kept

Each run is a process of the tool's own command line, on an empty database; then once
more, with nothing pending. The tools take turns, so that whatever else the machine does
meets all of them; shown are medians, and behind them the processor time of the tool's process
and of the server: that says more on a busy machine. With latency, a proxy delays each message
by 10 ms each way (a round trip takes 20 ms) and counts connections and round trips. Signing in
is among them: three with a password. TCP's own greeting is not, nor is the goodbye, which
nobody answers. The server writes its log as PostgreSQL does by default, fsync included. No
database is dropped before the end: a file system takes much longer to make files soon after
as many were deleted (ext4 passes over their places for a minute or more), and whose turn comes
after another's would pay for it.

Each tool is at its best: Alembic with a transaction for each migration, as the others have,
dbmate as the program itself, without the script of npm before it, and without a dump.

The floor is no tool: it runs the files as they are, each as one transaction in one message
on one connection, waits for each, and records nothing.

yoyo comes with todo-sql. Alembic is installed from PyPI and dbmate from npm, once, below
`.todo-sql/peers`; a tool that cannot be had is left out, and that is said.
"""

from __future__ import annotations

import argparse
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import venv
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

import psycopg
import psycopg.sql

ROOT = Path(__file__).parent.parent
PEERS = ROOT / ".todo-sql" / "peers"
CHART = Path(__file__).parent / "results" / "migrations.svg"
sys.path.insert(0, str(ROOT / "tests"))

from support.proxy import Proxy  # noqa: E402  (a neighbour of the tests)

from todo_sql.embedded.temporary import temporary_server  # noqa: E402

ONE_WAY = 0.01
_FIRST = datetime(2026, 1, 1)
_AS_BY_DEFAULT = {
    "fsync": "on",
    "synchronous_commit": "on",
    "full_page_writes": "on",
    "wal_level": "replica",
}


def floor(folder: Path, url: str) -> None:
    """Run what `write_pairs` wrote, each file as one transaction, if it was not run yet."""
    with psycopg.connect(url, autocommit=True) as connection:
        if connection.execute("select to_regclass('t0')").fetchone() != (None,):
            return
        for path in sorted(folder.glob("*.sql")):
            if not path.name.endswith(".rollback.sql"):
                connection.execute(f"begin; {path.read_text()} commit".encode())


@dataclass(frozen=True)
class Tool:
    """One of the tools.

    Attributes:
        name: As shown.
        write: Writes its migrations into a folder.
        command: Returns the command that migrates a database from that folder.
    """

    name: str
    write: Callable[[Path, int], None]
    command: Callable[[Path, str], list[str]]


@dataclass
class Figures:
    """What was measured of one tool at one size."""

    seconds: list[float] = field(default_factory=list)
    client: list[float] = field(default_factory=list)
    server: list[float] = field(default_factory=list)
    connections: int = 0
    round_trips: int = 0

    @property
    def median(self) -> float:
        """The median time."""
        return statistics.median(self.seconds)


def version(number: int) -> str:
    """Return the version of the n-th migration."""
    return f"{_FIRST + timedelta(seconds=number):%Y%m%d%H%M%S}"


def up(number: int) -> str:
    """Return the SQL of the n-th migration."""
    return (
        f"create table t{number} (id bigint primary key, title text not null);\n"
        f"create index idx_t{number}_title on t{number} (title);\n"
    )


def down(number: int) -> str:
    """Return the SQL that undoes it."""
    return f"drop table t{number};\n"


def write_pairs(folder: Path, size: int) -> None:
    """Write the pairs of files that todo-sql and yoyo read."""
    for number in range(size):
        (folder / f"{version(number)}_t{number}.sql").write_text(up(number))
        (folder / f"{version(number)}_t{number}.rollback.sql").write_text(down(number))


def write_dbmate(folder: Path, size: int) -> None:
    """Write dbmate's files, with both directions in one."""
    for number in range(size):
        text = f"-- migrate:up\n{up(number)}\n-- migrate:down\n{down(number)}"
        (folder / f"{version(number)}_t{number}.sql").write_text(text)


def write_alembic(folder: Path, size: int) -> None:
    """Write Alembic's modules and environment."""
    (folder / "versions").mkdir()
    (folder / "alembic.ini").write_text(f"[alembic]\nscript_location = {folder}\n")
    (folder / "env.py").write_text(
        "import os\n"
        "from alembic import context\n"
        "from sqlalchemy import create_engine, pool\n"
        "engine = create_engine(os.environ['BENCHMARK_URL'], poolclass=pool.NullPool)\n"
        "with engine.connect() as connection:\n"
        "    context.configure(connection=connection, transaction_per_migration=True)\n"
        "    with context.begin_transaction():\n"
        "        context.run_migrations()\n"
    )
    for number in range(size):
        previous = repr(version(number - 1)) if number else None
        (folder / "versions" / f"{version(number)}_t{number}.py").write_text(
            f"from alembic import op\nrevision = {version(number)!r}\n"
            f"down_revision = {previous}\n"
            f"def upgrade():\n    op.execute({up(number)!r})\n"
            f"def downgrade():\n    op.execute({down(number)!r})\n"
        )


def tools() -> Iterator[Tool]:
    """Yield the tools that can be had here."""
    python = sys.executable
    yield Tool(
        "todo-sql",
        write_pairs,
        lambda folder, url: [
            *(python, "-m", "todo_sql", "migrate", "--quiet", "--migrations", str(folder)),
            *("--database", url),
        ],
    )
    yield Tool(
        "yoyo",
        write_pairs,
        lambda folder, url: [
            *(python, "-m", "yoyo", "apply", "--batch", "--no-config-file", "--database"),
            *(url.replace("postgresql:", "postgresql+psycopg:"), str(folder)),
        ],
    )
    yield Tool(
        "floor",
        write_pairs,
        lambda folder, url: [python, __file__, "--floor", str(folder), url],
    )
    alembic = installed("alembic", _install_alembic, PEERS / "alembic" / "bin" / "alembic")
    if alembic:
        yield Tool(
            "alembic",
            write_alembic,
            lambda folder, _: [str(alembic), "-c", str(folder / "alembic.ini"), "upgrade", "head"],
        )
    dbmate = installed("dbmate", _install_dbmate, PEERS / "node_modules" / "dbmate")
    dbmate = next((PEERS / "node_modules" / "@dbmate").glob("*/bin/dbmate"), None)
    if dbmate:
        yield Tool(
            "dbmate",
            write_dbmate,
            lambda folder, url: [
                *(str(dbmate), "--url", f"{url}?sslmode=disable", "--no-dump-schema"),
                *("--migrations-dir", str(folder), "up"),
            ],
        )


def installed(name: str, install: Callable[[], None], path: Path) -> Path | None:
    """Return where a tool is, installing it if need be, or None."""
    if not path.exists():
        try:
            PEERS.mkdir(parents=True, exist_ok=True)
            install()
        except (OSError, subprocess.CalledProcessError) as error:
            print(f"{name} is left out: it cannot be installed here ({error})", file=sys.stderr)
            return None
    return path


def _install_alembic() -> None:
    venv.create(PEERS / "alembic", with_pip=True)
    pip = [str(PEERS / "alembic" / "bin" / "python"), "-m", "pip", "install", "--quiet"]
    subprocess.run([*pip, "alembic", "psycopg[binary]"], check=True)


def _install_dbmate() -> None:
    npm = shutil.which("npm")
    if npm is None:
        raise OSError("there is no npm")
    command = [npm, "install", "--silent", "--prefix", str(PEERS), "dbmate"]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)


def migrate(tool: Tool, folder: Path, url: str) -> tuple[float, float]:
    """Run a tool once and return the seconds that it took, and those of a processor."""
    environment = {
        **os.environ,
        "BENCHMARK_URL": url.replace("postgresql:", "postgresql+psycopg:"),
        "NO_COLOR": "1",
        "PYTHONDONTWRITEBYTECODE": "",  # a checkout is compiled as an installed package is
    }
    command = tool.command(folder, url)
    began, used = time.perf_counter(), _used_by_children()
    subprocess.run(
        command,
        cwd=folder,
        env=environment,
        check=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    return time.perf_counter() - began, _used_by_children() - used


def _used_by_children() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def used_by_server(postmaster: int) -> float:
    """Return the processor time of a server's processes, ended ones included; 0 without /proc."""
    total = 0
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text().rpartition(")")[2].split()
        except OSError:  # it has just ended
            continue
        if int(path.parent.name) == postmaster:
            total += sum(map(int, fields[11:15]))
        elif int(fields[1]) == postmaster:
            total += sum(map(int, fields[11:13]))
    return total / os.sysconf("SC_CLK_TCK")


class Benchmark:
    """A server, the tools, and their folders.

    Attributes:
        figures: By (tool, size, pending?, latency?).
    """

    def __init__(self, server: psycopg.Connection[object], url: Callable[[str], str]) -> None:
        self._admin = server
        self._url = url
        self._databases = 0
        place = server.execute("show data_directory").fetchone()
        pid = Path(str(place[0] if place else ""), "postmaster.pid")  # type: ignore[index]
        self._postmaster = int(pid.read_text().split()[0])
        self.tools = list(tools())
        self.figures: dict[tuple[str, int, bool, bool], Figures] = {}

    def database(self) -> str:
        """Return the URL of a new empty database."""
        self._databases += 1
        name = f"benchmark_{self._databases}"
        self._admin.execute(f"create database {name}".encode())
        return self._url(name)

    def run(self, size: int, repeats: int, *, latency: bool) -> None:
        """Measure every tool at a size, in turns."""
        with tempfile.TemporaryDirectory() as name:
            folders = {}
            for tool in self.tools:
                folders[tool.name] = Path(name) / tool.name
                folders[tool.name].mkdir()
                tool.write(folders[tool.name], size)
            for turn in range(repeats):
                order = self.tools[turn % len(self.tools) :] + self.tools[: turn % len(self.tools)]
                for tool in order:
                    self._measure(tool, folders[tool.name], self.database(), size, latency)

    def _measure(self, tool: Tool, folder: Path, url: str, size: int, latency: bool) -> None:
        for pending in (True, False):
            figures = self.figures.setdefault((tool.name, size, pending, latency), Figures())
            used = used_by_server(self._postmaster)
            if latency:
                with Proxy(url, latency=ONE_WAY) as proxy:
                    with proxy.counting() as counted:
                        seconds, client = migrate(tool, folder, proxy.url)
                    figures.connections = counted.connections
                    figures.round_trips = counted.round_trips
            else:
                seconds, client = migrate(tool, folder, url)
            time.sleep(0.1)  # the backend ends
            figures.seconds.append(seconds)
            figures.client.append(client)
            figures.server.append(used_by_server(self._postmaster) - used)
        print(".", end="", file=sys.stderr, flush=True)


def table(benchmark: Benchmark) -> str:
    """Return the figures as a Markdown table."""
    names = [tool.name for tool in benchmark.tools]
    lines = [
        "| migrations | latency | pending | " + " | ".join(names) + " |",
        "|---|---|---|" + "---|" * len(names),
    ]
    for size, pending, latency in sorted({key[1:] for key in benchmark.figures}):
        cells = []
        for name in names:
            figures = benchmark.figures[name, size, pending, latency]
            client, server = map(statistics.median, (figures.client, figures.server))
            cell = f"{figures.median:.2f} s ({client:.2f} + {server:.2f})"
            if latency:
                cell += f", {figures.connections} conn., {figures.round_trips} round trips"
            cells.append(cell)
        lines.append(
            f"| {size:,} | {'20 ms' if latency else 'none'} | {'all' if pending else 'none'} | "
            + " | ".join(cells)
            + " |"
        )
    return "\n".join(lines)


_COLOURS = {
    "todo-sql": "#2563eb",
    "yoyo": "#9ca3af",
    "floor": "#e5e7eb",
    "alembic": "#d97706",
    "dbmate": "#059669",
}


def chart(benchmark: Benchmark) -> str:
    """Return bars of the times without latency, on a logarithmic scale, as SVG."""
    import math

    groups = sorted({key[1:3] for key in benchmark.figures if not key[3]})
    bar, gap, left, top = 16, 22, 190, 40
    names = [tool.name for tool in benchmark.tools]
    values = [f.median for key, f in benchmark.figures.items() if not key[3]]
    low, high = math.log10(min(values) / 1.3), math.log10(max(values) * 1.3)

    def width(seconds: float) -> float:
        return 480 * (math.log10(seconds) - low) / (high - low)

    body, y = [], top
    for size, pending in groups:
        what = "fresh" if pending else "nothing pending"
        middle = y + bar * len(names) / 2 + 4
        body.append(f'<text x="{left - 10}" y="{middle}" text-anchor="end">{size:,}, {what}</text>')
        for name in names:
            seconds = benchmark.figures[name, size, pending, False].median
            length = width(seconds)
            body.append(
                f'<rect x="{left}" y="{y}" width="{length:.0f}" height="{bar - 2}" '
                f'fill="{_COLOURS[name]}"/><text x="{left + length + 6:.0f}" y="{y + 11}" '
                f'font-size="11">{name} {seconds:.2f} s</text>'
            )
            y += bar
        y += gap
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 800 {y}" '
        'font-family="system-ui, sans-serif" font-size="13">'
        '<rect width="100%" height="100%" fill="white"/>'
        f'<text x="{left}" y="22" font-weight="bold">Seconds to migrate (logarithmic)</text>'
        + "".join(body)
        + "</svg>\n"
    )


def _sign_in_as_usual(admin: psycopg.Connection[object]) -> None:
    """Store the password with as many iterations as PostgreSQL has; dbmate refuses fewer."""
    password = psycopg.sql.Literal(admin.info.password)
    admin.execute("set scram_iterations = 4096")
    admin.execute(psycopg.sql.SQL("alter role current_user password {}").format(password))


def main(words: Sequence[str] | None = None) -> None:
    """Measure, print the table, write the chart."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--sizes", nargs="+", type=int, default=[1, 20, 200, 1000, 2000])
    parser.add_argument("--repeats", type=int, default=5, help="fewer for large sizes")
    parser.add_argument("--latency-up-to", type=int, default=200, metavar="SIZE")
    parser.add_argument("--chart", type=Path, default=CHART)
    parser.add_argument("--floor", nargs=2, metavar=("DIR", "URL"), help=argparse.SUPPRESS)
    options = parser.parse_args(words)
    if options.floor:
        floor(Path(options.floor[0]), options.floor[1])
        return
    with (
        temporary_server(18, settings=_AS_BY_DEFAULT, in_memory=False) as server,
        psycopg.connect(server.url("postgres"), autocommit=True) as admin,
    ):
        _sign_in_as_usual(admin)
        benchmark = Benchmark(admin, server.url)
        for size in options.sizes:
            repeats = max(1, min(options.repeats, 3000 // size))
            benchmark.run(size, repeats, latency=False)
            if size <= options.latency_up_to:
                benchmark.run(size, max(1, repeats // 2), latency=True)
    print("\n" + table(benchmark))
    options.chart.parent.mkdir(parents=True, exist_ok=True)
    options.chart.write_text(chart(benchmark))
    print(f"\nchart: {options.chart}")


if __name__ == "__main__":
    main()
