"""What TLS has to do with it that somebody does not answer, in words.

A server refuses a caller's certificate when the caller's own handshake is over (TLS 1.3), and
asyncio's ends the connection without the alert that would say so: what is left to see is an end.
"""

import ssl
from collections.abc import Iterator

_REFUSED = (
    "it closed the connection, as it does where a caller shows no certificate that it believes "
    "(PLACET_TLS_CERTIFICATE)"
)
_ENDS = {"ServerDisconnectedError", "RemoteProtocolError"}
"""What aiohttp and httpx call an end before an answer."""


def over_tls(error: BaseException, url: str) -> str:
    """Why somebody at an address does not answer, to stand behind that; empty if not for TLS."""
    if not url.startswith("https://"):
        return ""
    told = [*_chain(error)]
    for each in told:
        if isinstance(each, ssl.SSLError) and not isinstance(each, ssl.SSLEOFError):
            reason = (each.reason or "no TLS").replace("_", " ").lower()
            return f" over TLS: {getattr(each, 'verify_message', '') or reason}"
    return f" over TLS: {_REFUSED}" if any(map(_is_end, told)) else ""


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def _is_end(error: BaseException) -> bool:
    return type(error).__name__ in _ENDS or isinstance(
        error, (ConnectionResetError, BrokenPipeError, ssl.SSLEOFError)
    )
