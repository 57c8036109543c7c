"""A Todo API on todo-sql: FastAPI, signed in by Better Auth."""
