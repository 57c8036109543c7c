"""The session cookie that Better Auth sets: ``token.signature``, URL-encoded. Pure.

The signature is the base64 of HMAC-SHA256 over the token, keyed with Better Auth's secret.
Source: ``signCookieValue`` in better-call's crypto.ts.
"""

from __future__ import annotations

import hmac
from base64 import b64encode
from urllib.parse import quote, unquote


def cookie_name(auth_url: str) -> str:
    """Return the cookie's name; over TLS it is one that only a TLS site can set."""
    secure = "__Secure-" if auth_url.startswith("https://") else ""
    return f"{secure}better-auth.session_token"


def signed(token: str, secret: str) -> str:
    """Return the cookie's value for a token, as Better Auth writes it."""
    return quote(f"{token}.{_signature(token, secret)}", safe="")


def verified_token(cookie: str, secret: str) -> str | None:
    """Return the token in a cookie, or None if Better Auth did not sign it."""
    token, _, signature = unquote(cookie).rpartition(".")
    if not token or not hmac.compare_digest(_signature(token, secret).encode(), signature.encode()):
        return None
    return token


def _signature(token: str, secret: str) -> str:
    return b64encode(hmac.digest(secret.encode(), token.encode(), "sha256")).decode()
