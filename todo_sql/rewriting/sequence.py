"""A migration as a sequence of files: by recipes where it is hazardous, else as it stands. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

from todo_sql.catalog.diff import compare
from todo_sql.catalog.names import quoted
from todo_sql.errors import Finding
from todo_sql.migrations.files.directives import KNOWN, leading_comments
from todo_sql.migrations.files.migration import Migration, Script
from todo_sql.review.linting.tree import option
from todo_sql.review.row_writes import WRITES
from todo_sql.rewriting.additions import Additions
from todo_sql.rewriting.alterations import Alterations
from todo_sql.rewriting.moves import Moves
from todo_sql.rewriting.recipe import Hazard, Recipe, StepFile, Words, recipe_for
from todo_sql.rewriting.rehearsal import Rehearsed
from todo_sql.rewriting.single_commands import unrenamed

_OFF = (None, "false", "off")
_TOUCH_ROWS = (*WRITES, "select_stmt", "do_stmt", "call_stmt")
_REINDEX = re.compile(
    r"(reindex\s*(?:\([^)]*\)\s*)?(?:table|index|schema|database))\s+(?!concurrently\b)(.+)",
    re.IGNORECASE | re.DOTALL,
)
_DIRECTIVE = re.compile(r"--[ \t]*([A-Za-z][A-Za-z_-]*)[ \t]*:(?!:|//)")


@dataclass
class Composed:
    """What becomes of a migration.

    Attributes:
        files: In order.
        recipes: Those that were used.
        asks: What a person has to decide; errors among them leave no sequence.
    """

    files: list[StepFile] = field(default_factory=list)
    recipes: list[Recipe] = field(default_factory=list)
    asks: list[Finding] = field(default_factory=list)

    @property
    def refused(self) -> bool:
        """Whether there is no sequence."""
        return any(finding.severity == "error" for finding in self.asks)


def compose(
    migration: Migration, pieces: Sequence[Rehearsed], *, in_part: bool = False
) -> Composed:
    """Return the sequence for a migration that was rehearsed.

    Args:
        migration: It.
        pieces: Its commands, as they ran.
        in_part: Whether what no recipe does stays as it is, in a file of its own, and is a
            warning; unless no recipe does anything.
    """
    done = _Composer(migration, pieces, in_part=in_part).run()
    return _Composer(migration, pieces).run() if in_part and not done.recipes else done


class _Effects(Additions, Alterations, Moves):
    """What a command does to tables in use, read from the copy it was tried on."""

    def hazards(self) -> Iterator[Hazard]:
        piece = self.piece
        words = {"statement": piece.statement.text}
        match piece.statement.kind, piece.subtype:
            case "alter_table_stmt", "AT_AttachPartition" if piece.slow:
                yield from self.attached()
            case "alter_table_stmt", "AT_DropColumn":
                yield from self.dropped_column()
            case "alter_table_stmt", "AT_AlterColumnType" if piece.slow:
                yield from self.type_changed()
            case "alter_table_stmt", "AT_ValidateConstraint":
                yield Hazard("validate", words)
            case ("alter_table_stmt" | "index_stmt", _) if piece.slow:
                yield from self.added()
            case "rename_stmt", _:
                yield from self.renamed_relation()
            case "drop_stmt", _:
                yield from self.dropped()
            case "alter_enum_stmt", _ if piece.node.new_val and not piece.node.old_val:
                yield Hazard("enum_value", words)
            case "reindex_stmt", _:
                found = _REINDEX.fullmatch(piece.statement.text)
                if found:
                    yield Hazard("reindex", {"head": found[1], "target": found[2]})
            case "refresh_mat_view_stmt", _ if not piece.node.concurrent:
                yield from self.refreshed()
            case "cluster_stmt", _:
                yield from self.clustered()
            case "vacuum_stmt", _ if option(piece.node.options, "full") not in _OFF:
                yield from self.vacuumed()
            case (("update_stmt" | "delete_stmt" | "insert_stmt"), _):
                yield from self.written()
            case _ if piece.slow:
                yield Hazard("other", words)


class _Composer:
    def __init__(
        self, migration: Migration, pieces: Sequence[Rehearsed], *, in_part: bool = False
    ) -> None:
        self.migration, self.pieces, self.in_part = migration, pieces, in_part
        self.done = Composed()
        self.group: list[Rehearsed] = []
        self.settings: list[str] = []
        self.comments = _comments(migration.forward)
        self.together = False  # whether names change within a group
        self.instead: dict[int, StepFile] = {}  # by the place of a piece in its group
        self.after: list[StepFile] = []
        self.alone = not migration.forward.directives.transactional
        self.undo = migration.rollback.statements if migration.rollback else ()

    def run(self) -> Composed:
        found = list(self._hazards())
        self.together = any(one and one[0].kind == "attach_former" for one in found)
        for piece, hazards in zip(self.pieces, found, strict=True):
            self.done.asks += piece.findings
            if hazards is not None and hazards[0].kind == "attach_former":
                self._within(piece, hazards[0])
                continue
            if self.together and piece.statement.kind == "rename_stmt":
                hazards = None
            if hazards is None:
                self._keep(piece)
                continue
            self._flush()
            asked = [one for one in hazards if _asks(recipe_for(one))]
            if self.in_part and not self.together and asked:
                self._leave(piece, asked)
                continue
            for hazard in hazards:
                self._apply(piece, hazard)
        self._flush()
        if self.done.files:
            self.done.files[0] = replace(self.done.files[0], comments=self.comments.get(-1, ""))
        return self.done

    def _hazards(self) -> Iterator[list[Hazard] | None]:
        """Yield what each command does, part by part; None: it may stay as it is."""
        made: frozenset[str] = frozenset()
        renamed: dict[str, str] = {}
        for piece in self.pieces:
            found = _Effects(piece, made, renamed).hazards()
            of_version = {f"from{n}" for n in (16, 17, 18) if piece.after.version >= n * 10000}
            hazards = [replace(one, flags=one.flags | of_version) for one in found] or None
            if hazards and hazards[0].kind == "enum_value" and len(self.pieces) == 1:
                hazards = None
            yield hazards
            made |= piece.after.items.keys() - piece.before.items.keys()
            renamed |= {new: renamed.pop(old, old) for old, new in piece.trace.renamed}

    def _apply(self, piece: Rehearsed, hazard: Hazard) -> None:
        recipe = recipe_for(hazard)
        if recipe is None or _asks(recipe):
            self.done.asks.append(_ask(piece, recipe))
            return
        if recipe not in self.done.recipes:
            self.done.recipes.append(recipe)
        files = list(recipe.sequence(hazard))
        if hazard.kind == "rows":
            files = [self._undone_in_batches(file, hazard) for file in files]
        if recipe.warns:
            title = f"{recipe.title[0].lower()}{recipe.title[1:]}"
            cause = f"recipe {recipe.number}, {title}"
            self.done.asks.append(Finding("P307", "warning", recipe.warns, piece.place, cause))
        self.done.asks += [_fired(piece, words) for words in hazard.lists.get("triggers", ())]
        if files:
            files[0] = replace(files[0], sql=f"{self._comment(piece)}{files[0].sql}")
        self._add(*files)

    def _comment(self, piece: Rehearsed) -> str:
        """Return what is said of a statement, for the first of its commands."""
        return self.comments.pop(piece.number, "")

    def _leave(self, piece: Rehearsed, asked: Sequence[Hazard]) -> None:
        """Let a command stay as it is, in a file of its own, and ask."""
        asks = [_ask(piece, recipe_for(hazard)) for hazard in asked]
        self.done.asks += [replace(one, severity="warning") for one in asks]
        says = "as it was, since no recipe does it: it holds up who reads or writes"
        sql = f"{self._comment(piece)}{piece.statement.text};"
        alone = self.alone
        self._add(StepFile("asked", says, sql, alone=alone, rollback_alone=alone, asked=True))

    def _within(self, piece: Rehearsed, hazard: Hazard) -> None:
        """Put what a hazard needs around the statements that it stays together with."""
        recipe = recipe_for(hazard)
        assert recipe is not None
        self.done.recipes.append(recipe)
        for file in recipe.sequence(hazard):
            if file.stands == "before":
                self._add(file)
            elif file.stands == "within":
                self.instead[len(self.group)] = file
                self.group.append(piece)
            else:
                self.after.append(file)

    def _undone_in_batches(self, file: StepFile, hazard: Hazard) -> StepFile:
        """Return a file that runs in batches with what the original's rollback does about it."""
        table = hazard.words["table"]
        for one in self.undo:
            writes = one.kind in ("update_stmt", "delete_stmt", "insert_stmt")
            if writes and table.rsplit(".", 1)[-1] == quoted(one.root.relation.relname):
                return replace(file, rollback=f"{one.text};", rollback_alone=True, nothing=None)
        return file

    def _add(self, *files: StepFile) -> None:
        """Take files into the sequence, each with what was set before it."""
        for file in files:
            kept = [s for s in self.settings if not (file.alone and s.startswith("set local"))]
            self.done.files.append(replace(file, sql="\n".join([*kept, file.sql])))

    def _keep(self, piece: Rehearsed) -> None:
        """Let a command stay with those before it, unless its lock would outlast theirs."""
        back = None if self.together else unrenamed(piece.statement)
        if back is not None:
            self._flush()
            text = f"{self._comment(piece)}{piece.statement.text};"
            self._add(StepFile("name", "", text, f"{back};"))
            return
        held = frozenset[str]().union(*(one.exclusive for one in self.group))
        if held and (piece.statement.kind in _TOUCH_ROWS or piece.exclusive - held):
            self._flush()
        self.group.append(piece)

    def _flush(self) -> None:
        group, self.group = self.group, []
        statements = [piece.statement for piece in group]
        settings = [f"{one.text};" for one in statements if one.kind == "variable_set_stmt"]
        if len(settings) == len(group):
            self.settings += settings
            return
        lines: list[str] = []
        instead, self.instead = self.instead, {}
        for place, piece in enumerate(group):
            lines.append(self._comment(piece).rstrip("\n"))
            inner = instead.get(place)
            lines.append(f"{piece.statement.text};" if inner is None else inner.sql)
        sql = "\n".join(line for line in lines if line)
        rollback = nothing = None
        if any(one.kind in WRITES for one in statements):
            undo = [f"{one.text};" for one in self.undo if one.kind in WRITES]
            rollback = "\n".join(undo) or None
            if not compare(group[0].before, group[-1].after) and rollback is None:
                nothing = "the rows that it wrote go with what the migration made, or stay"
        slug = "rest"
        for inner in instead.values():
            slug, rollback = inner.slug, inner.rollback
        self._add(StepFile(slug, "", sql, rollback, self.alone, self.alone, None, nothing))
        self._add(*self.after)
        self.after = []
        self.settings += settings


