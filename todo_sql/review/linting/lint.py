"""Reviews the files of a project: our rules, squawk's safety, sqlfluff's style, waivers."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

from todo_sql.config import Config
from todo_sql.errors import Finding, UsageError
from todo_sql.migrations.files import statements as told
from todo_sql.migrations.files.beside import load_project
from todo_sql.migrations.files.directives import OF_FATE
from todo_sql.migrations.files.migration import MigrationSet, Script, scripts_of
from todo_sql.migrations.files.reading import read_sql
from todo_sql.paths import real_path
from todo_sql.queries.loader import QuerySet, has_header, read_folder, read_text
from todo_sql.review.linting import squawk
from todo_sql.review.linting.choices import chosen as wanted
from todo_sql.review.linting.choices import gathered, refuse_unknown
from todo_sql.review.linting.proved import unproved
from todo_sql.review.linting.reviewed import File, Kind, by_rewrite, query_file
from todo_sql.review.linting.rule import Edit, Hit, Project, Rule, all_rules
from todo_sql.review.linting.style import Style, installed, too_much
from todo_sql.sql.grammar import GrammarError, Statement, parse
from todo_sql.sql.source import Source

# Waivers that others look at: `plan` and `check`.
_OTHER_CODES = ("C", "P")
_INSTALL = "(pip install 'todo-sql[review]')"
_UNREADABLE = {"PRS": "sqlfluff", "syntax-error": "squawk"}


@dataclass(frozen=True)
class Review:
    """What a lint run found.

    Attributes:
        findings: By file and line; waived ones are not among them.
        waived: Those that a waiver of their file covers.
        edits: By shown file name, the replacements that are certain to correct findings.
        skipped: What was not looked at, and why.
        outside: By path, the texts of reviewed files outside the project's folders.
    """

    findings: tuple[Finding, ...]
    waived: tuple[Finding, ...] = ()
    edits: tuple[tuple[File, Edit], ...] = ()
    skipped: tuple[str, ...] = ()
    outside: Mapping[Path, Source] = field(default_factory=dict)


def lint(
    config: Config,
    only: frozenset[Path] | None = None,
    *,
    each: bool = True,
    named: bool = False,
) -> Review:
    """Review the migrations and queries of a project.

    Args:
        only: Report on these files alone; all are read, since a rule looks at the whole.
        each: Whether what concerns the whole project, such as style, is told at each place, or
            once for all of them.
        named: Whether somebody named the files: those outside the project's folders are then
            reviewed where they lie.

    Raises:
        ConfigError: The configuration names a rule that nobody has.
        InvalidFiles: Migrations that the migrator would refuse.
        UsageError: A named file is not UTF-8.
    """
    refuse_unknown(config.lint)
    migrations = load_project(config)
    queries = read_folder(config.queries, config.root) if config.queries.is_dir() else None
    texts = list(queries.files) if queries is not None else []
    paths = {one.source.file: one.path for one in (*scripts_of(migrations), *migrations.beside)}
    paths |= {source.file: config.root / source.file for source in texts}
    more = only if named and only is not None else frozenset()
    outside = _read_outside(config, more - {*map(real_path, paths.values())})
    paths |= {source.file: path for path, source in outside.sources.items()}
    texts += outside.sources.values()
    project, broken = read(config, migrations, queries, outside)
    chosen = {name for name, path in paths.items() if only is None or real_path(path) in only}
    reviewed = [file for file in project.files if file.name in chosen]
    scripts = [file for file in reviewed if file.kind != "query"]
    faulty = {one.place.file for one in broken if one.place}
    findings, edits = _by_rules(project, config.lint.profile, faulty)
    unparsed = {one.place.file for one in broken if one.code in ("M121", "C101") and one.place}
    findings += queries.findings if queries is not None else ()
    parsed = {file.name for file in (*scripts, *outside.files)} - unparsed
    others = unproved(squawk.check(scripts, paths, config.postgres, config.root), project.files)
    looked_at = [*(file.source for file in scripts), *(one for one in texts if one.file in chosen)]
    style, skipped = _style(config, looked_at, texts)
    findings += _readable([*others, *style], parsed, unparsed)

    def is_asked(one: Finding) -> bool:
        if one.place is None or one.place.file in chosen:
            return True
        return only is None and one.place.file not in paths  # it could not be read

    in_doubt = {one.source.file for one in scripts_of(migrations) if told.may_be_in_doubt(one)}
    kept, waived, unused = _waive(filter(is_asked, findings), reviewed, in_doubt)
    counted = wanted(_of_people(migrations, [*kept, *unused]), config.lint)
    shown = [*filter(is_asked, broken), *counted]
    shown.sort(key=lambda one: (one.position, one.code))
    return Review(
        tuple(shown if each else gathered(shown)),
        tuple(sorted(waived, key=lambda one: (one.position, one.code))),
        tuple((file, edit) for file, edit in edits if file.name in chosen),
        skipped,
        outside.sources,
    )


def _by_rules(
    project: Project, profile: str | None, faulty: Set[str]
) -> tuple[list[Finding], list[tuple[File, Edit]]]:
    """Return what our own rules find, and how it is mended."""
    findings: list[Finding] = []
    edits = []
    for file in project.files:
        if file.kind != "query":
            findings += told.unexamined(file.source, file.statements)
        if file.kind == "migration" and file.name not in faulty:
            findings += told.without_effect(file.source, file.statements)
    for rule in all_rules():
        for hit in rule.check(project) if rule.counts(profile) else ():
            findings.append(finding(rule, hit))
            edits += [(hit.spot.file, edit) for edit in hit.edits]
    return findings, edits


def _style(
    config: Config, sources: Sequence[Source], texts: Sequence[Source]
) -> tuple[list[Finding], tuple[str, ...]]:
    """Return what sqlfluff finds, and what was not looked at, by squawk either.

    `sources` are looked at; `texts` are those that hold queries.
    """
    skipped = []
    if squawk.binary() is None:
        skipped.append(
            f"squawk is not installed: the safety of migrations is only partly checked {_INSTALL}"
        )
    if not installed():
        return [], (*skipped, f"sqlfluff is not installed: style is not checked {_INSTALL}")
    cache = None if config.packaged else config.state / "cache" / "style.json"
    skipped += [
        f"the style of {source.file} is not checked: {reason} for sqlfluff"
        for source in sources
        if (reason := too_much(source.text))
    ]
    return list(Style(config.root, cache, texts).check(sources)), tuple(skipped)


def _of_people(migrations: MigrationSet, findings: Iterable[Finding]) -> list[Finding]:
    """Return what counts: of a squashed pair, which is generated, errors alone."""
    generated = {
        script.source.file
        for migration in migrations
        if migration.forward.directives.replaces
        for script in migration.scripts
    }
    return [
        one
        for one in findings
        if one.severity == "error" or one.place is None or one.place.file not in generated
    ]


def _readable(others: Iterable[Finding], parsed: Set[str], unparsed: Set[str]) -> Iterator[Finding]:
    """Judge by PostgreSQL's own grammar what other tools say that they cannot read.

    What it rejects is told already; what it accepts is right, and only not looked at.
    """
    for one in others:
        file = one.place.file if one.place else ""
        if one.code not in _UNREADABLE or file not in parsed | unparsed:
            yield one
        elif file in parsed:
            yield replace(
                one,
                severity="info",
                message=f"{_UNREADABLE[one.code]} cannot read this file: {one.message}",
                cause="PostgreSQL's own grammar accepts it",
                fix=None,
            )


@dataclass
class Outside:
    """What files outside the folders hold: their texts, what parses, and what does not.

    Nothing is known of their purpose, so that only the rules of queries look at them.
    """

    sources: dict[Path, Source] = field(default_factory=dict)
    files: list[File] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)


def _read_outside(config: Config, paths: Iterable[Path]) -> Outside:
    """Read files that a project does not read itself.

    Raises:
        UsageError: One is not UTF-8.
    """
    found = Outside()
    for path in sorted(paths):
        source = found.sources[path] = Source.read(path, config.root)
        if not has_header(source):
            try:
                bare = read_sql(path, source.file, folder=path.parent, root=config.root).source
                found.files.append(File(bare, "query", tuple(parse(bare.text))))
                found.sources[path] = bare
            except GrammarError as error:
                found.findings.append(told.explain(source, error))
            except UsageError as error:
                found.findings.append(error.finding)
            continue
        queries, mistakes = read_text(source)
        found.findings += mistakes
        for query in queries:
            try:
                found.files.append(query_file(query))
            except GrammarError as error:
                place = query.source.place(query.start, query.end)
                fix = "correct the SQL"
                found.findings.append(Finding.error("C101", error.message, place, fix=fix))
    return found


def read(
    config: Config, migrations: MigrationSet, queries: QuerySet | None, outside: Outside
) -> tuple[Project, list[Finding]]:
    """Parse everything; return what parses, and findings for what the migrator would refuse."""
    scripts: list[tuple[Script, Kind]] = []
    for migration in migrations:
        scripts.append((migration.forward, "migration"))
        if migration.rollback is not None:
            scripts.append((migration.rollback, "rollback"))
    scripts += [(script, "migration") for script in migrations.beside]
    files: list[File] = []
    broken: list[Finding] = []
    for script, kind in scripts:
        broken += told.wrong_statements(script)
        statements: tuple[Statement, ...] = ()
        with suppress(GrammarError):
            statements = script.statements
        files.append(File(script.source, kind, statements, script.directives.transactional))
    for query in queries.values() if queries is not None else ():
        with suppress(GrammarError):  # `check` says so, with the place
            files.append(query_file(query))
    project = Project((*files, *outside.files), config.tenant, config.exempt)
    return project, broken + outside.findings


def finding(rule: Rule, hit: Hit) -> Finding:
    """Return a rule's hit in the shape that all reports share."""
    fix = rule.fix.format_map(hit.words)
    if hit.rewritable and hit.spot.file.kind == "migration":
        fix = by_rewrite(Path(hit.spot.file.name).stem, fix)
    return Finding(
        rule.code,
        rule.severity,
        f"{rule.message.format_map(hit.words)} ({rule.name})",
        hit.spot.place,
        cause=rule.cause.format_map(hit.words),
        fix=fix,
    )


