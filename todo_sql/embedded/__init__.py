"""The embedded PostgreSQL: its programs, its cluster, its server, started on demand."""
