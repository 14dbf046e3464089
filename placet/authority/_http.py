"""Reading requests and writing answers: limits, strict bodies, and one shape of error.

Bodies are parsed once: an unknown member, a member twice, a wrong type is an error that names the
member; a number that has no canonical form (RFC 8785) is an error too. Limits: 8 MiB of body (one
evidence part is at most 4 MiB, base64 nowhere), less on the routes that anyone can send to before
they are known, 64 KiB of form. What is large is parsed beside the event loop.
"""

import asyncio
import json
import logging
import math
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import nullcontext
from enum import StrEnum
from time import perf_counter
from typing import Any, NoReturn, Protocol, TypeVar
from urllib.parse import parse_qsl

from pydantic import BaseModel, TypeAdapter, ValidationError
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response

from placet.authority._errors import Invalid, NotFound, Refusal, Unauthenticated, Unavailable
from placet.authority._store import StoreDamaged, StoreUnavailable
from placet.model import Problem, plain_error
from placet.telemetry import about, metrics

MAX_BODY = 8 * 1024 * 1024
MAX_ACT = 2 * 1024 * 1024  # a policy set or a process, whole
MAX_ASKS = 512 * 1024  # 32 authorization_details, and an assertion
MAX_DECISION = 32 * 1024  # one token of at most 16 KiB
MAX_DECISIONS = 2 * 1024 * 1024  # a hundred tokens of at most 16 KiB
MAX_FORM = 64 * 1024  # an assertion, a token and authorization_details, each bounded by itself
MAX_LOGGED = 80  # characters of what a path calls a case
_LARGE = 64 * 1024

_M = TypeVar("_M", bound=BaseModel)
_log = logging.getLogger("placet.authority")

Endpoint = Callable[[Request], Awaitable[Response]]


async def read_body(request: Request, limit: int = MAX_BODY) -> bytes:
    """Read a request's body, at most ``limit`` bytes.

    Raises:
        Invalid: it is larger.
    """
    chunks, size = [], 0
    async for chunk in request.stream():
        size += len(chunk)
        if size > limit:
            said = f"the body is larger than {limit} bytes"
            raise Invalid("invalid_request", said, ("too_large",))
        chunks.append(chunk)
    return b"".join(chunks)


async def read_model(request: Request, model: type[_M], limit: int = MAX_BODY) -> _M:
    """Parse a JSON body of at most ``limit`` bytes into ``model``.

    Raises:
        Invalid: it is too large, no JSON, or does not fit; the description names the member.
    """
    if _media_type(request) != "application/json":
        raise Invalid("invalid_request", "send the body as application/json")
    body = await read_body(request, limit)
    if len(body) > _LARGE:
        return await asyncio.to_thread(parse_model, body, model)
    return parse_model(body, model)


def parse_model(body: bytes, model: type[_M]) -> _M:
    """Parse JSON bytes into ``model``; see :func:`read_model`."""
    try:
        value = json.loads(
            body,
            object_pairs_hook=_no_member_twice,
            parse_int=_integer,
            parse_float=_finite,
            parse_constant=_no_constant,
        )
        # Through JSON again, since pydantic's JSON mode is where tuples, enums and times are lax.
        return model.model_validate_json(json.dumps(value))
    except ValidationError as error:
        raise Invalid("invalid_request", describe(error)) from None
    except (ValueError, RecursionError) as error:
        raise Invalid(
            "invalid_request", f"the body is no JSON to be read: {str(error)[:120]}"
        ) from None


def describe(error: ValidationError) -> str:
    """Say in one line which members did not fit, without repeating their values."""
    return "; ".join(
        f"{'.'.join(str(part) for part in each['loc']) or 'body'}: {plain_error(each['msg'])}"
        for each in error.errors(include_input=False, include_url=False)[:5]
    )


def _media_type(request: Request) -> str:
    return request.headers.get("content-type", "").split(";")[0].strip().lower()


