"""Proof of what cannot be NULL, over PostgreSQL's analysed tree. Pure."""
