"""`python -m todo_sql`: the command line."""

import os
import sys

if not sys.flags.safe_path and sys.path[:1] == [os.getcwd()]:  # noqa: PTH109 (nothing more is imported yet)
    del sys.path[0]  # a checkout that one stands in has no say in what is imported

from todo_sql.cli.app import main

sys.exit(main())