def _integer(digits: str) -> int:
    if len(digits) > 17 or abs(int(digits)) >= 2**53:
        raise ValueError("a whole number beyond 2^53 has no canonical form")
    return int(digits)


def _finite(digits: str) -> float:
    number = float(digits)
    if not math.isfinite(number):
        raise ValueError("a number is too large")
    return number


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no number")


def _no_member_twice(pairs: list[tuple[str, object]]) -> dict[str, object]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("a member stands twice in one object")
    return members


async def read_form(request: Request) -> dict[str, str]:
    """Parse an OAuth request's form; a parameter sent twice is an error (RFC 6749 section 3.2).

    Raises:
        Invalid: it is no form, too large, or has a parameter twice.
    """
    if _media_type(request) != "application/x-www-form-urlencoded":
        raise Invalid("invalid_request", "send the request as application/x-www-form-urlencoded")
    body = await read_body(request, MAX_FORM)
    try:
        pairs = parse_qsl(
            body.decode("utf-8"),
            keep_blank_values=True,
            strict_parsing=bool(body),
            max_num_fields=20,
            errors="strict",
        )
    except ValueError:
        raise Invalid("invalid_request", "the form is malformed") from None
    form = dict(pairs)
    if len(form) != len(pairs):
        raise Invalid("invalid_request", "a parameter was sent twice")
    return form


def require_parameter(form: Mapping[str, str], name: str) -> str:
    """A form's parameter that must be there, and not empty.

    Raises:
        Invalid: it is not.
    """
    value = form.get(name)
    if not value:
        raise Invalid("invalid_request", f"send {name}")
    return value


def one_query(request: Request, name: str, limit: int = 100) -> str | None:
    """A query's parameter, if it was sent: once, in printable ASCII, at most ``limit`` characters.

    Raises:
        Invalid: it was sent twice, or is none of that.
    """
    values = request.query_params.getlist(name)
    if len(values) > 1:
        raise Invalid("invalid_request", f"{name} was sent twice")
    if values and not (_is_plain(values[0]) and len(values[0]) <= limit):
        raise Invalid("invalid_request", f"{name} has characters that it can't have, or too many")
    return values[0] if values else None


def queries(request: Request, name: str, limit: int = 100) -> list[str]:
    """A query's parameter that may be sent any number of times; each once, in that order.

    Raises:
        Invalid: one is no printable ASCII of at most ``limit`` characters.
    """
    values = list(dict.fromkeys(request.query_params.getlist(name)))
    if not all(_is_plain(each) and len(each) <= limit for each in values):
        raise Invalid("invalid_request", f"{name} has characters that it can't have, or too many")
    return values


def whole_number(request: Request, name: str, default: int) -> int:
    """A query's parameter that is a whole number.

    Raises:
        Invalid: it is none, or too large.
    """
    value = one_query(request, name)
    return default if value is None else parse_whole(value, name)


def parse_whole(text: str, name: str) -> int:
    """A whole number of at most 15 digits.

    Raises:
        Invalid: it is none.
    """
    if not (text.isascii() and text.isdecimal()) or len(text) > 15:
        raise Invalid("invalid_request", f"{name} must be a whole number")
    return int(text)


def one_of(request: Request, name: str, known: type[StrEnum]) -> str | None:
    """A query's parameter that is one of an enumeration's values, if it was sent.

    Raises:
        Invalid: it is none of them.
    """
    value = one_query(request, name)
    if value is not None and value not in {each.value for each in known}:
        raise Invalid("invalid_request", f"{name} is one of {', '.join(known)}")
    return value


def path_part(request: Request, name: str, kind: Any) -> str:
    """A part of the path, if it is spelled as it must be.

    Raises:
        NotFound: it isn't, so that nothing has that name.
    """
    try:
        found: str = TypeAdapter(kind).validate_python(request.path_params[name])
    except ValidationError:
        raise NotFound(f"there is no such {name}") from None
    return found


