"""Judge ``placet.tokens`` by Wycheproof's vectors of JSON Web Signatures and Keys.

``python -m tests.tokens.wycheproof FILE``, where FILE is ``json_web_signature_test.json`` or
``json_web_key_test.json`` of the project C2SP/wycheproof (``testvectors_v1``; copies are in
``vectors``). Exit 1 if anything is judged otherwise than it should:

* every vector that is invalid must be refused;
* every valid one must hold whose key and algorithm Placet knows; all other valid ones (HMAC,
  RSA-PSS, larger hashes and curves) must be refused, too.
"""

import json
import sys
from pathlib import Path

from placet.tokens import KeyRefused, PublicKey, TokenError, read_jwks
from placet.tokens._jws import check_signature, parse_jws

OURS = {("EC", "ES256"), ("RSA", "RS256"), ("OKP", "EdDSA"), ("OKP", "Ed25519")}


def holds(jwk: object, token: object) -> bool:
    """Whether a token holds under a key: the judgement that is judged."""
    if not isinstance(token, str):
        return False  # the JSON serialisation, which no function of ours takes
    try:
        jws = parse_jws(token)
        if isinstance(jwk, dict) and "keys" in jwk:  # a set: the one that the header names
            key = read_jwks(jwk)[str(jws.header.get("kid"))]
        else:
            key = PublicKey.from_jwk(jwk)
        check_signature(jws, key)
    except (TokenError, KeyRefused, KeyError):
        return False
    return True


def judge(vectors: Path) -> tuple[list[str], dict[str, int]]:
    """Return what was judged wrongly, and how many vectors there were of each kind."""
    wrong: list[str] = []
    counts = {"valid": 0, "valid, not ours": 0, "invalid": 0}
    for group in json.loads(vectors.read_text("utf-8"))["testGroups"]:
        jwk = group.get("public", group.get("private"))
        keys = jwk.get("keys", [jwk])
        ours = any((each.get("kty"), each.get("alg")) in OURS for each in keys)
        for test in group["tests"]:
            valid = test["result"] == "valid"
            kind = ("valid" if ours else "valid, not ours") if valid else "invalid"
            counts[kind] += 1
            if holds(jwk, test["jws"]) != (valid and ours):
                wrong.append(f"{test['tcId']} {group['comment']}: {test['comment']} ({kind})")
    return wrong, counts


def main() -> int:
    """Judge the file named on the command line."""
    wrong, counts = judge(Path(sys.argv[1]))
    sys.stdout.write("".join(f"{line}\n" for line in [*wrong, str(counts)]))
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
