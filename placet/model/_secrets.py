"""Whether a text looks like a secret: what registry, inventories and tools must not say (I7)."""

import math
import re
from collections import Counter

_KNOWN = re.compile(
    r"-----BEGIN [A-Z ]*PRIVATE KEY|\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}\.|\bgh[pousr]_\w{20,}"
    r"|\bgithub_pat_\w{20,}|\bglpat-[\w-]{16,}|\b[sr]k_live_\w{16,}|\bxox[abprs]-[\w-]{10,}"
    r"|\bAIza[\w-]{30,}|\bnpm_\w{30,}|://[^/\s:@]*:[^/\s@]+@"
)
_SHORTEST = 15
"""Letters of the shortest known secret, but for a password in an address or after its name."""
_NAMED = re.compile(
    r"(?:pass(?:word|wd|phrase)|pwd|secret|token|api[_-]?key)[\"']?\s{0,3}=\s{0,3}[\"']?"
    r"(?![$<{*])[^\s\"',;&]{6,}"  # those stand for a secret that is elsewhere
    r"|pass(?:word|wd|phrase)\s{0,3}:\s{0,3}[\"']?"
    r"(?=\S{0,99}[0-9])(?=\S{0,99}[a-z])[^\s\"',;&]{6,}",
    re.IGNORECASE,
)
_HEX_KEY = re.compile(
    r"(?<![\w:/-])(?=[0-9]{0,63}[a-f])(?:[0-9a-f]{16}){2,4}(?![\w-])", re.IGNORECASE
)
"""By itself: after a colon, slash or hyphen it is the rest of a digest, a path or an id."""
_LONG_WORD = re.compile(r"[A-Za-z0-9+/_-]{32,}={0,2}")
_BITS = 4.2
"""Entropy of a letter: hexadecimal digests and words stay below, random base64 does not."""


def looks_secret(text: str, *, is_id: bool = False) -> bool:
    """Whether a text has the form of a known kind of secret, or a long random word.

    Where an id is expected, hexadecimal digits are one.
    """
    if len(text) < _SHORTEST and "://" not in text and "=" not in text:
        return False
    if _KNOWN.search(text) or _NAMED.search(text):
        return True
    if not is_id and _HEX_KEY.search(text):
        return True
    return any(map(_is_random, _LONG_WORD.findall(text)))


def _is_random(word: str) -> bool:
    counts = Counter(word).values()
    bits = -sum(count / len(word) * math.log2(count / len(word)) for count in counts)
    mixed = all(re.search(kind, word) for kind in ("[a-z]", "[A-Z]", "[0-9]"))
    return mixed and bits > _BITS
