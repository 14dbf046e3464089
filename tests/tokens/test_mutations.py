"""Every kind of token, changed in every way we could think of: refused, and for the right reason.

The changes are those of RFC 8725, and of the public JOSE vectors (Wycheproof).
"""

import base64
import hashlib
import hmac
import json
from collections.abc import Callable

import pytest

from placet.tokens import (
    KINDS,
    BadSignature,
    Malformed,
    MissingClaim,
    PublicKey,
    RefusedAlgorithm,
    TokenError,
    UnknownKey,
    WrongAudience,
    WrongIssuer,
    WrongKind,
    by_kid,
    verify_client_assertion,
    verify_sign_in,
)
from placet.tokens._encoding import encode_base64url
from tests.tokens.samples import (
    AGENT,
    AGENT_KEY,
    ISSUER,
    NOW,
    OPERATOR,
    OPERATOR_KEY,
    RSA_KEY,
    SAMPLES,
    STRANGER_KEY,
    Sample,
    read_part,
    resign,
    sign_raw,
)

ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
Mutation = Callable[[Sample], str]


def _parts(sample: Sample) -> list[str]:
    return sample.token.split(".")


def _unused_bits(part: str) -> str:
    """Another spelling of the same bytes, where the last character has bits to spare."""
    assert len(part) % 4, "no bits to spare"
    return part[:-1] + ALPHABET[ALPHABET.index(part[-1]) + 1]


def _signed_with_text(header: str | None, payload: str | None) -> Mutation:
    """Re-sign with a part as raw text, in which ``{}`` stands for the members as they were."""

    def mutate(sample: Sample) -> str:
        texts: list[str] = []
        for index, text in enumerate((header, payload)):
            members = json.dumps(read_part(sample.token, index))[1:-1]
            texts.append("{" + members + "}" if text is None else text.replace("{}", members))
        return sign_raw(texts[0], texts[1], sample.key)

    return mutate


def _alg(name: object) -> Mutation:
    return lambda sample: resign(sample, {"alg": name})


def _header(**members: object) -> Mutation:
    return lambda sample: resign(sample, dict(members))


def _hmac_with_public_key(sample: Sample) -> str:
    """The classic: the public key's text as the secret of HS256."""
    header = {**read_part(sample.token, 0), "alg": "HS256"}
    signed = f"{encode_base64url(json.dumps(header).encode())}.{_parts(sample)[1]}"
    secret = json.dumps(sample.key.public.jwk()).encode()
    mac = hmac.new(secret, signed.encode(), hashlib.sha256).digest()
    return f"{signed}.{encode_base64url(mac)}"


def _json_serialisation(sample: Sample) -> str:
    header, payload, signature = _parts(sample)
    return json.dumps({"protected": header, "payload": payload, "signature": signature})


def _flip_signature(sample: Sample) -> str:
    header, payload, signature = _parts(sample)
    data = bytearray(base64.urlsafe_b64decode(signature + "=="))
    data[20] ^= 1
    return f"{header}.{payload}.{encode_base64url(bytes(data))}"


def _signature(data: bytes) -> Mutation:
    return lambda sample: ".".join([*_parts(sample)[:2], encode_base64url(data)])


def _negative_s(sample: Sample) -> str:
    """Another order for R and S, or halves swapped: never the same signature twice accepted."""
    header, payload, signature = _parts(sample)
    data = base64.urlsafe_b64decode(signature + "==")
    return f"{header}.{payload}.{encode_base64url(data[32:] + data[:32])}"


