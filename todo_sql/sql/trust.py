"""The search path under which we run what is ours on somebody's database. Pure.

Whoever may create in a schema of the path may plant a function, an operator, a type or a
table there that fits a statement as well as PostgreSQL's own; it would run as whoever
sends the statement. So our own statements (the ledger, the catalog, the check of a role)
run under this path, and the texts of a project under the project's. `pg_temp` is named,
and last: unnamed it is searched first for tables and types.
"""

from __future__ import annotations

SAFE_PATH = "pg_catalog, pg_temp"

# Until the end of the transaction, an implicit one included, where SET LOCAL would warn.
SAFE_LOCALLY = f"select pg_catalog.set_config('search_path', '{SAFE_PATH}', true)"

# For a connection on which nothing of the project's runs.
SAFE_ALWAYS = f"set search_path = {SAFE_PATH}"

# Until the end of the transaction: what role, database and URL say.
THEIR_PATH = "pg_catalog.set_config('search_path', null, true)"
