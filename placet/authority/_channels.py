"""Where notices go: the log, any service that Apprise knows, signed webhooks.

Webhooks follow Standard Webhooks: ``webhook-id`` is the notice's and stays the same at each try, so
that a receiver takes it once; the signature is an HMAC-SHA256 over id, time and body.
"""

import asyncio
import base64
import hmac
import importlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

import aiohttp
from pydantic import SecretStr

from placet.authority._settings import AuthoritySettings
from placet.model import format_time

_SECONDS = aiohttp.ClientTimeout(total=10)
TITLES = {
    "checkpoint.waiting": "A checkpoint waits for you",
    "checkpoint.reminder": "A checkpoint nears its deadline",
    "checkpoint.escalated": "A checkpoint was escalated to you",
    "checkpoint.decided": "A checkpoint was decided",
    "checkpoint.expired": "A checkpoint expired",
    "checkpoint.voided": "An approval of yours counts no more",
    "case.stopped": "A case is stopped until an administrator has looked at it",
    "case.standing": "A case stands still: a step fails, or nobody takes it",
    "case.alarm": "A closed case is not as it was closed: an administrator is to look at it",
    "identity.ending": "Identities or keys end within a week: placet identity report ending",
    "delegation.ending": "A standing-in ends within a week",
    "act.proposed": "An act waits for a second signature",
    "glass.broken": "EMERGENCY: a checkpoint may be approved by the emergency path",
    "review.opened": "A review of an emergency approval waits",
}


class NotSent(Exception):
    """A channel did not take a notice; it may be tried again."""


@dataclass(frozen=True)
class Notice:
    """What a channel is given. ``id`` is the same at each try, ``sent_at`` is this one's."""

    id: str
    kind: str
    at: datetime
    sent_at: datetime
    said: Mapping[str, Any]

    def body(self) -> bytes:
        """The JSON of Standard Webhooks."""
        told = {"type": self.kind, "timestamp": format_time(self.at), "data": dict(self.said)}
        return json.dumps(told, separators=(",", ":"), sort_keys=True).encode()


class Channel(Protocol):
    """One place where notices go."""

    name: str
    takes_once: bool
    """Whether the same notice again is harmless there."""

    async def send(self, notice: Notice) -> None:
        """Hand a notice over.

        Raises:
            NotSent: it was not taken.
        """
        ...


class Webhook:
    """A signed webhook."""

    takes_once = True

    def __init__(
        self, session: aiohttp.ClientSession, name: str, url: str, secret: SecretStr
    ) -> None:
        self.name = f"webhook/{name}"
        self._session = session
        self._url = url
        self._secret = base64.b64decode(secret.get_secret_value().removeprefix("whsec_"))

    async def send(self, notice: Notice) -> None:
        """Post it; only an answer of 2xx is a yes."""
        body, at = notice.body(), str(int(notice.sent_at.timestamp()))
        signed = b".".join((notice.id.encode(), at.encode(), body))
        mac = base64.b64encode(hmac.new(self._secret, signed, "sha256").digest()).decode()
        headers = {
            "Content-Type": "application/json",
            "webhook-id": notice.id,
            "webhook-timestamp": at,
            "webhook-signature": f"v1,{mac}",
        }
        try:
            async with self._session.post(
                self._url, data=body, headers=headers, timeout=_SECONDS, allow_redirects=False
            ) as response:
                status = response.status
        except (aiohttp.ClientError, TimeoutError) as error:
            raise NotSent(f"no answer ({type(error).__name__})") from None
        if not 200 <= status < 300:
            raise NotSent(f"answered {status}")


class AppriseChannel:
    """One address of Apprise's: mail, chat, pager. It can't tell a notice that came before."""

    takes_once = False

    def __init__(self, number: int, url: SecretStr) -> None:
        self.name = f"apprise/{number}"
        self._url = url

    async def send(self, notice: Notice) -> None:
        """Hand it to Apprise, beside the event loop."""
        lines = [f"{name}: {value}" for name, value in notice.said.items() if value]
        title = TITLES.get(notice.kind, notice.kind)

        def notify() -> bool:
            sender = importlib.import_module("apprise").Apprise()
            added = sender.add(self._url.get_secret_value())
            return bool(added and sender.notify(title=title, body="\n".join(lines) or title))

        try:
            sent = await asyncio.to_thread(notify)
        except Exception as error:  # noqa: BLE001 - whatever a service's own code raises is a no
            raise NotSent(f"Apprise failed ({type(error).__name__})") from None
        if not sent:
            raise NotSent("Apprise could not send it")


def channels(settings: AuthoritySettings, session: aiohttp.ClientSession) -> tuple[Channel, ...]:
    """The channels that the settings name."""
    return (
        *(AppriseChannel(at, url) for at, url in enumerate(settings.notice_urls, 1)),
        *(Webhook(session, each.name, each.url, each.secret) for each in settings.webhooks),
    )