STRUCTURE: dict[str, tuple[Mutation, type[TokenError]]] = {
    "empty": (lambda _: "", Malformed),
    "two-parts": (lambda s: ".".join(_parts(s)[:2]), Malformed),
    "four-parts": (lambda s: s.token + ".e30", Malformed),
    "five-parts-as-jwe": (lambda s: s.token + ".e30.e30", Malformed),
    "json-serialisation": (_json_serialisation, Malformed),
    "too-large": (lambda s: s.token + "A" * 16_384, Malformed),
    "leading-space": (lambda s: " " + s.token, Malformed),
    "trailing-newline": (lambda s: s.token + "\n", Malformed),
    "space-between-parts": (lambda s: s.token.replace(".", ". ", 1), Malformed),
    "padding-of-signature": (lambda s: s.token + "==", Malformed),
    "padding-of-header": (lambda s: s.token.replace(".", "=.", 1), Malformed),
    "character-outside-the-alphabet": (lambda s: s.token + "?", Malformed),
    "character-beyond-ascii": (lambda s: s.token + "é", Malformed),
    "digit-of-another-script": (lambda s: s.token[:-1] + "٣", Malformed),
    "standard-base64-alphabet": (lambda s: s.token[:-2] + "+/", Malformed),
    "unused-bits-of-signature": (
        lambda s: ".".join([*_parts(s)[:2], _unused_bits(_parts(s)[2])]),
        Malformed,
    ),
    "header-not-json": (_signed_with_text("nonsense", None), Malformed),
    "header-a-list": (_signed_with_text("[]", None), Malformed),
    "header-member-twice": (_signed_with_text('{{},"alg":"ES256"}', None), Malformed),
    "header-byte-order-mark": (_signed_with_text("\ufeff{{}}", None), Malformed),
    "header-deeply-nested": (_signed_with_text("[" * 9000, None), Malformed),
    "payload-empty": (_signed_with_text(None, ""), Malformed),
    "payload-not-an-object": (_signed_with_text(None, '"text"'), Malformed),
    "payload-member-twice": (_signed_with_text(None, '{{},"jti":"0123456789abcdefg"}'), Malformed),
    "payload-member-twice-inside": (_signed_with_text(None, '{{},"x":{"a":1,"a":2}}'), Malformed),
    "payload-not-a-number": (_signed_with_text(None, '{{},"x":NaN}'), Malformed),
    "payload-trailing-garbage": (_signed_with_text(None, "{{}}x"), Malformed),
    "payload-number-of-5000-digits": (
        _signed_with_text(None, '{{},"x":' + "1" * 5000 + "}"),
        Malformed,
    ),
    "payload-deeply-nested": (_signed_with_text(None, '{"x":' + "[" * 9000), Malformed),
    "payload-in-latin-1": (
        lambda s: sign_raw(read_part(s.token, 0), b'{"x":"\xe9"}', s.key),
        Malformed,
    ),
    "payload-in-utf-16": (
        lambda s: sign_raw(
            read_part(s.token, 0), json.dumps(read_part(s.token, 1)).encode("utf-16"), s.key
        ),
        Malformed,
    ),
    "crit-unknown": (_header(crit=["exp"], exp=1), Malformed),
    "crit-empty": (_header(crit=[]), Malformed),
    "b64-false": (_header(b64=False, crit=["b64"]), Malformed),
    "b64-false-not-marked-critical": (_header(b64=False), Malformed),
    "alg-none": (_alg("none"), RefusedAlgorithm),
    "alg-none-in-odd-case": (_alg("nOnE"), RefusedAlgorithm),
    "alg-none-without-signature": (
        lambda s: (
            sign_raw(
                {**read_part(s.token, 0), "alg": "none"}, read_part(s.token, 1), s.key
            ).rpartition(".")[0]
            + "."
        ),
        RefusedAlgorithm,
    ),
    "alg-missing": (_alg(...), RefusedAlgorithm),
    "alg-a-list": (_alg(["ES256"]), RefusedAlgorithm),
    "alg-in-lower-case": (_alg("es256"), RefusedAlgorithm),
    "alg-unknown": (_alg("ES256K"), RefusedAlgorithm),
    "alg-ps256": (_alg("PS256"), RefusedAlgorithm),
    "alg-of-another-key-type": (
        lambda s: resign(s, {"alg": "ES256" if s.key.algorithm == "Ed25519" else "EdDSA"}),
        RefusedAlgorithm,
    ),
    "hmac-with-the-public-key": (_hmac_with_public_key, RefusedAlgorithm),
    "signature-empty": (_signature(b""), BadSignature),
    "signature-all-zero": (_signature(bytes(64)), BadSignature),
    "signature-all-ones": (_signature(b"\xff" * 64), BadSignature),
    "signature-too-short": (_signature(bytes(63)), BadSignature),
    "signature-too-long": (_signature(bytes(65)), BadSignature),
    "signature-in-der": (_signature(bytes.fromhex("3006020101020101")), BadSignature),
    "signature-one-bit-flipped": (_flip_signature, BadSignature),
    "signature-halves-swapped": (_negative_s, BadSignature),
    "typ-of-nothing-known": (_header(typ="jose"), WrongKind),
    "typ-as-a-media-type": (lambda s: resign(s, {"typ": f"application/{_typ(s)}"}), WrongKind),
    "typ-in-upper-case": (lambda s: resign(s, {"typ": _typ(s).swapcase()}), WrongKind),
    "typ-a-number": (_header(typ=1), Malformed),
    "typ-null": (_header(typ=None), Malformed),
}


