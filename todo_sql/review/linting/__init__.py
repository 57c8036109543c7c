"""The lint: rules of our own, squawk, sqlfluff."""
