"""From .sql files and a schema to types, and from types to Python."""
