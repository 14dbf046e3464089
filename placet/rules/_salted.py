"""The digest of what is kept beside the ledger: SHA-256 of salt and bytes."""

import base64

from placet.model import Digest, Salt, digest_bytes


def salted_digest(salt: Salt, content: bytes) -> Digest:
    """The digest of the salt's 32 bytes followed by ``content``."""
    return digest_bytes(base64.urlsafe_b64decode(salt + "=") + content)
