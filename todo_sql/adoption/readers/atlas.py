"""Atlas: `VERSION_name.sql` with an atlas.sum; the way back is computed, so there is no file."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from todo_sql.adoption.readers import golang_migrate
from todo_sql.adoption.revisions import Asked, Revision, half_of, named

_FILE = re.compile(r"([^_.]+)(?:_(.*))?\.sql")
_DIRECTIVE = re.compile(r"^--[ \t]*atlas:(\w+)(?:[ \t]+(.*?))?[ \t]*\r?$", re.MULTILINE)
_ITS_OWN = {
    "delimiter": "end each statement with a semicolon",
    "import": "write out what it imports",
}


def read(folder: Path, asked: Asked) -> Iterator[Revision]:
    """Read a folder of Atlas's; its keys are the versions. Pairs are read as golang-migrate's."""
    if any(folder.glob("*.up.sql")):
        yield from golang_migrate.read(folder, asked)
        return
    first = True
    for path, name in named(folder, _FILE):
        source = asked.source(path)
        said = {found[1]: found for found in _DIRECTIVE.finditer(source.text)}
        if "checkpoint" in said and not first:
            words = "was left out: a checkpoint only repeats what the files before it make"
            asked.leave_out(words, source.place(0), "`todo-sql squash` makes one of ours")
            continue
        for word, fix in _ITS_OWN.items():
            if word in said:
                place = source.place(said[word].start(), said[word].end())
                asked.refuse("A111", f"`atlas:{word}` is Atlas's own", place, fix=fix)
        half = half_of(source, "txmode" not in said or said["txmode"][2] != "none")
        yield Revision(name[1], name[2] or "migration", source.file, half, version=name[1])
        first = False
