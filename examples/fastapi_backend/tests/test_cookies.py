"""The cookie of Better Auth, with values that the real one made."""

from __future__ import annotations

import pytest

from todo_backend.cookies import cookie_name, signed, verified_token

# Made by better-auth 1.7.25.
SECRET = "0123456789abcdef0123456789abcdef"
TOKEN = "wyS77O9FbbswSYyE5FzqCk9QZj8q0Jeq"
COOKIE = f"{TOKEN}.3B4dhDXGgcsR%2BQeBD0FuIV5a%2FMOduPVsXtO%2ByNQz8Jg%3D"


def test_a_real_cookie_is_verified() -> None:
    """The token is found, and signing it again makes the same cookie."""
    assert verified_token(COOKIE, SECRET) == TOKEN
    assert signed(TOKEN, SECRET) == COOKIE


@pytest.mark.parametrize(
    "cookie",
    [
        "",
        ".",
        TOKEN,
        f"{TOKEN}.",
        COOKIE.replace("w", "W", 1),
        COOKIE.replace("3B4", "3B5"),
        COOKIE + "%00",
        "ü.ü",
        "%ff%fe.%ff",
        COOKIE.partition(".")[2],
    ],
)
def test_a_forged_cookie_is_refused(cookie: str) -> None:
    """Whatever was altered, cut or never signed is nobody's."""
    assert verified_token(cookie, SECRET) is None


def test_another_secret_is_refused() -> None:
    """A cookie that another installation signed is nobody's."""
    assert verified_token(COOKIE, SECRET[::-1]) is None


def test_the_cookie_of_a_tls_site_is_its_own() -> None:
    """Over TLS only the name counts that plain HTTP cannot set."""
    assert cookie_name("http://localhost:3000") == "better-auth.session_token"
    assert cookie_name("https://todo.example") == "__Secure-better-auth.session_token"
