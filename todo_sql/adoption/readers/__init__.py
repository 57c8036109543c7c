"""The readers, one module per tool: how its folder becomes a history."""
