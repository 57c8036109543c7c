"""What `check` finds in queries that PostgreSQL accepts: one file a subject."""
