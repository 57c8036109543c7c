"""Bulk import: a CSV file of tasks, by COPY, in one transaction, with little memory."""

from __future__ import annotations

from tempfile import SpooledTemporaryFile
from typing import BinaryIO, cast

from fastapi import APIRouter, Request
from starlette.concurrency import run_in_threadpool
from todo_sql.todo import tasks

from todo_backend.csv_tasks import read
from todo_backend.dependencies import Me
from todo_backend.schemas import Count

router = APIRouter(prefix="/api/imports", tags=["tasks"])

# Larger files are on the disk while they are imported.
IN_MEMORY = 1_000_000
CSV = {"text/csv": {"schema": {"type": "string", "example": "title,priority\nBuy milk,high\n"}}}


@router.post("", openapi_extra={"requestBody": {"required": True, "content": CSV}})
async def import_tasks(me: Me, request: Request) -> Count:
    """Import a CSV file with a header and return how many tasks were new.

    All of it or nothing. With a column public_id a file is safe to import twice.
    """
    state = request.app.state
    state.import_rate.spend(str(me.tenant_id))
    with SpooledTemporaryFile(max_size=IN_MEMORY) as file:
        # The whole file first: a client that is slow is to hold no connection.
        async for piece in request.stream():
            file.write(piece)
        file.seek(0)
        pieces = read(cast(BinaryIO, file))
        count = 0
        async with state.imports, me.transaction() as tx:
            while some := await run_in_threadpool(next, pieces, None):
                count += await tasks.import_tasks(tx, some)
    return Count(count=count)
