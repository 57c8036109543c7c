"""The application: its lifespan opens the database, its routes are in `todo_backend.routes`."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from fastapi import Depends, FastAPI
from todo_sql import AsyncDatabase

from todo_backend.dependencies import trusted_origin
from todo_backend.errors import FieldProblems, Problem, handle_errors
from todo_backend.routes import bin, health, imports, lists, me, search, tags, tasks
from todo_backend.settings import Settings

ANSWERS: dict[int | str, dict[str, Any]] = {
    400: {"model": Problem, "description": "A body that is no JSON"},
    401: {"model": Problem, "description": "Not signed in"},
    403: {"model": Problem, "description": "Not allowed from this origin"},
    404: {"model": Problem, "description": "No such row of this user's"},
    409: {"model": Problem, "description": "Exists already"},
    413: {"model": Problem, "description": "A file that is too large"},
    422: {"model": FieldProblems, "description": "A field that cannot be used"},
    503: {"model": Problem, "description": "The database is away; see Retry-After"},
}


def create_app(settings: Settings | None = None) -> FastAPI:
    """Make the application; nothing is connected before it is started."""
    configured = settings or Settings.from_environment()

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        connected = AsyncDatabase.connect(
            configured.database_url, max_size=configured.pool_size, timeout=configured.timeout
        )
        async with connected as app.state.database:
            yield

    app = FastAPI(title="Todo", version="1.0.0", lifespan=lifespan)
    app.state.settings = configured
    handle_errors(app)
    app.include_router(health.router)
    for module in (me, tasks, imports, search, bin, lists, tags):
        app.include_router(module.router, dependencies=[Depends(trusted_origin)], responses=ANSWERS)
    return app
