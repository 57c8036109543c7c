"""The command line: one file a verb; only here is anything printed or an exit code chosen."""