def _typ(sample: Sample) -> str:
    return str(read_part(sample.token, 0)["typ"])


@pytest.mark.parametrize("kind", SAMPLES)
@pytest.mark.parametrize("mutation", STRUCTURE)
def test_a_changed_token_is_refused(mutation: str, kind: str) -> None:
    mutate, refusal = STRUCTURE[mutation]
    with pytest.raises(refusal):
        SAMPLES[kind].verify(mutate(SAMPLES[kind]))


BARE = [kind.name for kind in KINDS if kind.bare]


@pytest.mark.parametrize("kind", BARE)
def test_what_stands_on_the_ledger_has_no_room_for_anything_else(kind: str) -> None:
    """I7: nothing on it is ever erased, so nobody can sign something else into it on the way."""
    sample = SAMPLES[kind]
    with pytest.raises(Malformed, match="nothing more"):
        sample.verify(resign(sample, {"cty": "Dana Doe, 12 Elm Street"}))
    spaces = sign_raw(
        read_part(sample.token, 0),
        json.dumps(read_part(sample.token, 1), indent=400),
        sample.key,
    )
    assert len(spaces) < 16384
    with pytest.raises(Malformed, match="2048 characters"):
        sample.verify(spaces)
    if "jwk" in read_part(sample.token, 0):
        jwk = {**dict(sample.key.public.members), "x5t": "Dana Doe"}
        with pytest.raises(Malformed):
            sample.verify(resign(sample, {"jwk": jwk}))
        named = {**dict(sample.key.public.members), "kid": "Dana Doe"}
        with pytest.raises(Malformed, match="nothing more"):
            sample.verify(resign(sample, {"jwk": named}))


@pytest.mark.parametrize("kind", SAMPLES)
def test_signing_again_without_a_change_is_accepted(kind: str) -> None:
    """So that the refusals above are for the change and not for the way it was made."""
    SAMPLES[kind].verify(resign(SAMPLES[kind]))
    SAMPLES[kind].verify(_signed_with_text(None, " { {} } ")(SAMPLES[kind]))


BOUND = [name for name in SAMPLES if name not in {"proof", "enrolment"}]
"""The kinds that bring no key: of the others, who takes them compares it with the one it knows."""


@pytest.mark.parametrize("kind", BOUND)
@pytest.mark.parametrize("kid", ["stranger", "", 7, None, ["list"]])
def test_a_kid_that_names_no_key_is_refused(kind: str, kid: object) -> None:
    with pytest.raises((UnknownKey, Malformed)):
        SAMPLES[kind].verify(resign(SAMPLES[kind], {"kid": kid}))


@pytest.mark.parametrize("kind", BOUND)
@pytest.mark.parametrize("member", ["jwk", "jku", "x5u", "x5c"])
def test_a_token_cannot_bring_its_own_key(kind: str, member: str) -> None:
    """A stranger signs under someone's ``kid`` and points at a key of their own."""
    header = {
        **read_part(SAMPLES[kind].token, 0),
        "alg": "ES256",
        member: STRANGER_KEY.public.jwk() if member == "jwk" else "https://stranger.example/keys",
    }
    forged = sign_raw(header, read_part(SAMPLES[kind].token, 1), STRANGER_KEY)
    with pytest.raises((BadSignature, RefusedAlgorithm)):
        SAMPLES[kind].verify(forged)


REQUIRED = {
    "grant": "iss sub aud iat nbf exp jti client_id txn cnf authorization_details",
    "inquiry": "iss aud iat exp jti identifier cnf",
    "session": "iss sub aud iat exp jti cnf",
    "client assertion": "iss sub aud exp jti",
    "sign-in": "iss sub aud iat exp jti",
    "proof": "jti htm htu iat",
    "decision": "iss aud iat jti sub txn evidence_digest requirement_digest verdict",
    "act": "iss aud iat jti act target body_digest",
    "enrolment": "aud iat sub cnf",
    "use": "iss aud iat jti sub details_digest jkt stage action record status used_at",
    "settlement": "iss aud iat sub txn details_digest settlement_digest",
    "key rotation": "iss aud iat sub",
}


