"""Looking for tokens where none may be (invariant I7).

The needle is the signature: without it a token is worth nothing, and it is nowhere else by chance.
Either half of it is enough, since one may be cut off. It is looked for as it stands, escaped for
URLs or JSON, across line breaks and NUL bytes (UTF-16), and inside base64 of anything around it.
Compressed, encrypted or twice-wrapped data is out of reach: this guard catches mistakes, and the
proof of possession makes a stolen token useless.
"""

import base64
import re
from collections.abc import Iterable, Iterator
from urllib.parse import unquote_to_bytes

MIN_SECRET_CHARS = 16  # anything shorter would be found by chance

_JSON_ESCAPE = re.compile(rb"\\u([0-9A-Fa-f]{4})|\\[nrt]|\\(.)", re.DOTALL)
_BREAKS = bytes.maketrans(b"", b""), b" \t\r\n\0"


def find_token(data: bytes | str, tokens: Iterable[str]) -> bool:
    """Whether any of the tokens, or a half of its signature, is in the data.

    Args:
        data: what is about to leave.
        tokens: compact JWS, or other secrets, which are looked for as a whole.

    Raises:
        ValueError: a token is too short to be told from chance.
    """
    haystack = data.encode("utf-8", "surrogatepass") if isinstance(data, str) else data
    needles = [spelling for token in tokens for spelling in _spellings(token)]
    return bool(needles) and any(
        needle in reading for reading in _readings(haystack) for needle in needles
    )


def _spellings(token: str) -> Iterator[bytes]:
    for part in _distinctive(token):
        secret = part.encode("utf-8", "surrogatepass")
        yield secret
        for alignment in range(3):
            # What base64 makes of the secret alone, whatever stands before and after it.
            wrapped = base64.b64encode(bytes(alignment) + secret)
            first = (0, 2, 3)[alignment]
            inner = wrapped[first : (alignment + len(secret)) // 3 * 4]
            yield inner
            yield inner.translate(bytes.maketrans(b"+/", b"-_"))


def _distinctive(token: str) -> tuple[str, ...]:
    signature = token.rpartition(".")[2] if token.count(".") == 2 else token
    if len(signature) < MIN_SECRET_CHARS:
        raise ValueError(f"a secret has at least {MIN_SECRET_CHARS} characters")
    half = len(signature) // 2
    return (signature[:half], signature[half:]) if half >= 2 * MIN_SECRET_CHARS else (signature,)


def _readings(data: bytes) -> Iterator[bytes]:
    """The data as it stands, and with each layer of escaping taken off."""
    yield data
    readings = [data]
    if b"\\" in data:
        readings.append(_JSON_ESCAPE.sub(_unescape, data))
    readings += [unquote_to_bytes(reading) for reading in readings if b"%" in reading]
    for reading in readings:
        yield reading
        joined = reading.translate(*_BREAKS)
        if len(joined) != len(reading):
            yield joined


def _unescape(match: re.Match[bytes]) -> bytes:
    if match[1]:
        return chr(int(match[1], 16)).encode("utf-8", "surrogatepass")
    return match[2] or b"\n"
