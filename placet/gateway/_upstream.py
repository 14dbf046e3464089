"""Asking the system behind: its address and ours alone, nothing of the caller's spelling."""

import contextlib
import ssl
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Self

import aiohttp
from yarl import URL

from placet.gateway._headers import Header, facts_of, pass_back
from placet.gateway._routes import Unacceptable
from placet.gateway._settings import GatewaySettings
from placet.resource import VerifiedGrant

_CONNECT_SECONDS = 5
_CHUNK = 64 * 1024


class Broken(Exception):
    """The system is away, too slow, or says what can't be read.

    ``may_be_heard`` says whether it may have heard of the request all the same.
    """

    def __init__(self, status: int, said: str, *, may_be_heard: bool = True) -> None:
        super().__init__(said)
        self.status = status
        self.may_be_heard = may_be_heard


class TooLarge(Exception):
    """The answer is larger than an answer may be; part of it was handed back."""


@dataclass(frozen=True)
class Answer:
    """The system's answer, as it comes."""

    status: int
    headers: Sequence[tuple[bytes, bytes]]
    chunks: AsyncIterator[bytes]


class Upstream:
    """The system behind."""

    def __init__(self, settings: GatewaySettings, tls: ssl.SSLContext | None = None) -> None:
        self._settings = settings
        self._tls = tls
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        """Open a pool of connections; no cookie, proxy or encoding of the session's own."""
        seconds = self._settings.upstream_seconds
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(ssl=self._tls or True),
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
            trust_env=False,
            timeout=aiohttp.ClientTimeout(
                total=None, sock_connect=_CONNECT_SECONDS, sock_read=seconds
            ),
            skip_auto_headers=("Accept", "Accept-Encoding", "User-Agent", "Content-Type"),
        )
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close the connections."""
        if self._session is not None:
            await self._session.close()

    @contextlib.asynccontextmanager
    async def ask(
        self,
        method: str,
        target: str,
        headers: Sequence[Header],
        grant: VerifiedGrant,
        body: bytes | AsyncIterator[bytes] | None,
    ) -> AsyncIterator[Answer]:
        """Ask the system.

        Raises:
            Broken: it does not answer.
            TooLarge: (while reading) its answer is larger than the limit.
        """
        if self._session is None:
            raise RuntimeError("the system is asked outside `async with Upstream(...)`")
        sent = [*headers, *facts_of(grant)]
        if self._settings.upstream_authorization is not None:
            secret = self._settings.upstream_authorization.get_secret_value()
            sent.append(("Authorization", secret))
        url = URL(self._settings.upstream + target, encoded=True)
        try:
            async with self._session.request(
                method, url, headers=sent, data=body, allow_redirects=False
            ) as response:
                self._require_readable(response)
                back = pass_back(response.headers.items())
                yield Answer(response.status, back, self._chunks(response))
        except TimeoutError as error:
            heard = not isinstance(error, aiohttp.ConnectionTimeoutError)
            said = "the system behind does not answer in time"
            raise Broken(504, said, may_be_heard=heard) from None
        except (aiohttp.ClientError, ValueError) as error:
            if (refusal := _ours(error)) is not None:
                raise refusal from None
            said = f"the system behind does not answer ({type(error).__name__})"
            heard = not isinstance(error, (aiohttp.ClientConnectorError, aiohttp.InvalidURL))
            raise Broken(502, said, may_be_heard=heard) from None

    def _require_readable(self, response: aiohttp.ClientResponse) -> None:
        if response.status < 200:
            raise Broken(502, "the system behind asks for another protocol")
        length = response.content_length
        if response.method != "HEAD" and (length or 0) > self._settings.max_answer:
            said = f"the system's answer is larger than {self._settings.max_answer} bytes"
            raise Broken(502, said)

    async def _chunks(self, response: aiohttp.ClientResponse) -> AsyncIterator[bytes]:
        size = 0
        async for chunk in response.content.iter_chunked(_CHUNK):
            size += len(chunk)
            if size > self._settings.max_answer:
                raise TooLarge
            yield chunk


def _ours(error: BaseException | None) -> Unacceptable | None:
    """What we refused of the body while it was on its way: the client wraps it."""
    while error is not None and not isinstance(error, Unacceptable):
        error = error.__cause__ or error.__context__
    return error
