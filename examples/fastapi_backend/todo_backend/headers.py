"""The headers that answers have besides their own."""

from __future__ import annotations

_ALL = {"X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer"}
_API = {
    **_ALL,
    # No proxy and no browser keeps what is one user's, errors included.
    "Cache-Control": "no-store",
    # No page shows an answer in a frame, and nothing in it is ever run.
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
}


def answer_headers(path: str) -> dict[str, str]:
    """Return them by path: /docs needs its scripts, the API nothing."""
    return _API if path.startswith("/api/") else _ALL
