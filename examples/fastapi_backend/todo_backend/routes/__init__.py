"""The API, a module per thing that it is about."""
