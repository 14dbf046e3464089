"""Who is signed in, and what changes for them; whether it is the ledger that they saw before.

What changes at the authority is told to whatever is on screen (:class:`Listener`); what can't be
reached is said at the top and asked again.
"""

import asyncio
from collections.abc import Mapping

from textual import events, work
from textual.reactive import reactive

from placet.ledger import Checkpoint
from tui import words
from tui.answers import Away, NotShown, Refused
from tui.asking import Listener
from tui.pasting import Pasting
from tui.session import Session

_FIRST_WAIT, _LONGEST_WAIT = 0.5, 15.0
_STAYS = 60  # seconds; a click takes it away
TELL_EVERY = 0.2
_LOOKING = frozenset(
    {
        "queue",
        "cases",
        "identities",
        "ledger",
        "overview",
        "people",
        "look-again",
        "dialog-look",
        "replay-look",
    }
)
"""Groups of workers that look again at what changed."""


class Following(Pasting):
    """An application in which someone is signed in, and which hears what changes."""

    live: reactive[str] = reactive("")

    def __init__(self) -> None:
        super().__init__()
        self._session: Session | None = None
        self._untold: int | None = None
        self._seen: dict[str, Checkpoint | None] = {}
        self.drafts: dict[tuple[str, str], Mapping[str, str]] = {}

    @property
    def session(self) -> Session:
        """Who is signed in; only asked for behind the sign-in."""
        assert self._session is not None
        return self._session

    @property
    def signed_in(self) -> bool:
        """Whether someone is, and it is not locked."""
        return self._session is not None

    def begin_session(self, session: Session) -> None:
        """Someone is in; the ledger must be the one that was seen here before (I8)."""
        session.gateway.ledger.remember(self._seen.get(session.gateway.issuer))
        self._session = session

    def end_session(self) -> None:
        """Nobody is in any more; what was seen of the ledger stays."""
        if self._session is not None:
            gateway, self._session = self._session.gateway, None
            self._seen[gateway.issuer] = gateway.ledger.seen

    def may_be_ahead(self, event: events.Key) -> bool:
        """Sign nothing without a passphrase by a key that came in one go with those before it.

        A terminal without bracketed paste sends a pasted text as such keys.
        """
        where = self.focused.id if self.focused is not None else None
        protected = self._session is None or self._session.protected
        sends = (where == "text" and event.key == "enter") or (
            where == "sign" and not protected and event.key in {"enter", "space"}
        )
        if not sends:
            return True
        self.notify("That came together with what was typed before: press it once more.")
        return False

    @work(exclusive=True, group="follow")
    async def follow(self) -> None:
        """Follow what changes, for as long as someone is signed in; a lost line is taken up again.

        Each connection goes on where the one before has broken, so nothing is missed.
        """
        wait, last = _FIRST_WAIT, None
        while self.signed_in:
            try:
                await self.session.gateway.ledger.head()
                async for size in self.session.gateway.changes(last):
                    wait = _FIRST_WAIT
                    if last is not None and size < last:
                        self._say_it_is_shorter(last, size)
                    if self.live or size != last:
                        self.live, last, self._untold = "", size, size
            except Away as error:
                self.gone(str(error))
            except Refused as error:
                self.gone(str(error), "refused", "The authority refuses")
            except NotShown as error:
                self.gone(str(error), "another ledger", "Not the ledger of before", timeout=_STAYS)
            await asyncio.sleep(wait)
            wait = min(wait * 2, _LONGEST_WAIT)

    def tell_on(self) -> None:
        """Tell what came meanwhile, once what was told before has been looked at.

        However fast things change, what is on screen is read to its end, and then anew. A console
        that is ending has taken its screens apart.
        """
        busy = any(
            each.group in _LOOKING and not each.is_finished and not each.is_cancelled
            for each in self.workers
        )
        if self._untold is not None and self.signed_in and self.is_running and not busy:
            size, self._untold = self._untold, None
            self.tell(size)

    def tell(self, size: int) -> None:
        """Tell every screen, what is below included, that the ledger has grown."""
        for screen in self.screen_stack:
            if isinstance(screen, Listener):
                screen.heard(size)

    def _say_it_is_shorter(self, before: int, now: int) -> None:
        self.notify(
            f"It had {before:,} entries and has {now:,}: what was written last is gone, as after "
            "an old backup was put back. Tell an administrator before you decide.",
            title="The ledger is shorter than it was",
            severity="error",
            timeout=_STAYS,
        )

    def gone(
        self,
        why: str,
        how: str = "away",
        title: str = "The authority is away",
        timeout: float | None = None,
    ) -> None:
        """The authority does not answer, or does not answer this person, or is not the same."""
        if not self.live.startswith(how):
            self.live = f"{how} since {words.now().astimezone():%H:%M}"
            self.notify(why, title=title, severity="warning", timeout=timeout, markup=False)
