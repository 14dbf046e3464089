"""The public face of placet.tokens, pinned: a change here is a change of interface."""

from placet import tokens

FACE = """
ACT CLIENT_ASSERTION CLOCKS_APART DECISION ENROLMENT FRESH GRANT INQUIRY KINDS MAX_TOKEN_CHARS PROOF PROOF_MAX_AGE ROTATION
SESSION SESSION_LIFETIME SETTLEMENT SHORT_LIFETIME SIGN_IN SKEW USE
Algorithm BadSignature ClientAssertionClaims Confirmation EnrolmentClaims Expired GrantClaims IdTokenClaims InquiryClaims
KeyFileError KeyRefused KeyRule Keys LifetimeTooLong Malformed MissingClaim NonceMismatch
NotYetValid PassphraseNeeded Proof ProofClaims ProofMismatch PublicKey RefusedAlgorithm
SessionClaims SignInClaims Signer
SigningKey TokenError TokenKind TooOld UnknownKey Verified WrongAudience WrongIssuer WrongKind
by_kid claimed_head claimed_issuer find_token invitation_key make_client_assertion make_proof make_sign_in normalise_url
numeric_date read_jwks read_key_file sign_act sign_decision sign_enrolment sign_grant sign_inquiry sign_jws
sign_rotation sign_session sign_settlement sign_use spell_jwks token_hash verify_act verify_client_assertion verify_decision verify_enrolment verify_grant
verify_id_token verify_inquiry verify_jws verify_proof verify_rotation verify_session verify_settlement verify_sign_in verify_use
verify_workload_token write_key_file
""".split()


def test_the_face_is_what_it_was() -> None:
    assert tokens.__all__ == FACE


def test_everything_named_is_there() -> None:
    for name in tokens.__all__:
        assert hasattr(tokens, name)
