"""Why an authority can't start, or not reach what it keeps; each says what to do."""

from placet.authority._bootstrap import NoLog
from placet.authority._custody import SignerAway
from placet.authority._namespace import NamespaceTrouble
from placet.authority._passphrases import WrongPassphrase
from placet.authority._store import StoreError

FORESEEN: tuple[type[Exception], ...] = (
    NamespaceTrouble,
    NoLog,
    SignerAway,
    StoreError,
    WrongPassphrase,
)
