"""How a payload fails to open.

::

    PayloadError                 it is damaged, of another case, or under another key
    └── UnknownPayloadKey        the ring has no such key (any more), or not for its readers
"""


class PayloadError(Exception):
    """A payload can't be opened; the message names the case and the key, never a secret."""


class UnknownPayloadKey(PayloadError):
    """The ring has no key for this payload."""
