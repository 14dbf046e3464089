"""The past of a bundle's log, as far as someone who signed anything in it had it in sight (I8).

Whoever signs puts the head into it that their tool was shown. For the size of each such head a
bundle has the consistency proof (RFC 9162 section 2.1.4) to its own head. These proofs have most
of their hashes in common: ``heads.json`` has each once, in the order of their first use, and the
proofs name them by their places.
"""

import base64
import contextlib
import json
from collections.abc import Iterator, Mapping
from typing import Any

from placet.audit._files import LogFiles
from placet.ledger import Checkpoint, LedgerError, split_note
from placet.tokens import TokenError, claimed_head

HEADS = "heads.json"


def seen_sizes(files: LogFiles) -> set[int]:
    """The sizes of the heads of this log that are in what was signed; none of it is verified.

    Every entry must be a JSON object, and its data.
    """
    found: set[int] = set()
    for word in _signed(files):
        with contextlib.suppress(TokenError, LedgerError):  # it is told where it is verified
            note = claimed_head(word)
            if note is not None:
                head = Checkpoint.parse(split_note(note)[0])
                found |= {head.size} if head.origin == files.origin else set()
    return found


def spell_past(past: Mapping[int, tuple[bytes, ...]]) -> dict[str, Any]:
    """The proofs for each size, as ``heads.json`` has them."""
    places: dict[bytes, int] = {}
    heads = [
        {"size": size, "proof": [places.setdefault(each, len(places)) for each in past[size]]}
        for size in sorted(past)
    ]
    return {"hashes": [base64.b64encode(each).decode() for each in places], "heads": heads}


def read_past(told: Mapping[str, Any]) -> dict[int, tuple[bytes, ...]]:
    """What :func:`spell_past` made.

    Raises:
        KeyError, TypeError, ValueError: it did not make this.
    """
    hashes = dict(enumerate(base64.b64decode(each, validate=True) for each in told["hashes"]))
    return {each["size"]: tuple(hashes[at] for at in each["proof"]) for each in told["heads"]}


def _signed(files: LogFiles) -> Iterator[str]:
    """Every word in which there may be a head: acts, decisions, settlements."""
    for act in files.acts.values():
        yield act.jws
    for view in files.checkpoints.values():
        for decision in view.decisions:
            yield decision.jws
    for data in files.entries:
        if b'"settlement":' in data:
            word = json.loads(data).get("data", {}).get("settlement")
            if isinstance(word, str):
                yield word
