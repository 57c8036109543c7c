"""The errors of migrating. Codes: M1 files, M2 plan, M3 running, M4 ledger, M5 target."""

from __future__ import annotations

from todo_sql.errors import DatabaseError, ExitCode, FindingsError, UsageError


class InvalidFiles(FindingsError):
    """Files of the folder are wrong; the database was not touched."""

    code = "M100"
    exit_code = ExitCode.USAGE


class LedgerMismatch(FindingsError):
    """Folder and ledger disagree: modified, missing or out-of-order migrations."""

    code = "M200"


class PlanError(UsageError):
    """What was asked for cannot be planned: an unknown id, an irreversible migration."""

    code = "M210"


class MigrationFailed(DatabaseError):
    """A statement of a migration failed.

    The finding's place is in the file; its cause says what state the database is in.
    """

    code = "M300"


class LockNotHeld(DatabaseError):
    """The migration lock could not be had, or was lost."""

    code = "M310"


class LedgerError(DatabaseError):
    """The ledger is of a newer tool, damaged, or cannot be created."""

    code = "M400"


class TargetRefused(DatabaseError):
    """The target is no database that migrations may run on."""

    code = "M500"
