"""Refusals, as the authority answers them.

.. code-block:: text

    Refusal                       an answer with a status, an error code and a description
    ├── Unauthenticated           401 invalid_client, invalid_token, …
    ├── Invalid                   400 invalid_request, invalid_authorization_details, …
    ├── Denied                    400 access_denied (RFC 6749 section 5.2), with reasons
    ├── Forbidden                 403, on the routes that are not OAuth's
    ├── NotFound                  404
    ├── WrongMethod               405
    ├── Conflict                  409
    ├── TooMuch                   429 slow_down, with Retry-After
    └── Unavailable               503 temporarily_unavailable, with Retry-After

Descriptions name what was wrong and what to do; they carry no secret and tell nobody of a record
that is not theirs. They keep to the characters of RFC 6749 section 5.2, whatever was sent.
"""

import re

from placet.model import Problem

_NOT_ALLOWED = re.compile(r"[^ !#-\[\]-~]")
_INSTEAD = {'"': "'", "\\": "/", "\n": " "}


class Refusal(Exception):
    """An answer that is not the one that was asked for."""

    status = 400
    retry_after: int | None = None
    """Seconds after which to ask again, if that is known."""

    def __init__(self, error: str, description: str, reasons: tuple[str, ...] = ()) -> None:
        super().__init__(f"{error}: {description}")
        said = _NOT_ALLOWED.sub(lambda odd: _INSTEAD.get(odd[0], "?"), description[:500])
        self.problem = Problem(error=error, error_description=said, reasons=reasons)


class Unauthenticated(Refusal):
    """Who asks could not be told."""

    status = 401


class Invalid(Refusal):
    """The request is not well formed."""


class Denied(Refusal):
    """The request is well formed, the asker is known, and the answer is no."""

    def __init__(self, description: str, reasons: tuple[str, ...]) -> None:
        super().__init__("access_denied", description, reasons)


class Forbidden(Refusal):
    """The asker is known and may not do this."""

    status = 403

    def __init__(self, description: str, reasons: tuple[str, ...] = ()) -> None:
        super().__init__("forbidden", description, reasons)


class NotFound(Refusal):
    """There is no such thing, or none that the asker may know of."""

    status = 404

    def __init__(self, description: str, reasons: tuple[str, ...] = ()) -> None:
        super().__init__("not_found", description, reasons)


class WrongMethod(Refusal):
    """The route is there, under another method; ``Allow`` says which."""

    status = 405

    def __init__(self) -> None:
        super().__init__("method_not_allowed", "this route has no such method; see Allow")


class Conflict(Refusal):
    """The thing is in another state than the request takes for granted."""

    status = 409

    def __init__(self, description: str, reasons: tuple[str, ...] = ()) -> None:
        super().__init__("conflict", description, reasons)


class TooMuch(Refusal):
    """The asker goes beyond a limit: nothing was decided, ask again when there is room."""

    status = 429

    def __init__(self, description: str, measure: str, seconds: int) -> None:
        super().__init__("slow_down", description, ("limit", measure))
        self.retry_after = seconds


class Unavailable(Refusal):
    """Something the answer needs is away: nothing was decided, ask again later."""

    status = 503
    retry_after = 1

    def __init__(self, description: str) -> None:
        super().__init__("temporarily_unavailable", description)
