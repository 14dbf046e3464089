"""How a system of record refuses (RFC 6750 section 3.1, RFC 9449 section 7.1).

::

    Refused             an answer with a status and a Problem
    ├── BadToken        401: a token that does not verify, has ended or is not the sender's
    │   └── NoToken     401: nothing to judge was sent; the challenge names no error
    ├── WrongAction     403: the grant is for another action or record
    └── CannotJudge     503: whether the grant holds can't be told now

Each 401 and 403 carries the challenge that a client needs to do better: the scheme, what was
wrong, and which algorithms a proof may have.
"""

from placet.model import Problem

_ALGORITHMS = 'algs="ES256 Ed25519 EdDSA"'


def _challenge(error: str) -> dict[str, str]:
    return {"WWW-Authenticate": f'DPoP error="{error}", {_ALGORITHMS}'}


class Refused(Exception):
    """The request is refused."""

    status = 400
    headers: dict[str, str]

    def __init__(self, error: str, description: str) -> None:
        super().__init__(f"{error}: {description}")
        self.problem = Problem(error=error, error_description=description[:500])
        self.headers = {}


class BadToken(Refused):
    """The token does not hold, or the sender does not hold its key."""

    status = 401

    def __init__(self, error: str, description: str) -> None:
        super().__init__(error, description)
        self.headers = _challenge(error)


class NoToken(BadToken):
    """The request brings no grant, or offers something else in its place."""

    def __init__(self, description: str) -> None:
        super().__init__("invalid_token", description)
        # RFC 6750 section 3.1: whoever did not know that a token is needed is told no error code.
        self.headers = {"WWW-Authenticate": f"DPoP {_ALGORITHMS}"}


class WrongAction(Refused):
    """The grant is good, and for something else."""

    status = 403

    def __init__(self, description: str) -> None:
        super().__init__("insufficient_scope", description)
        self.headers = _challenge("insufficient_scope")


class CannotJudge(Refused):
    """Whether the grant holds can't be told now: the authority is away, or memory is full."""

    status = 503

    def __init__(self, description: str) -> None:
        super().__init__("temporarily_unavailable", description)
        self.headers = {"Retry-After": "1"}
