"""What the ledger's verification raises.

::

    LedgerError
    ├── EntryError   an entry is not one, or not in its canonical form
    ├── NoteError    a signed note, head or key is malformed, or no trusted signature holds
    ├── ProofError   an inclusion or consistency proof does not hold
    ├── LogError     a log does not add up; the message names the first wrong place
    └── ForkError    a head does not extend one that was kept; the message names both
"""


class LedgerError(Exception):
    """Something of the ledger does not hold."""


class EntryError(LedgerError):
    """An entry is malformed, too large, or not in canonical form."""


class NoteError(LedgerError):
    """A signed note is malformed, or no trusted signature holds."""


class ProofError(LedgerError):
    """A proof does not hold."""


class LogError(LedgerError):
    """A log does not add up."""


class ForkError(LedgerError):
    """A log's head does not extend one that was kept: its past was changed, or it has shrunk."""
