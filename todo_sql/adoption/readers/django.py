"""Django: the project's migrations are run on a scratch database, and what they sent is taken."""

from __future__ import annotations

import re
from pathlib import Path

from todo_sql.adoption.project_code import ProjectCode
from todo_sql.adoption.revisions import Asked
from todo_sql.errors import UsageError
from todo_sql.wire.url import DatabaseUrl

_SETTINGS = re.compile(r"DJANGO_SETTINGS_MODULE\W+([\w.]+)")


def _orders(folder: Path, asked: Asked, python: str, url: str) -> dict[str, str]:
    settings = asked.values.get("DJANGO_SETTINGS_MODULE")
    manage = folder / "manage.py"
    if settings is None and manage.is_file():
        found = _SETTINGS.search(asked.source(manage).text)
        settings = found[1] if found else None
    if settings is None:
        raise UsageError(
            f"there is no manage.py with DJANGO_SETTINGS_MODULE in {folder}",
            code="A101",
            fix="name its folder, or the settings: `--set DJANGO_SETTINGS_MODULE=project.settings`",
        )
    plain = DatabaseUrl.parse(url).text.partition("?")[0]
    return {"settings": settings, "url": plain, "folder": str(folder)}


# Its keys are ``app.name``. Apps of others (auth, contenttypes, …) come along, since tables
# refer to theirs; rows that Django makes after a run (permissions) do not.
_CODE = ProjectCode("django", _orders, printed=False)
read, make = _CODE.history, _CODE.make
