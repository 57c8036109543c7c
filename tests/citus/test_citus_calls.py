"""The suite on what the Todo queries do, on a coordinator."""

from schema.test_schema_queries import *  # noqa: F403
