"""The passphrase over the keys in the store, and the one that it takes the place of."""

from collections.abc import Iterator
from dataclasses import dataclass, field


class WrongPassphrase(Exception):
    """The authority's keys in the store are under another passphrase."""


@dataclass(frozen=True)
class Passphrases:
    """``now`` wraps, and opens; what is still under ``before`` opens with that."""

    now: bytes = field(repr=False)
    before: bytes | None = field(default=None, repr=False)

    @classmethod
    def of(cls, now: str, before: str | None = None) -> "Passphrases":
        """Those that are spelled like this."""
        return cls(now.encode(), None if before is None else before.encode())

    def all(self) -> Iterator[bytes]:
        """What may open a key, the likeliest first."""
        yield self.now
        if self.before is not None:
            yield self.before

    def wrong(self, which: str) -> str:
        """What to say where none of them opens a key."""
        said = f"the {which} keys in the database are under another passphrase; "
        if self.before is None:
            return f"{said}set PLACET_AUTHORITY_KEY_PASSPHRASE to the one they were made with"
        return (
            f"{said}neither PLACET_AUTHORITY_KEY_PASSPHRASE nor "
            "PLACET_AUTHORITY_KEY_PASSPHRASE_BEFORE is the one they were made with"
        )
