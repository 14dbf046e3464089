"""Invitations: a key in a code that people type, which names the key of whom it invites."""

import hashlib
from datetime import timedelta

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from placet.tokens import (
    SigningKey,
    WrongIssuer,
    invitation_key,
    sign_enrolment,
    verify_enrolment,
)
from tests.tokens.samples import ISSUER, NOW

CODE = "ABCDE-FGHIJ-KLMNO-PQRST"


def test_the_key_in_a_code_is_what_the_reference_says() -> None:
    """docs/reference/people.md: anybody's scrypt makes it."""
    seed = hashlib.scrypt(
        CODE.replace("-", "").encode(),
        salt=b"placet invitation operator:cleo",
        n=16384,
        r=8,
        p=1,
        dklen=32,
    )
    expected = SigningKey.of(Ed25519PrivateKey.from_private_bytes(seed))
    assert invitation_key("operator:cleo", CODE).thumbprint == expected.thumbprint


def test_a_code_is_one_persons_and_hyphens_do_not_count() -> None:
    """I6: the same code for another is another key."""
    cleos = invitation_key("operator:cleo", CODE)
    assert invitation_key("operator:cleo", CODE.replace("-", "")).thumbprint == cleos.thumbprint
    assert invitation_key("operator:cid", CODE).thumbprint != cleos.thumbprint
    assert invitation_key("operator:cleo", CODE[:-1]).thumbprint != cleos.thumbprint


def test_an_enrolment_is_for_one_person_and_one_key() -> None:
    """I6: it comes back with the invitation's key and the new one's thumbprint."""
    invitation, key = invitation_key("operator:cleo", CODE), SigningKey.generate()
    word = sign_enrolment(invitation, "operator:cleo", key.public, audience=ISSUER, now=NOW)
    late = NOW + timedelta(days=3000)
    verified = verify_enrolment(
        word, principal="operator:cleo", audience=ISSUER, now=late, max_age=None
    )
    assert verified.key.thumbprint == invitation.thumbprint
    assert verified.claims.cnf.jkt == key.thumbprint
    with pytest.raises(WrongIssuer, match="not for operator:cid"):
        verify_enrolment(word, principal="operator:cid", audience=ISSUER, now=NOW)
