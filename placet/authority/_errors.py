"""Refusals, as the authority answers them.

.. code-block:: text

    Refusal                       an answer with a status, an error code and a description
    ├── Unauthenticated           401 invalid_client, invalid_token, …
    ├── Invalid                   400 invalid_request, invalid_authorization_details, …
    ├── Denied                    400 access_denied (RFC 6749 section 5.2), with reasons
    ├── Forbidden                 403, on the routes that are not OAuth's
    ├── NotFound                  404
    ├── Conflict                  409
    └── Unavailable               503 temporarily_unavailable, with Retry-After

Descriptions name what was wrong and what to do; they carry no secret and tell nobody of a record
that is not theirs.
"""

from placet.model import Problem


class Refusal(Exception):
    """An answer that is not the one that was asked for."""

    status = 400

    def __init__(self, error: str, description: str, reasons: tuple[str, ...] = ()) -> None:
        super().__init__(f"{error}: {description}")
        self.problem = Problem(error=error, error_description=description[:500], reasons=reasons)


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

    def __init__(self, description: str) -> None:
        super().__init__("not_found", description)


class Conflict(Refusal):
    """The thing is in another state than the request takes for granted."""

    status = 409

    def __init__(self, description: str, reasons: tuple[str, ...] = ()) -> None:
        super().__init__("conflict", description, reasons)


class Unavailable(Refusal):
    """Something the answer needs is away: nothing was decided, ask again later."""

    status = 503

    def __init__(self, description: str) -> None:
        super().__init__("temporarily_unavailable", description)
