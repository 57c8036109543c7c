"""What ``server.json`` remembers of an embedded server, and whether it was made here."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from todo_sql.embedded import places
from todo_sql.errors import DatabaseError

# What may lie in our folder before server.json does.
BEFORE_STATE = ("lock", ".gitignore", "server.new")


@dataclass(frozen=True, slots=True)
class ServerState:
    """What server.json remembers.

    Attributes:
        outside: The home of the data, unless our folder is.
        made: The number of our folder on its file system.
    """

    port: int
    password: str
    outside: str | None
    made: int = 0


@dataclass(frozen=True, slots=True)
class StateFile:
    """The file in the folder of one server."""

    folder: Path

    def believed(self) -> ServerState | None:
        """Return what is remembered; raise where it was not made here."""
        places.check(self.folder)
        state = self.read()
        if self.is_foreign():
            raise DatabaseError(
                f"{self.folder} was not made here",
                code="E110",
                cause="a data directory runs what it holds, so one that came with a checkout or "
                "a copy is not started",
                fix="`todo-sql db reset` begins anew, without the data; if the copy is your own, "
                "`todo-sql db start --adopt` takes it over",
            )
        return state

    def read(self) -> ServerState | None:
        """Return what the file says, or None where there is none."""
        path = self.folder / "server.json"
        try:
            state = ServerState(**json.loads(places.short_text(path)))
        except (FileNotFoundError, NotADirectoryError):
            return None
        except PermissionError:
            raise places.belongs_to_another(path) from None
        except (ValueError, TypeError, OSError):  # a link or a folder in its place, too
            raise DatabaseError(
                f"{path} is damaged",
                code="E105",
                cause="it holds the port and the password of the embedded PostgreSQL",
                fix=f"restore it, or delete {self.folder} with the data in it",
            ) from None
        if state.outside and not places.is_outside(state.outside):
            return replace(state, made=0)
        return state

    def is_foreign(self) -> bool:
        """Whether the folder holds what we did not make in it."""
        try:
            state = self.read()
            if state is not None:
                return state.made != self.folder.stat().st_ino
            return any(entry.name not in BEFORE_STATE for entry in self.folder.iterdir())
        except DatabaseError:
            return True
        except (FileNotFoundError, NotADirectoryError):
            return False  # nothing is there, or another process has just deleted it

    def write(self, state: ServerState) -> None:
        """Remember what is to be known of a server in this folder."""
        path = self.folder / "server.json"
        temporary = path.with_suffix(".new")
        state = replace(state, made=self.folder.stat().st_ino)
        places.write_private(temporary, json.dumps(asdict(state)))
        temporary.replace(path)
