"""Write plain SQL. Ship it safely. Call it typed."""
