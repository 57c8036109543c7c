"""What todo-sql tells `logging`: never a value of a call, never a password.

The names are part of the interface: ``todo_sql`` and, below it, one for each thing told.
Nothing is shown until the application gives one of them a handler.
"""

from __future__ import annotations

import logging

logging.getLogger("todo_sql").addHandler(logging.NullHandler())

RETRY = logging.getLogger("todo_sql.retry")
"""Info: something is tried again, and after which pause."""
CANCEL = logging.getLogger("todo_sql.cancel")
"""Warning: the server was told to stop what it does for us."""
ROLE = logging.getLogger("todo_sql.role")
"""Warning: the role of tenant calls was refused."""
LISTENER = logging.getLogger("todo_sql.listener")
"""Error: a listener of `on_query` raised; the call it was told of is as it was."""
REPLICA = logging.getLogger("todo_sql.replica")
"""Warning: a replica failed, and is left alone for a while."""
