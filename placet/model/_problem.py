"""What every route answers when it does not do what was asked."""

from placet.model._values import Model


class Problem(Model):
    """An error answer: RFC 6749 section 5.2's members, on every route."""

    error: str
    error_description: str
    reasons: tuple[str, ...] = ()
