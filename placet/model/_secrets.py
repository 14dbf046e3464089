"""Whether a text looks like a secret: what inventories and owners' tools must not say (I7)."""

import math
import re
from collections import Counter

_KNOWN = re.compile(
    r"-----BEGIN [A-Z ]*PRIVATE KEY|\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}\.|\bgh[pousr]_\w{20,}"
    r"|\bgithub_pat_\w{20,}|\bglpat-[\w-]{16,}|\b[sr]k_live_\w{16,}|\bxox[abprs]-[\w-]{10,}"
    r"|\bAIza[\w-]{30,}|\bnpm_\w{30,}|://[^/\s:@]+:[^/\s:@]+@"
)
_SHORTEST = 15
"""Letters of the shortest known secret, but for a password in an address."""
_LONG_WORD = re.compile(r"[A-Za-z0-9+/_-]{32,}={0,2}")
_BITS = 4.2
"""Entropy of a letter: hexadecimal digests and words stay below, random base64 does not."""


def looks_secret(text: str) -> bool:
    """Whether a text has the form of a known kind of secret, or a long random word."""
    if len(text) < _SHORTEST and "://" not in text:
        return False
    return bool(_KNOWN.search(text)) or any(map(_is_random, _LONG_WORD.findall(text)))


def _is_random(word: str) -> bool:
    counts = Counter(word).values()
    bits = -sum(count / len(word) * math.log2(count / len(word)) for count in counts)
    mixed = all(re.search(kind, word) for kind in ("[a-z]", "[A-Z]", "[0-9]"))
    return mixed and bits > _BITS
