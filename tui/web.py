"""The console in a browser: a console process of its own for each window.

Behind two doors. The address that is printed carries a code, without which nothing is served (a
page of another site can't know it, nor open the socket: the cookie is for this site alone). And
each window starts at the sign-in, which asks the passphrase of the key that ``console --web``
was started with; no path of this machine can be typed there.
"""

import hmac
import secrets
import shlex
import sys
from collections.abc import Awaitable, Callable
from typing import Protocol

from aiohttp import web
from textual_serve.server import Server

from placet.cli import console, fail

_COOKIE = "placet-console"
_HOST = "127.0.0.1"
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class _Settings(Protocol):
    @property
    def port(self) -> int: ...


class _Who(Protocol):
    @property
    def operator(self) -> str | None: ...

    @property
    def key_file(self) -> object: ...


def serve(who: _Who, settings: _Settings) -> None:
    """Serve until stopped.

    Raises:
        CommandFailed: it is not said whose console it is.
    """
    if who.operator is None or who.key_file is None:
        raise fail("set PLACET_OPERATOR and PLACET_KEY_FILE: a browser can't name a key's file", 2)
    code = secrets.token_urlsafe(24)
    server = GuardedServer(code, settings.port)
    console().print(f"Open {server.public_url}/?code={code}", soft_wrap=True)
    console().print("Ctrl+C stops it.")
    sys.stdout.flush()
    server.serve()


class GuardedServer(Server):
    """Textual's server, that serves nobody without the code."""

    def __init__(self, code: str, port: int) -> None:
        command = shlex.join([sys.executable, "-m", "tui.window"])
        super().__init__(command, host=_HOST, port=port, title="Placet")
        self._code = code

    def initialize_logging(self) -> None:
        """Nothing of what is typed or shown is logged."""

    async def on_startup(self, app: web.Application) -> None:
        """No greeting: what is to be said was said."""

    async def _make_app(self) -> web.Application:
        app = await super()._make_app()
        app.middlewares.append(self._guard)
        return app

    @web.middleware
    async def _guard(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        if request.headers.get("Host", "") != f"{self.host}:{self.port}":
            raise web.HTTPForbidden(text="This is served under its own name alone.")
        origin = request.headers.get("Origin")
        if origin is not None and origin != self.public_url:
            raise web.HTTPForbidden(text="Another site asks.")
        given = request.query.get("code")
        if given is not None and request.path == "/" and self._fits(given):
            answer = web.HTTPSeeOther("/")
            answer.set_cookie(_COOKIE, self._code, httponly=True, samesite="Strict", path="/")
            raise answer
        if not self._fits(request.cookies.get(_COOKIE, "")):
            raise web.HTTPForbidden(text="Open the address with the code that the console printed.")
        answer_ = await handler(request)
        if not answer_.prepared:
            answer_.headers["Referrer-Policy"] = "no-referrer"
            answer_.headers["X-Frame-Options"] = "DENY"
            answer_.headers["Cache-Control"] = "no-store"
        return answer_

    def _fits(self, code: str) -> bool:
        return hmac.compare_digest(code.encode(), self._code.encode())
