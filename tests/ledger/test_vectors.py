"""Vectors that others made: proofs (transparency-dev/merkle), notes and cosignatures (C2SP)."""

import base64
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from placet.ledger import (
    NoteError,
    NoteVerifier,
    ProofError,
    WitnessVerifier,
    open_cosigned,
    open_note,
    verify_consistency,
    verify_inclusion,
)

_VECTORS = json.loads((Path(__file__).parent / "vectors" / "merkle.json").read_text("utf-8"))

# Held by others, but its roots are no hashes (they say "don't care"), and ours must be.
_REFUSED = {"additional/sizes-are-equal-one-and-proof-is-empty"}


def _of(kind: str) -> list[Any]:
    return [pytest.param(each, id=each["name"]) for each in _VECTORS[kind]]


def _bytes(text: str | None) -> bytes:
    return base64.b64decode(text or "")


def _proof(vector: dict[str, Any]) -> list[bytes]:
    return [_bytes(each) for each in vector["proof"] or ()]


@pytest.mark.parametrize("vector", _of("inclusion"))
def test_inclusion_proofs_are_judged_as_others_judge_them(vector: dict[str, Any]) -> None:
    """I8: 98 proofs, good and bent."""

    def verify() -> None:
        leaf, root = _bytes(vector["leafHash"]), _bytes(vector["root"])
        verify_inclusion(leaf, vector["leafIdx"], vector["treeSize"], _proof(vector), root)

    if vector["wantErr"]:
        with pytest.raises(ProofError):
            verify()
    else:
        verify()


@pytest.mark.parametrize("vector", _of("consistency"))
def test_consistency_proofs_are_judged_as_others_judge_them(vector: dict[str, Any]) -> None:
    """I8: 98 proofs, good and bent."""

    def verify() -> None:
        roots = _bytes(vector["root1"]), _bytes(vector["root2"])
        verify_consistency(vector["size1"], vector["size2"], _proof(vector), *roots)

    if vector["wantErr"] or vector["name"] in _REFUSED:
        with pytest.raises(ProofError):
            verify()
    else:
        verify()


_EXAMPLE = (
    "This is an example message.\n"
    "\n"
    "\u2014 example.com/foo Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2ONncAlTgK7Ztg1ERYNZXsYjOBH3mFXmRKuwHjG1Yu72IneyaQM=\n"
)
"""The example of C2SP signed-note."""


def test_the_example_of_the_format_holds() -> None:
    key = NoteVerifier.from_vkey(
        "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k"
    )
    assert open_note(_EXAMPLE, [key]) == ("This is an example message.\n", ("example.com/foo",))


# A head of a public log as five witnesses cosigned it, with the vkey of one of them that publishes
# its own, and the Ed25519 key that the log signs with.
_HEAD = (
    "arche2025h1.staging.ct.transparency.dev\n"
    "1432088532\n"
    "U7WM79jrzyhGZ5/GUBTpM7NzwdyfFx61t3RovgcC4Ro=\n"
    "\n"
    "\u2014 arche2025h1.staging.ct.transparency.dev zTM8sQAAAZ5W0WdjBAMARjBEAiBjW5IQf9pvsYLfQFX6hoGREPMHbdQ3urbllzalApkptQIgIpwtEroeW2BXaHAI4kJXFbon5Ch9MNL5zRNZ55lvGt0=\n"
    "\u2014 arche2025h1.staging.ct.transparency.dev ui8GwCF1+kWqZrxGdhj4aX3gcw7XUlXQQabg/27lefwhUkzbC3NygNI75MdhL1bfTW9g8Ei59RA23oHP7Ry1k3ZFWwQ=\n"
    "\u2014 transparency.dev/DEV:witness-little-garden 2AQqhwAAAABqEiEgzgFIqqhbUoDwjMWE6UP8nd8/KYTzwZ2rhIgcqoXHAwVkjZr4AscylP3v7sEodkRAErumC2q44vdgJY096st5BQ==\n"
    "\u2014 witness1.smartit.nu/witness1 pIyCDwAAAABqEiEghIp82KWebrw7/oHQwlTAm3g2RKS4+eebl8eO0WH+/iEcxZ75W3u5hNI7TOQtmJbqmNWVuE0tgh0XwzdZsDsUAQ==\n"
    "\u2014 remora.n621.de 2net5wAAAABqEiEgPlfF3V06o0Y+fHM+J5J9s27wgxxcOVSpZ/2g/KSiXCg9DEZI+aVCIobWX9sXTynk5XeU/zZ0WBxtqB0DrAWfBw==\n"
    "\u2014 witness.stagemole.eu Z/euoAAAAABqEiEgw0i+7g2ENfDAWHmtRzCfKTHSDwYDJA2NmKeGi9Y8FtEyOUvVr+AJmIY/2TUFucgKi7lI7cUiOvKFYe/TmN9DAg==\n"
)
_REMORA = "remora.n621.de+da77ade7+BOvN63jn/bLvkieywe8R6UYAtVtNbZpXh34x7onlmtw2"


class _Unchecked:
    """The log's own signature is of a kind that only certificate logs have (RFC 6962's)."""

    name = "arche2025h1.staging.ct.transparency.dev"
    key_hash = bytes.fromhex("cd333cb1")

    def verify(self, text: str, signature: bytes) -> None:
        """Believe it."""


def test_a_public_witness_of_a_public_log_is_believed() -> None:
    """I8: a cosignature that another implementation made holds, with its time."""
    witness = WitnessVerifier.from_vkey(_REMORA)
    assert witness.vkey == _REMORA
    head, (held,) = open_cosigned(_HEAD, _Unchecked(), [witness])
    assert (head.size, held.name) == (1_432_088_532, "remora.n621.de")
    assert held.time == datetime.fromtimestamp(0x6A122120, UTC)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("1432088532", "1432088533"),
        ("U7WM", "U7WN"),
        ("\n\n", "\nextension\n\n"),
        ("qEiEgPl", "qEiEhPl"),
    ],
    ids=["size", "root", "extension", "time"],
)
def test_a_changed_head_is_not_what_the_witness_saw(old: str, new: str) -> None:
    """I8: size, root, extensions and time are all under the cosignature."""
    assert old in _HEAD
    with pytest.raises(NoteError, match=r"remora\.n621\.de does not hold"):
        open_cosigned(
            _HEAD.replace(old, new, 1), _Unchecked(), [WitnessVerifier.from_vkey(_REMORA)]
        )


def test_kinds_of_keys_are_kept_apart() -> None:
    """A witness's key is no log's key, whoever's it is."""
    with pytest.raises(NoteError, match="type"):
        NoteVerifier.from_vkey(_REMORA)
    with pytest.raises(NoteError, match="type"):
        WitnessVerifier.from_vkey(
            "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k"
        )
