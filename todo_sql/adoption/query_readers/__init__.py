"""Readers of other tools' query files: one module each, found by `query_tools`."""
