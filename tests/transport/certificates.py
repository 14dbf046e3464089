"""Certificates made on the fly: an authority of a test's own, and what it signs."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
)
from cryptography.x509.oid import NameOID

DAY = timedelta(days=1)


@dataclass(frozen=True)
class Pair:
    """A certificate and its key, in files."""

    certificate: Path
    key: Path
    serial: int
    ends: datetime


class Authority:
    """Signs certificates, into files of a folder."""

    def __init__(self, folder: Path, name: str = "a test's own") -> None:
        self._folder = folder
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._count = 0
        made = self._builder(self._name, self._key.public_key(), 1).add_extension(
            x509.BasicConstraints(ca=True, path_length=0), critical=True
        )
        self.file = folder / f"{name.replace(' ', '-')}.pem"
        self.file.write_bytes(self._sign(made))

    def issue(
        self,
        name: str,
        *,
        until: timedelta = DAY,
        address: str = "127.0.0.1",
        name_too: str | None = None,
        passphrase: str | None = None,
    ) -> Pair:
        """A certificate for a process at an address; ``until`` may have passed."""
        self._count += 1
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        made = self._builder(subject, key.public_key(), self._count + 1, until).add_extension(
            x509.SubjectAlternativeName(
                [
                    x509.IPAddress(ip_address(address)),
                    *([] if name_too is None else [x509.DNSName(name_too)]),
                ]
            ),
            critical=False,
        )
        signed = self._sign(made)
        pair = Pair(
            self._folder / f"{name}-{self._count}.pem",
            self._folder / f"{name}-{self._count}.key",
            self._count + 1,
            x509.load_pem_x509_certificate(signed).not_valid_after_utc,
        )
        pair.certificate.write_bytes(signed)
        how = NoEncryption() if passphrase is None else BestAvailableEncryption(passphrase.encode())
        pair.key.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, how))
        return pair

    def _builder(
        self,
        subject: x509.Name,
        key: ec.EllipticCurvePublicKey,
        serial: int,
        until: timedelta = DAY,
    ) -> x509.CertificateBuilder:
        now = datetime.now(UTC)
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._name)
            .public_key(key)
            .serial_number(serial)
            .not_valid_before(now - 3 * DAY)
            .not_valid_after(now + until)
        )

    def _sign(self, made: x509.CertificateBuilder) -> bytes:
        return made.sign(self._key, hashes.SHA256()).public_bytes(Encoding.PEM)
