"""Each proof of possession counts once (RFC 9449 section 11.1).

1. Of requests with the same proof one is taken, however many come at once.
2. A proof is remembered for as long as it could be accepted.
3. (I12) When there is no room to remember another one, it is neither taken nor called a replay.

The memory is this process's own: a system that runs as several processes takes a proof once in
each, and its guarded actions must count once by themselves (I11).
"""

from datetime import datetime

from placet.resource._errors import BadToken, CannotJudge
from placet.tokens import PROOF_MAX_AGE, SKEW, Proof

MAX_PROOFS = 100_000
"""At most 45 MB, and 1400 requests a second for as long as a proof must be remembered."""

# A proof may be dated ahead by the skew, and is taken until it is too old by the skew.
_REMEMBERED = PROOF_MAX_AGE + 2 * SKEW


class ReplayCache:
    """The proofs that were used, oldest first."""

    def __init__(self) -> None:
        self._until: dict[tuple[str, str], datetime] = {}

    def use(self, proof: Proof, now: datetime) -> None:
        """Use up a proof.

        Raises:
            BadToken: it was used before.
            CannotJudge: there is no room to remember it.
        """
        self._forget(now)
        key = (proof.jkt, proof.jti)
        if key in self._until:
            raise BadToken("invalid_dpop_proof", "this proof was used before; make a new one")
        if len(self._until) >= MAX_PROOFS:
            raise CannotJudge("too many requests just now; send this one again with a new proof")
        self._until[key] = now + _REMEMBERED

    def _forget(self, now: datetime) -> None:
        """Forget what has ended; each is looked at once, and the first that lives ends the look."""
        while self._until:
            oldest = next(iter(self._until))
            if self._until[oldest] >= now:
                return
            del self._until[oldest]
