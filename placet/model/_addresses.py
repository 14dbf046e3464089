"""Names and addresses that a program is given at its start: what can't be right is refused there.

Otherwise the first case finds out, by a refusal that says nothing of it.
"""

import re

from pydantic import TypeAdapter, ValidationError

from placet.model._ids import Name

_NAME: TypeAdapter[str] = TypeAdapter(Name)
_ISSUER = re.compile(r"https?://[^/?#\s]+")
_ADDRESS = re.compile(r"https?://[^/?#\s]+(?:/[^?#\s]*)?")
_HERE = re.compile(r"http://(?:127\.0\.0\.1|localhost|\[::1\])(?::[0-9]+)?")


def require_name(argument: str, name: str, of: str) -> None:
    """Go on if this can be the name of an agent, a system, or whatever ``of`` says.

    Raises:
        ValueError: it can't; the argument is named.
    """
    try:
        _NAME.validate_python(name)
    except ValidationError:
        raise ValueError(
            f"{argument}: {name!r} is no {of}'s name: lower case, digits and hyphens"
        ) from None


def require_issuer(issuer: str, *, tls: bool = False) -> None:
    """Go on if this can be what an authority calls itself; ``tls``: it is to be asked by TLS.

    Raises:
        ValueError: it can't, or it would be asked in clear over a network.
    """
    if not _ISSUER.fullmatch(issuer):
        raise ValueError(
            f"issuer: {issuer!r} is no authority's address: http:// or https://, a host "
            "and nothing after it"
        )
    if tls and not issuer.startswith("https://") and not _HERE.fullmatch(issuer):
        raise ValueError(f"issuer: {issuer!r} would be asked without TLS: https:// is meant")


def require_address(argument: str, address: str, of: str) -> None:
    """Go on if a system of record can be asked there.

    Raises:
        ValueError: it can't; the argument is named.
    """
    if not _ADDRESS.fullmatch(address):
        raise ValueError(
            f"{argument}: {address!r} is no {of}'s address: http:// or https:// and a host"
        )