def _is_plain(text: str) -> bool:
    return text.isascii() and text.isprintable()


def one_header(request: Request, name: str) -> str:
    """The value of a header that must be there exactly once.

    Raises:
        Invalid: it is missing or repeated.
    """
    values = request.headers.getlist(name)
    if len(values) != 1:
        raise Invalid("invalid_request", f"send exactly one {name} header, not {len(values)}")
    return values[0]


def answer(model: BaseModel, status: int = 200) -> Response:
    """A model as a JSON answer that nobody caches."""
    return Response(
        model.model_dump_json(exclude_none=True),
        status_code=status,
        media_type="application/json",
        headers={"Cache-Control": "no-store"},
    )


def page(name: str, models: Sequence[BaseModel]) -> Response:
    """A page of models as a JSON answer, under one name."""
    return JSONResponse(
        {name: [each.model_dump(mode="json", exclude_none=True) for each in models]}
    )


def refuse(refusal: Refusal) -> Response:
    """A refusal as its answer."""
    headers = {"Cache-Control": "no-store"}
    if refusal.retry_after is not None:
        headers["Retry-After"] = str(refusal.retry_after)
    if isinstance(refusal, Unauthenticated):
        headers["WWW-Authenticate"] = (
            f'DPoP error="{refusal.problem.error}", algs="ES256 Ed25519 EdDSA"'
        )
    return JSONResponse(
        refusal.problem.model_dump(mode="json"), status_code=refusal.status, headers=headers
    )


class Gate(Protocol):
    """Counts who asks how often."""

    def begin(self, request: Request) -> None:
        """A request comes in; raises if it is one too many."""
        ...

    def end(self, request: Request, response: Response) -> None:
        """It was answered."""
        ...


def endpoint(handler: Endpoint, method: str, route: str, gate: Callable[[], Gate]) -> Endpoint:
    """A route's handler: its refusals become answers, and it is counted and timed."""
    safely, seconds = _answering(handler, gate), metrics.REQUEST_SECONDS.labels(method, route)

    async def handle(request: Request) -> Response:
        began = perf_counter()
        case = request.path_params.get("case")
        with nullcontext() if case is None else about(case=str(case)[:MAX_LOGGED]):
            response = await safely(request)
        seconds.observe(perf_counter() - began)
        metrics.REQUESTS.labels(method, route, str(response.status_code)).inc()
        return response

    return handle


def _answering(handler: Endpoint, gate: Callable[[], Gate]) -> Endpoint:
    """Turn refusals into their answers, and anything unforeseen into a 500 without a traceback."""

    async def handle(request: Request) -> Response:
        try:
            gate().begin(request)
        except Refusal as refusal:
            return refuse(refusal)
        response = await judge(request)
        gate().end(request, response)
        return response

    async def judge(request: Request) -> Response:
        try:
            if not all(_is_plain(str(each)) for each in request.path_params.values()):
                raise NotFound("no id has such characters")
            return await handler(request)
        except Refusal as refusal:
            return refuse(refusal)
        except StoreUnavailable as error:
            _log.warning("at %r: %s", request.scope["path"], error)
            return refuse(Unavailable("the ledger can't be reached; nothing was done, ask again"))
        except StoreDamaged as error:
            _log.error("at %r: %s", request.scope["path"], error)
            said = "the ledger has lost entries: an administrator must look, and restore a backup"
            problem = Problem(error="server_error", error_description=said)
            return JSONResponse(problem.model_dump(mode="json"), status_code=500)
        except ClientDisconnect:
            return Response(status_code=400)
        except Exception:  # noqa: BLE001 - the last line of defence; it is logged with its trace
            _log.exception("unforeseen error at %r", request.scope["path"])
            problem = Problem(error="server_error", error_description="an unforeseen error; logged")
            return JSONResponse(problem.model_dump(mode="json"), status_code=500)

    return handle
