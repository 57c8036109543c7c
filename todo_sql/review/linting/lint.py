"""Reviews the files of a project: our rules, squawk's safety, sqlfluff's style, waivers."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

from todo_sql.config import Config
from todo_sql.errors import Finding, Place
from todo_sql.migrations.files.beside import load_project
from todo_sql.migrations.files.directives import OF_FATE
from todo_sql.migrations.files.migration import MigrationSet, Script, scripts_of
from todo_sql.migrations.files.statements import (
    may_be_in_doubt,
    unexamined,
    without_effect,
    wrong_statements,
)
from todo_sql.paths import real_path
from todo_sql.queries.loader import QuerySet, read_folder
from todo_sql.review.linting import squawk
from todo_sql.review.linting.choices import chosen as wanted
from todo_sql.review.linting.choices import gathered, refuse_unknown
from todo_sql.review.linting.outside import Outside, read_outside
from todo_sql.review.linting.proved import unproved
from todo_sql.review.linting.reviewed import File, Kind, query_file
from todo_sql.review.linting.rule import Edit, Hit, Project, Rule, all_rules
from todo_sql.review.linting.style import Style, installed, too_much
from todo_sql.review.safe_steps import by_rewrite
from todo_sql.sql.grammar import GrammarError
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
        config: The project.
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
    whole = _gather(config, only if named else None)
    files = whole.project.files
    chosen = {name for name, path in whole.paths.items() if only is None or real_path(path) in only}
    findings, edits = _by_rules(whole.project, config.lint.profile)
    findings += whole.queries.findings if whole.queries is not None else ()
    scripts = [file for file in files if file.kind != "query" and file.name in chosen]
    unparsed = {
        one.place.file for one in whole.broken if one.code in ("M121", "C101") and one.place
    }
    parsed = {file.name for file in (*scripts, *whole.outside.files)} - unparsed
    others = unproved(squawk.check(scripts, whole.paths, config.postgres, config.root), files)
    looked_at = [one for one in whole.sources if one.file in chosen]
    style, skipped = _style(config, looked_at, whole.texts)
    findings += _readable([*others, *style], parsed, unparsed)

    def is_asked(one: Finding) -> bool:
        if one.place is None or one.place.file in chosen:
            return True
        return only is None and one.place.file not in whole.paths  # it could not be read

    selected = [one for one in findings if is_asked(one)]
    in_doubt = {one.source.file for one in scripts_of(whole.migrations) if may_be_in_doubt(one)}
    reviewed = [file for file in files if file.name in chosen]
    kept, waived, unused = _waive(selected, reviewed, in_doubt)
    counted = wanted(_of_people(whole.migrations, [*kept, *unused]), config.lint)
    shown = sorted([*filter(is_asked, whole.broken), *counted], key=_by_place)
    return Review(
        tuple(shown if each else gathered(shown)),
        tuple(sorted(waived, key=_by_place)),
        tuple((file, edit) for file, edit in edits if file.name in chosen),
        skipped,
        whole.outside.sources,
    )


@dataclass(frozen=True)
class _Everything:
    """All files of a run; those of `texts` hold queries, and `broken` tells what does not parse."""

    migrations: MigrationSet
    queries: QuerySet | None
    project: Project
    broken: list[Finding]
    paths: dict[str, Path]
    sources: list[Source]
    texts: list[Source]
    outside: Outside


def _gather(config: Config, named: frozenset[Path] | None) -> _Everything:
    """Read the project, and of the files that somebody named those outside of its folders."""
    migrations = load_project(config)
    queries = read_folder(config.queries, config.root) if config.queries.is_dir() else None
    texts = list(queries.files) if queries is not None else []
    project, broken = read(config, migrations, queries)
    scripts = (*scripts_of(migrations), *migrations.beside)
    paths = {script.source.file: script.path for script in scripts}
    paths |= {source.file: config.root / source.file for source in texts}
    outside = read_outside(config, (named or frozenset()) - {*map(real_path, paths.values())})
    paths |= {source.file: path for path, source in outside.sources.items()}
    texts += outside.sources.values()
    return _Everything(
        migrations,
        queries,
        replace(project, files=(*project.files, *outside.files)),
        [*broken, *outside.findings],
        paths,
        [*(file.source for file in project.files if file.kind != "query"), *texts],
        texts,
        outside,
    )


def _by_rules(
    project: Project, profile: str | None
) -> tuple[list[Finding], list[tuple[File, Edit]]]:
    """Return what our own rules find, and how it is mended."""
    findings: list[Finding] = []
    edits = []
    for file in project.files:
        if file.kind != "query":
            findings += unexamined(file.source, file.statements)
        if file.kind == "migration":
            findings += without_effect(file.source, file.statements)
    for rule in all_rules():
        for hit in rule.check(project) if rule.counts(profile) else ():
            findings.append(finding(rule, hit))
            edits += [(hit.spot.file, edit) for edit in hit.edits]
    return findings, edits


def _style(
    config: Config, sources: Sequence[Source], texts: Sequence[Source]
) -> tuple[list[Finding], tuple[str, ...]]:
    """Return what sqlfluff finds, and what was not looked at, by squawk either.

    Args:
        config: The project.
        sources: What is looked at.
        texts: Those that hold queries.
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


def read(
    config: Config, migrations: MigrationSet, queries: QuerySet | None
) -> tuple[Project, list[Finding]]:
    """Parse everything; return what parses, and findings for what the migrator would refuse."""
    files: list[File] = []
    broken: list[Finding] = []
    for migration in migrations:
        for kind, script in (("migration", migration.forward), ("rollback", migration.rollback)):
            if script is not None:
                files += _parsed(script, kind, broken)  # type: ignore[arg-type]
    for script in migrations.beside:
        files += _parsed(script, "migration", broken)
    for query in queries.values() if queries is not None else ():
        with suppress(GrammarError):  # `check` says so, with the place
            files.append(query_file(query))
    return Project(tuple(files), config.tenant, config.exempt), broken


def _parsed(script: Script, kind: Kind, broken: list[Finding]) -> Iterator[File]:
    broken += wrong_statements(script)
    try:
        statements = script.statements
    except GrammarError:
        statements = ()
    yield File(script.source, kind, statements, script.directives.transactional)


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
    findings: Sequence[Finding], files: Iterable[File], in_doubt: Set[str]
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
        keys = [
            (one.place.file, name)
            for name in (one.code, names.get(one.code))
            if one.place is not None and name is not None
        ]
        matching = [key for key in keys if key in waivers]
        used.update(matching)
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


def _by_place(one: Finding) -> tuple[str, int, int, str]:
    place = one.place or Place("", 0, 0)
    return place.file, place.line, place.column, one.code
