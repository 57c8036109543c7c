"""`python -m todo_sql`: the command line."""

import sys

from todo_sql.cli.app import main

sys.exit(main())
