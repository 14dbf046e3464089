"""``placet codec``: a codec server on one's own machine, for Temporal's UI in one's own browser.

1. It opens nothing itself: the authority does, for the operator whose key is here, case by case,
   and writes on the ledger that it was read.
2. Only pages of the UI named at its start are answered, and only at an address with a word that
   nobody can guess: any page that a browser shows can reach this machine.
3. It decodes. What the UI would encode is refused: nothing that people type there reaches a case.
"""

import base64
import binascii
import secrets
from collections.abc import Sequence
from typing import Annotated

import typer
import uvicorn
from pydantic import ValidationError
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from placet.cli._base import AWAY, USAGE, fail, failures, operator_client, run
from placet.client import AuthorityAway, AuthorityError, OperatorClient
from placet.model import EncodedPayload, EncodedPayloads
from placet.payloads import ENCODING
from placet.transport import bind, server_config

_MAX_BODY = 8 * 1024 * 1024
_ENCODING = base64.b64encode(ENCODING).decode()
_LATER = {429, 503}
"""What the authority says that may be otherwise in a moment; all else is a refusal."""


def codec(
    ui: Annotated[str, typer.Option(help="The origin of Temporal's UI.")] = "http://127.0.0.1:8233",
    port: Annotated[int, typer.Option(min=1, max=65535, help="The port on 127.0.0.1.")] = 8690,
) -> None:
    """Show encrypted payloads in Temporal's UI to you, as what you may read.

    Paste the printed address into the UI (Data Encoder). Each look is on the ledger in your name.
    """
    with failures():
        if ui.count("/") != 2 or not ui.startswith(("http://", "https://")):
            raise fail("--ui is an origin, such as https://temporal.bank.internal", USAGE)
        run(_serve(ui, port))


async def _serve(ui: str, port: int) -> None:
    word = secrets.token_urlsafe(24)
    async with operator_client() as client:
        try:
            listening = bind("127.0.0.1", port)
        except OSError as error:
            raise fail(str(error), AWAY) from None
        print(f"http://127.0.0.1:{port}/{word}", flush=True)
        config = server_config(codec_app(client, ui, word), lifespan="off")
        await uvicorn.Server(config).serve(sockets=[listening])


def codec_app(client: OperatorClient, ui: str, word: str) -> Starlette:
    """The codec server as an ASGI application, for one operator and the pages of one origin."""

    async def decode(request: Request) -> Response:
        if request.headers.get("origin") != ui:
            return _said(403, f"only pages of {ui} are answered", ui)
        if request.method == "OPTIONS":
            return Response(status_code=204, headers=_allowed(ui))
        body = b""
        async for chunk in request.stream():
            body += chunk
            if len(body) > _MAX_BODY:
                return _said(413, f"the body is larger than {_MAX_BODY} bytes", ui)
        try:
            asked = EncodedPayloads.model_validate_json(body)
        except ValidationError:
            return _said(400, "the body is no list of payloads", ui)
        try:
            opened = await _open(client, asked.payloads)
        except AuthorityError as error:
            return _said(error.status if error.status in _LATER else 403, str(error), ui)
        except AuthorityAway as error:
            return _said(503, str(error), ui)
        return JSONResponse(
            EncodedPayloads(payloads=tuple(opened)).model_dump(), headers=_allowed(ui)
        )

    async def encode(_: Request) -> Response:
        return _said(403, "this codec server decodes only", ui)

    return Starlette(
        routes=[
            Route(f"/{word}/decode", decode, methods=["POST", "OPTIONS"]),
            Route(f"/{word}/encode", encode, methods=["POST"]),
        ]
    )


async def _open(client: OperatorClient, payloads: Sequence[EncodedPayload]) -> list[EncodedPayload]:
    """Each payload in clear, in its place; case by case, as they name them."""
    found = list(payloads)
    places: dict[str, list[int]] = {}
    for at, each in enumerate(payloads):
        if each.metadata.get("encoding") == _ENCODING:
            places.setdefault(_case(each), []).append(at)
    for case, own in places.items():
        asked = EncodedPayloads(payloads=tuple(payloads[at] for at in own))
        opened = await client.open_payloads(case, asked)
        for at, each in zip(own, opened.payloads, strict=True):
            found[at] = each
    return found


def _case(payload: EncodedPayload) -> str:
    try:
        return base64.b64decode(payload.metadata.get("case", ""), validate=True).decode("ascii")
    except (binascii.Error, UnicodeDecodeError):
        return "-"  # no case has this name


def _allowed(ui: str) -> dict[str, str]:
    return {
        "Access-Control-Allow-Origin": ui,
        "Access-Control-Allow-Methods": "POST",
        "Access-Control-Allow-Headers": "content-type, x-namespace, authorization",
        "Access-Control-Allow-Private-Network": "true",
        "Vary": "Origin",
    }


def _said(status: int, words: str, ui: str) -> Response:
    return JSONResponse({"message": words}, status, headers=_allowed(ui))
