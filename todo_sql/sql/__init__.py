"""Text: places, tokens, and the PostgreSQL grammar. Pure."""
