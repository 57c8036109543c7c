"""What runs a migration: in a transaction, outside one, under locks and time limits."""
