"""Each proof of possession counts once (RFC 9449 section 11.1).

1. Of requests with the same proof one is taken, however many come at once.
2. A proof is remembered for as long as it could be accepted.
3. (I12) When there is no room to remember another one, it is neither taken nor called a replay.

:class:`ProcessReplayCache` is one process's own memory. A system that runs as several processes
shares :class:`placet.resource.shared.SharedReplayCache`, or a proof is taken once in each.
"""

from datetime import datetime
from typing import Protocol

from placet.resource._errors import BadToken, CannotJudge
from placet.tokens import PROOF_MAX_AGE, SKEW, Proof

MAX_PROOFS = 100_000
"""At most 45 MB, and 1400 requests a second for as long as a proof must be remembered."""

REMEMBERED = PROOF_MAX_AGE + 2 * SKEW
"""A proof may be dated ahead by the skew, and is taken until it is too old by the skew."""


class ReplayCache(Protocol):
    """Where used proofs are remembered."""

    async def use(self, proof: Proof, now: datetime) -> None:
        """Use up a proof, once among all that share this memory.

        Raises:
            BadToken: it was used before.
            CannotJudge: whether it was can't be told, or it can't be remembered.
        """
        ...


def used_before() -> BadToken:
    """The refusal of a proof that was used before."""
    return BadToken("invalid_dpop_proof", "this proof was used before; make a new one")


class ProcessReplayCache:
    """The proofs that were used in this process, oldest first."""

    def __init__(self) -> None:
        self._until: dict[tuple[str, str], datetime] = {}

    async def use(self, proof: Proof, now: datetime) -> None:
        """Use up a proof; nothing is awaited, so that no other request comes in between.

        Raises:
            BadToken: it was used before.
            CannotJudge: there is no room to remember it.
        """
        self._forget(now)
        key = (proof.jkt, proof.jti)
        if key in self._until:
            raise used_before()
        if len(self._until) >= MAX_PROOFS:
            raise CannotJudge("too many requests just now; send this one again with a new proof")
        self._until[key] = now + REMEMBERED

    def _forget(self, now: datetime) -> None:
        """Forget what has ended; each is looked at once, and the first that lives ends the look."""
        while self._until:
            oldest = next(iter(self._until))
            if self._until[oldest] >= now:
                return
            del self._until[oldest]
