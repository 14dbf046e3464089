"""What the three systems of record have in common at their edge: bodies, paths, and answers.

Whatever is wrong with a request, the answer is a :class:`placet.model.Problem` (I12).
"""

import asyncio
import contextlib
import json
import re
from collections.abc import AsyncIterator
from typing import Annotated, Any, TypeVar

import anyio.to_thread
from fastapi import FastAPI, Path, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from pydantic import BaseModel, BeforeValidator, TypeAdapter, ValidationError
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from lender._service import Failure
from lender._uses import Desk, Outbox
from lender.model import MAX_DRAW, LoanId, PayeeId, PaymentId
from placet.model import Model, Problem, first_error, plain_error
from placet.resource import Refused, tell_uses
from placet.telemetry import Health

T = TypeVar("T")
_M = TypeVar("_M", bound=BaseModel)
MAX_BODY = 8 * 1024 * 1024
"""Bytes of a request's body: an analysis of sixty rows has about 200 kB."""

_NUMBER = re.compile(r"[1-9][0-9]{0,3}\Z")


def _number(text: object) -> int:
    """A number in its one spelling: no sign, no leading zero, no digits of other scripts."""
    if not isinstance(text, str) or not _NUMBER.match(text):
        raise ValueError(f"a number from 1 to {MAX_DRAW}, without leading zeros")
    return int(text)


Number = Annotated[int, BeforeValidator(_number)]
LoanPath = Annotated[LoanId, Path()]
PayeePath = Annotated[PayeeId, Path()]
PaymentPath = Annotated[PaymentId, Path()]
NumberPath = Annotated[Number, Path()]
"""The number of a draw, or of a packet's version, in a path."""

_LOAN: TypeAdapter[str] = TypeAdapter(LoanId)
_DRAW: TypeAdapter[int] = TypeAdapter(Number)
_PAYMENT: TypeAdapter[str] = TypeAdapter(PaymentId)


def parse_draw(loan: str, draw: str) -> tuple[str, int]:
    """A loan's id and the number of a draw, from outside.

    Raises:
        Failure: one of them is none.
    """
    return _parsed(_LOAN, loan, "loan"), _parsed(_DRAW, draw, "draw")


def parse_record(record: str) -> tuple[str, int | None]:
    """Loan and draw of ``loan/<loan>`` or ``loan/<loan>/draw/<draw>``.

    Raises:
        Failure: another record.
    """
    match record.split("/"):
        case ["loan", loan]:
            return _parsed(_LOAN, loan, "loan"), None
        case ["loan", loan, "draw", draw]:
            return parse_draw(loan, draw)
    raise Failure(404, "not_found", "there are no facts of such a record")


def parse_reallocation(record: str) -> tuple[str, int] | None:
    """Loan and number of ``loan/<loan>/reallocation/<number>``; ``None`` for another record.

    Raises:
        Failure: the loan or the number is none.
    """
    match record.split("/"):
        case ["loan", loan, "reallocation", number]:
            return require_reallocation(loan, number)
    return None


def parse_payment(record: str) -> tuple[str, int, str] | None:
    """Loan, draw and id of ``loan/<loan>/draw/<draw>/payment/<id>``; ``None`` for another record.

    Raises:
        Failure: the loan, the draw or the id is none.
    """
    match record.split("/"):
        case ["loan", loan, "draw", draw, "payment", payment]:
            return *parse_draw(loan, draw), _parsed(_PAYMENT, payment, "payment")
    return None


def require_reallocation(loan: str, number: str) -> tuple[str, int]:
    """A loan's id and the number of a reallocation, from outside.

    Raises:
        Failure: one of them is none.
    """
    return _parsed(_LOAN, loan, "loan"), _parsed(_DRAW, number, "reallocation")


def _parsed(adapter: TypeAdapter[T], text: str, what: str) -> T:
    try:
        return adapter.validate_python(text)
    except ValidationError as error:
        _, said = first_error(error)
        raise Failure(404, "not_found", f"{what}: {said}") from None


def make_service(desk: Desk) -> FastAPI:
    """An application whose errors are Problems, and which follows and tells while it runs."""
    guard = desk.guard

    @contextlib.asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        async with guard.following(desk.end):
            telling = asyncio.create_task(tell_uses(guard, Outbox(desk.database)))
            try:
                yield
            finally:
                telling.cancel()
                await asyncio.gather(telling, return_exceptions=True)

    app = FastAPI(
        lifespan=lifespan,
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
    )
    for kind, handler in (
        (Refused, _refused),
        (Failure, _failed),
        (RequestValidationError, _invalid),
        (HTTPException, _no_route),
        (Exception, _unforeseen),
    ):
        app.add_exception_handler(kind, handler)

    health = Health({"database": desk.database.answers, "authority": guard.require_fresh})
    app.add_api_route("/livez", health.live)
    app.add_api_route("/readyz", health.ready)
    app.state.health = health
    return app


def answer(model: Model) -> Response:
    """A model as a JSON answer."""
    return Response(model.model_dump_json(), media_type="application/json")


async def read_model(request: Request, model: type[_M], limit: int = MAX_BODY) -> _M:
    """Parse a JSON body, away from the event loop.

    Raises:
        Failure: too large, no JSON, or not of this form; the message names the member.
    """
    body = bytearray()
    try:
        async for chunk in request.stream():
            body += chunk
            if len(body) > limit:
                raise Failure(413, "invalid_request", f"the body is larger than {limit} bytes")
    except ClientDisconnect:
        raise Failure(400, "invalid_request", "the body ends before its end") from None
    return await anyio.to_thread.run_sync(_parse, body, model)


def _parse(body: bytearray, model: type[_M]) -> _M:
    try:
        json.loads(body, object_pairs_hook=_no_member_twice)
        return model.model_validate_json(body)
    except ValidationError as error:
        raise Failure(400, "invalid_request", _first(error.errors(include_url=False))) from None
    except (ValueError, RecursionError):
        raise Failure(400, "invalid_request", "the body is not JSON, or a member twice") from None


def _no_member_twice(pairs: list[tuple[str, object]]) -> None:
    if len(dict(pairs)) != len(pairs):
        raise ValueError("a member stands twice in one object")


def _first(errors: Any) -> str:
    """The first error in one line, without repeating the value."""
    place = ".".join(str(part) for part in errors[0]["loc"]) or "body"
    return f"{place}: {plain_error(errors[0]['msg'])}"


def _problem(status: int, problem: Problem, headers: dict[str, str] | None = None) -> JSONResponse:
    return JSONResponse(problem.model_dump(mode="json"), status, headers=headers)


async def _refused(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, Refused)
    return _problem(error.status, error.problem, error.headers)


async def _failed(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, Failure)
    headers = {"Retry-After": "1"} if error.status == 503 else None
    return _problem(error.status, error.problem, headers)


async def _invalid(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    problem = Problem(error="invalid_request", error_description=_first(error.errors())[:500])
    return _problem(400, problem)


async def _no_route(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    names = {404: "not_found", 405: "method_not_allowed"}
    said = {404: "there is no such route", 405: "this route has no such method"}
    problem = Problem(
        error=names.get(error.status_code, "invalid_request"),
        error_description=said.get(error.status_code, str(error.detail)[:500]),
    )
    return _problem(error.status_code, problem, dict(error.headers or {}))


async def _unforeseen(_: Request, __: Exception) -> JSONResponse:
    # The server logs it with its trace; the caller is told nothing of our insides.
    return _problem(
        500, Problem(error="server_error", error_description="an unforeseen error; logged")
    )
