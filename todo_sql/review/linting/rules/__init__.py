"""Our own lint rules, one file a rule."""
