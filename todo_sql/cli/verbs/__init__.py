"""The verbs, a file each; `todo_sql/cli/table.py` lists them."""