def _asks(recipe: Recipe | None) -> bool:
    """Whether no recipe does it: a person has to decide."""
    return recipe is None or recipe.asks is not None


def _ask(piece: Rehearsed, recipe: Recipe | None) -> Finding:
    text = " ".join(piece.statement.text.split())
    shown = text if len(text) < 80 else text[:78] + " …"
    if recipe is None:
        message = "no recipe does this safely with the same catalog"
        cause = "it holds up who reads or writes for as long as the table is large"
        fix: str | None = "write the steps by hand (docs/zero-downtime.md), or run it in a window"
    else:
        message = "no sequence of safe steps has the same catalog"
        cause, fix = f"{recipe.why} {recipe.asks}".strip(), recipe.nearest
    return Finding("P301", "error", f"{message}: {shown}", piece.place, cause, fix)


def _fired(piece: Rehearsed, words: Words) -> Finding:
    message = f"trigger function {words['function']} fails from this migration on: it says "
    cause = "a trigger sees the row of the table, not that of the view, and the table has only the "
    cause += "new name"
    fix = "let a migration before this one make a function that takes both, as in "
    fix += "`coalesce(to_jsonb(new) ->> 'new name', to_jsonb(new) ->> 'old name')`, or rename in a "
    fix += "window"
    return Finding("P306", "warning", message + words["says"], piece.place, cause, fix)


def _comments(script: Script) -> dict[int, str]:
    """Return the comments before each statement; under -1 those on top, without directives."""
    text = script.source.text
    found = {}
    end = 0
    for number, statement in enumerate(script.statements):
        between = text[end : statement.start].lstrip(";").strip("\n")
        if number == 0:
            found[-1] = _reasons(script, between)
        elif between.strip():
            found[number] = _harmless(between.strip()) + "\n"
        end = statement.end
    return found


def _reasons(script: Script, top: str) -> str:
    directives = {
        comment
        for _, comment in leading_comments(script.source.text)
        if (match := _DIRECTIVE.match(comment)) and match[1] in KNOWN
    }
    lines = [line for line in top.splitlines() if line.strip() not in directives]
    return "\n".join(lines).strip()


def _harmless(comments: str) -> str:
    """Return comments that nobody takes for directives when they come to stand on top."""
    return re.sub(r"^(\s*--)[ \t]*(?=[a-z][a-z_-]*[ \t]*:(?!:))", r"\1 > ", comments, flags=re.M)
