"""The database at run time: URL, embedded server, pools, sessions, rows, retry."""
