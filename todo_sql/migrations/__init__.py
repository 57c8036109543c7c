"""Migrations: files, plan, ledger, and the engine that applies them."""
