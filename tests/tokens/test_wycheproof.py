"""Wycheproof's public vectors, and the judge of them itself: it tells right from wrong."""

import json
from pathlib import Path

import pytest

from tests.tokens.test_interop import RFC_7515_JWS, RFC_7515_KEY
from tests.tokens.wycheproof import judge

VECTORS = Path(__file__).with_name("vectors")


@pytest.mark.parametrize(
    ("name", "counted"),
    [
        ("json_web_signature_test", {"valid": 10, "valid, not ours": 36, "invalid": 355}),
        ("json_web_key_test", {"valid": 1, "valid, not ours": 4, "invalid": 21}),
    ],
)
def test_every_public_vector_is_judged_as_it_should_be(name: str, counted: dict[str, int]) -> None:
    """RFC 8725: what is invalid is refused, and so is what is valid and none of our algorithms."""
    wrong, counts = judge(VECTORS / f"{name}.json")
    assert wrong == []
    assert counts == counted


def _vectors(path: Path, *tests: tuple[object, str]) -> Path:
    listed = [
        {"tcId": number, "comment": "made here", "jws": token, "result": result}
        for number, (token, result) in enumerate(tests, 1)
    ]
    group = {"comment": "es256", "public": {**RFC_7515_KEY, "alg": "ES256"}, "tests": listed}
    path.write_text(json.dumps({"testGroups": [group]}))
    return path


def test_right_judgements_are_counted(tmp_path: Path) -> None:
    tests: list[tuple[object, str]] = [
        (RFC_7515_JWS, "valid"),
        (RFC_7515_JWS + "=", "invalid"),
        ({}, "invalid"),
    ]
    wrong, counts = judge(_vectors(tmp_path / "vectors", *tests))
    assert wrong == []
    assert counts == {"valid": 1, "valid, not ours": 0, "invalid": 2}


def test_wrong_judgements_are_named(tmp_path: Path) -> None:
    wrong, _ = judge(
        _vectors(tmp_path / "vectors", (RFC_7515_JWS, "invalid"), (RFC_7515_JWS + "=", "valid"))
    )
    assert wrong == ["1 es256: made here (invalid)", "2 es256: made here (valid)"]
