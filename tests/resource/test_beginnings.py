"""A guard that could judge no request does not begin."""

import ssl

import pytest

from placet.resource import Guard
from placet.tokens import SigningKey

ISSUER = "https://placet.bank.internal"
URL = "https://crm.bank.internal"
KEY = SigningKey.generate()
TLS = ssl.create_default_context()


@pytest.mark.parametrize(
    ("system", "issuer", "url", "said"),
    [
        ("crm", f"{ISSUER}/", URL, "issuer: '.*internal/' is no authority's address: http"),
        ("crm", f" {ISSUER}", URL, "issuer: .* is no authority's address"),
        ("crm", "placet.bank.internal", URL, "issuer: .* is no authority's address"),
        ("crm", "http://placet.bank.internal", URL, "issuer: .* without TLS: https:// is meant"),
        ("crm", "http://127.0.0.1.evil", URL, "issuer: .* without TLS: https:// is meant"),
        ("Crm", ISSUER, URL, "system: 'Crm' is no system's name: lower case"),
        ("urn:placet:system:crm", ISSUER, URL, "system: .* is no system's name"),
        ("crm", ISSUER, "crm.bank.internal", "url: 'crm.bank.internal' is no system's address"),
    ],
)
def test_what_can_not_be_right_is_refused_in_one_line(
    system: str, issuer: str, url: str, said: str
) -> None:
    """I12: otherwise each grant is refused, and each answer of the authority is none."""
    with pytest.raises(ValueError, match=said) as caught:
        Guard(system, issuer, url, KEY, tls=TLS)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("issuer", [ISSUER, "http://127.0.0.1:8600", "http://localhost:8600"])
def test_what_can_be_right_begins(issuer: str) -> None:
    """An authority on the same machine may be asked in clear; a system may have a path."""
    assert Guard("crm", issuer, f"{URL}/records/", KEY, tls=TLS).system == "crm"
    assert Guard("crm", "http://placet:8600", URL, KEY).system == "crm"
