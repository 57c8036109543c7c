"""The application: its lifespan opens the database, its routes are in `todo_backend.routes`."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from fastapi import Depends, FastAPI
from todo_sql import AsyncDatabase

from todo_backend.dependencies import trusted_origin
from todo_backend.door import Door
from todo_backend.errors import FieldProblems, Problem, handle_errors
from todo_backend.rates import Rate
from todo_backend.routes import bin, health, imports, lists, me, search, tags, tasks
from todo_backend.settings import BadSetting, Settings

ANSWERS: dict[int | str, dict[str, Any]] = {
    400: {"model": Problem, "description": "A body that is no JSON"},
    401: {"model": Problem, "description": "Not signed in"},
    403: {"model": Problem, "description": "Not allowed from this origin"},
    404: {"model": Problem, "description": "No such row of this user's"},
    409: {"model": Problem, "description": "Exists already"},
    408: {"model": Problem, "description": "A body that takes too long to arrive"},
    413: {"model": Problem, "description": "A body that is too large"},
    422: {"model": FieldProblems, "description": "A field that cannot be used"},
    429: {"model": Problem, "description": "Too many requests; see Retry-After"},
    503: {"model": Problem, "description": "The database is away; see Retry-After"},
}


def create_app(settings: Settings | None = None) -> FastAPI:
    """Make the application; nothing is connected before it is started.

    Args:
        settings: Default: the environment's; the process ends if they cannot be used.
    """
    try:
        configured = settings or Settings.from_environment()
    except BadSetting as error:
        raise SystemExit(f"todo_backend: {error}") from None

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        connected = AsyncDatabase.connect(
            configured.database_url, max_size=configured.pool_size, timeout=configured.timeout
        )
        # Each holds a connection for seconds: most of the pool is for all others.
        app.state.imports = asyncio.Semaphore(max(1, configured.pool_size // 4))
        async with connected as app.state.database:
            yield

    app = FastAPI(title="Todo", version="1.0.0", lifespan=lifespan)
    app.state.settings = configured
    app.state.user_rate = Rate(configured.user_rate)
    app.state.import_rate = Rate(configured.import_rate)
    app.add_middleware(Door, rate=Rate(configured.address_rate))
    handle_errors(app)
    app.include_router(health.router)
    for module in (me, tasks, imports, search, bin, lists, tags):
        app.include_router(module.router, dependencies=[Depends(trusted_origin)], responses=ANSWERS)
    return app
