"""Bulk import: a CSV file of tasks, by COPY, in one transaction."""

from __future__ import annotations

from fastapi import APIRouter, HTTPException, Request
from starlette.concurrency import run_in_threadpool
from todo_sql.todo import tasks

from todo_backend.csv_tasks import read
from todo_backend.dependencies import Me
from todo_backend.schemas import Count

router = APIRouter(prefix="/api/imports", tags=["tasks"])

MAX_BYTES = 20_000_000
CSV = {"text/csv": {"schema": {"type": "string", "example": "title,priority\nBuy milk,high\n"}}}


@router.post("", openapi_extra={"requestBody": {"required": True, "content": CSV}})
async def import_tasks(me: Me, request: Request) -> Count:
    """Import a CSV file with a header and return how many tasks were new.

    All of it or nothing. With a column public_id a file is safe to import twice.
    """
    data = bytearray()
    async for chunk in request.stream():
        data += chunk
        if len(data) > MAX_BYTES:
            raise HTTPException(413, f"the file is larger than {MAX_BYTES} bytes")
    rows = await run_in_threadpool(read, bytes(data))
    return Count(count=await tasks.import_tasks(me, rows))
