"""Why a token, a proof or a key is refused.

::

    TokenError
    ├── Malformed             not strict compact JWS, JSON, or a claim of the wrong form
    │   └── MissingClaim      a claim that this kind must have is not there
    ├── WrongKind             another kind of token (``typ``)
    ├── RefusedAlgorithm      ``alg`` not allowed for this kind, or not this key's
    ├── UnknownKey            no key of the sender answers to the token's ``kid``
    ├── BadSignature          the signature does not hold
    ├── WrongIssuer           ``iss`` (or ``sub``) is someone else
    ├── WrongAudience         ``aud`` is someone else
    ├── NotYetValid           ``nbf`` or ``iat`` lies in the future
    ├── Expired               ``exp`` has passed
    ├── TooOld                ``iat`` lies further back than this kind may
    ├── LifetimeTooLong       valid for longer than this kind may be
    └── ProofMismatch         a proof of possession for another request, token or key
        └── NonceMismatch     the proof lacks the nonce that the server asked for
    KeyRefused                a key that is not what it has to be (JWK, PEM)
    KeyFileError              a key file that can't be read or written safely

Messages say what was found and what was expected; none carries a part of a token or a private
key, so they may be logged and answered (invariant I7). A refused JWK inside a proof is
``Malformed``; ``KeyRefused`` is for keys that come by themselves.
"""


class TokenError(Exception):
    """A token that is refused. Every verifying function raises this tree and nothing else."""


class Malformed(TokenError):
    """Not strict compact JWS, not strict JSON, or a claim of the wrong form."""


class MissingClaim(Malformed):
    """A claim that this kind of token must have is not there."""


class WrongKind(TokenError):
    """Another kind of token: its ``typ`` is not this kind's (RFC 8725 section 3.11)."""


class RefusedAlgorithm(TokenError):
    """``alg`` is not allowed for this kind, or not the key's own (RFC 8725 section 3.1)."""


class UnknownKey(TokenError):
    """No key that the sender may use answers to the token's ``kid``."""


class BadSignature(TokenError):
    """The signature does not hold under the key."""


class WrongIssuer(TokenError):
    """``iss`` or ``sub`` names someone else than expected (RFC 8725 section 3.8)."""


class WrongAudience(TokenError):
    """``aud`` names someone else (RFC 8725 section 3.9)."""


class NotYetValid(TokenError):
    """``nbf`` or ``iat`` lies in the future, beyond the allowed clock skew."""


class Expired(TokenError):
    """``exp`` has passed."""


class TooOld(TokenError):
    """``iat`` lies further back than this kind of token may."""


class LifetimeTooLong(TokenError):
    """The token is valid for longer than its kind may be."""


class ProofMismatch(TokenError):
    """A proof of possession for another request, token or key (RFC 9449 section 4.3)."""


class NonceMismatch(ProofMismatch):
    """The proof lacks the nonce that the server asked for (answer with ``use_dpop_nonce``)."""


class KeyRefused(Exception):
    """A key that is not what it has to be."""


class KeyFileError(Exception):
    """A key file that can't be read or written safely; the message says what to do."""


class PassphraseNeeded(KeyFileError):
    """A key file is encrypted, and no passphrase was given."""
