"""How a system of record refuses (RFC 6750 section 3.1, RFC 9449 section 7.1).

::

    Refused             an answer with a status and a Problem
    ├── BadToken        401: no token, or one that does not verify, has ended or is not the sender's
    ├── WrongAction     403: the grant is for another action or record
    └── CannotJudge     503: whether the grant still holds can't be told now
"""

from placet.model import Problem


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
        self.headers = {"WWW-Authenticate": f'DPoP error="{error}", algs="ES256 Ed25519 EdDSA"'}


class WrongAction(Refused):
    """The grant is good, and for something else."""

    status = 403

    def __init__(self, description: str) -> None:
        super().__init__("insufficient_scope", description)


class CannotJudge(Refused):
    """The authority is needed for an answer, and is away."""

    status = 503

    def __init__(self, description: str) -> None:
        super().__init__("temporarily_unavailable", description)
        self.headers = {"Retry-After": "1"}