@pytest.mark.parametrize(
    ("kind", "claim"),
    [(kind, claim) for kind, names in REQUIRED.items() for claim in names.split()],
)
def test_every_required_claim_is_required(kind: str, claim: str) -> None:
    with pytest.raises(MissingClaim, match=claim):
        SAMPLES[kind].verify(resign(SAMPLES[kind], **{claim: ...}))
    with pytest.raises(Malformed):
        SAMPLES[kind].verify(resign(SAMPLES[kind], **{claim: None}))


@pytest.mark.parametrize("kind", [name for name in SAMPLES if name != "proof"])
def test_issuer_and_audience_are_exact(kind: str) -> None:
    sample = SAMPLES[kind]
    claims = read_part(sample.token, 1)
    others = {
        "urn:placet:system:compliance",
        "https://authority.example.evil",
        str(claims["aud"]) + "/",
    }
    for other in others:
        with pytest.raises((WrongAudience, Malformed)):
            sample.verify(resign(sample, aud=other))
    for several in ([claims["aud"]], [claims["aud"], "urn:placet:system:compliance"], []):
        with pytest.raises(Malformed, match="aud"):
            sample.verify(resign(sample, aud=several))
    for other in ("operator:someone-else", "agent:someone-else", "https://authority.example/"):
        with pytest.raises((WrongIssuer, Malformed)):
            sample.verify(resign(sample, iss=other))


@pytest.mark.parametrize("kind", ["client assertion", "sign-in"])
def test_one_does_not_sign_in_for_another(kind: str) -> None:
    prefix = str(read_part(SAMPLES[kind].token, 1)["sub"]).partition(":")[0]
    with pytest.raises(WrongIssuer):
        SAMPLES[kind].verify(resign(SAMPLES[kind], sub=f"{prefix}:someone-else"))


@pytest.mark.parametrize(
    "kind",
    [name for name in SAMPLES if name not in {"client assertion", "proof"}],
)
def test_what_placet_alone_makes_has_no_unknown_member(kind: str) -> None:
    with pytest.raises(Malformed, match="does not know"):
        SAMPLES[kind].verify(resign(SAMPLES[kind], surprise=1))


@pytest.mark.parametrize("kind", ["client assertion", "proof"])
def test_what_other_libraries_make_may_have_more_members(kind: str) -> None:
    SAMPLES[kind].verify(resign(SAMPLES[kind], surprise=1))


@pytest.mark.parametrize(
    "kind", [name for name in SAMPLES if name not in {"grant", "inquiry", "session"}]
)
def test_agents_and_people_do_not_sign_with_rsa(kind: str) -> None:
    header = {**read_part(SAMPLES[kind].token, 0), "alg": "RS256", "kid": RSA_KEY.thumbprint}
    if kind == "proof":
        header["jwk"] = RSA_KEY.public.jwk()
    with pytest.raises(RefusedAlgorithm):
        SAMPLES[kind].verify(sign_raw(header, read_part(SAMPLES[kind].token, 1), RSA_KEY))


@pytest.mark.parametrize(
    "kind", ["decision", "act", "sign-in", "settlement", "use", "key rotation"]
)
def test_what_is_signed_as_a_word_names_the_key_by_its_thumbprint(kind: str) -> None:
    """I6, I13: a signature is one enrolled key's; without its name it is nobody's."""
    with pytest.raises(UnknownKey):
        SAMPLES[kind].verify(resign(SAMPLES[kind], {"kid": ...}))


def test_a_persons_key_has_no_other_name() -> None:
    """I6: even if whoever looks keys up knows it under a nickname."""
    token = resign(SAMPLES["sign-in"], {"kid": "nickname"})
    keys = {"nickname": OPERATOR_KEY.public}
    with pytest.raises(UnknownKey):
        verify_sign_in(token, keys, operator=OPERATOR, issuer=ISSUER, now=NOW)


def test_a_client_with_one_key_needs_no_kid_and_with_two_it_does() -> None:
    """Plain OAuth libraries write none."""
    token = resign(SAMPLES["client assertion"], {"kid": ...})
    one = by_kid([AGENT_KEY.public])
    verify_client_assertion(token, one, client_id=AGENT, issuer=ISSUER, now=NOW)
    two = by_kid([AGENT_KEY.public, STRANGER_KEY.public])
    none: dict[str, PublicKey] = {}
    for keys in (two, none):
        with pytest.raises(UnknownKey):
            verify_client_assertion(token, keys, client_id=AGENT, issuer=ISSUER, now=NOW)
