"""Review of changes: lint rules, lock tracing, proof of rollbacks."""
