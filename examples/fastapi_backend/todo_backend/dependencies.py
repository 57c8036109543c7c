"""What a route asks for: the database, and a session as the user who is signed in.

All are coroutines, also where nothing is awaited: FastAPI sends a plain function to a thread
and back, which cost a third of the requests per second.
"""

from __future__ import annotations

from typing import Annotated, cast

from fastapi import Depends, HTTPException, Request
from todo_sql import AsyncDatabase, AsyncSession
from todo_sql.todo import sessions

from todo_backend.cookies import cookie_name, verified_token
from todo_backend.settings import Settings

SAFE_METHODS = {"GET", "HEAD", "OPTIONS"}


async def settings(request: Request) -> Settings:
    """Return the configuration that the application was made with."""
    return cast(Settings, request.app.state.settings)


async def database(request: Request) -> AsyncDatabase:
    """Return the database that the application's lifespan opened."""
    return cast(AsyncDatabase, request.app.state.database)


async def trusted_origin(
    request: Request, configured: Annotated[Settings, Depends(settings)]
) -> None:
    """Refuse a change that a page of another site sends with the user's cookie.

    Raises:
        HTTPException: 403. A client that is no browser sends no Origin and is let through.
    """
    origin = request.headers.get("origin")
    trusted = {configured.auth_url, *configured.origins}
    if request.method not in SAFE_METHODS and origin and origin not in trusted:
        raise HTTPException(403, "requests from this origin are not allowed")


async def signed_in(
    request: Request,
    configured: Annotated[Settings, Depends(settings)],
    db: Annotated[AsyncDatabase, Depends(database)],
) -> AsyncSession:
    """Return a session as the user whose cookie this is.

    Raises:
        HTTPException: 401 without a cookie that Better Auth signed, or when its session
            has expired or was ended; 429 for a user who asks too often.
    """
    cookie = request.cookies.get(cookie_name(configured.auth_url), "")
    token = verified_token(cookie, configured.auth_secret)
    found = token and await sessions.find_session(db.session(role="todo_app"), token=token)
    if not found:
        raise HTTPException(401, "sign in first", headers={"WWW-Authenticate": "Cookie"})
    request.app.state.user_rate.spend(found.user_id)
    return db.as_user(found.user_id)


Db = Annotated[AsyncDatabase, Depends(database)]
Me = Annotated[AsyncSession, Depends(signed_in)]