def _waive(
    findings: Iterable[Finding], files: Iterable[File], in_doubt: Set[str]
) -> tuple[list[Finding], list[Finding], list[Finding]]:
    """Split findings into those that stand, those waived, and waivers that waive nothing.

    The migrator looks at the waiver of what is `in_doubt`, and finds nothing then.
    """
    names = {rule.code: rule.name for rule in all_rules()}
    waivers = {
        (file.name, waiver.rule): (file, waiver) for file in files for waiver in file.waivers
    }
    used = set()
    kept: list[Finding] = []
    waived: list[Finding] = []
    for one in findings:
        file_name = one.place.file if one.place else ""
        matching = waivers.keys() & {(file_name, one.code), (file_name, names.get(one.code, ""))}
        used |= matching
        (waived if matching else kept).append(one)
    unused = [
        Finding(
            "R002",
            "warning",
            f"the waiver of {waiver.rule} waives nothing",
            file.source.place(waiver.start, waiver.end),
            cause="no such finding is in this file: it was mended, or the rule's name is wrong",
            fix="remove the line",
        )
        for key, (file, waiver) in waivers.items()
        if key not in used
        and file.kind != "query"
        and not (waiver.rule[:1] in _OTHER_CODES and waiver.rule[1:].isdigit())
        and not (waiver.rule in OF_FATE and file.name in in_doubt)
    ]
    return kept, waived, unused
