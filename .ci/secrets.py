"""Look for secrets in every file that git knows, by their forms: keys, tokens and passwords.

``python .ci/secrets.py`` exits 1 if it finds one that ``.ci/secrets.json`` does not name, or if
that names one which is not there any more. ``--write`` writes it anew: read what it then has.

What is named there was made for a test, or is public. It is known by a digest, and with its reason.
"""

import hashlib
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]
BASELINE = ROOT / ".ci" / "secrets.json"
_FORMS = {
    "private-key": r"-----BEGIN (?:[A-Z]+ )*PRIVATE KEY-----(?:\\n|\s)+[A-Za-z0-9+/=]{20,}",
    "private-jwk": r"[\"']d[\"']\s*:\s*[\"'][A-Za-z0-9_-]{40,}[\"']",
    "aws": r"A[KS]IA[0-9A-Z]{16}",
    "github": r"(?:gh[pousr]_[A-Za-z0-9]{36,}|github_pat_[A-Za-z0-9_]{60,})",
    "gitlab": r"glpat-[A-Za-z0-9_-]{20,}",
    "slack": r"xox[abprs]-[A-Za-z0-9-]{10,}",
    "google": r"AIza[0-9A-Za-z_-]{35}",
    "stripe": r"[rs]k_live_[0-9a-zA-Z]{24,}",
    "model-provider": r"sk-(?:ant-|proj-)[A-Za-z0-9_-]{24,}",
    "package-index": r"pypi-AgE[A-Za-z0-9_-]{50,}",
    "webhook": r"whsec_[A-Za-z0-9+/]{32,}",
    "jwt": r"eyJ[A-Za-z0-9_-]{10,}\.eyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{20,}",
    "url-password": r"://[^\s/:@\"'<>{}$]{1,64}:[^\s/:@\"'<>{}$]{3,64}@[A-Za-z0-9.-]+",
    "assigned": (
        r"(?i:(?:password|passphrase|secret|api_?key|token)[\"']?\s{0,4}[:=]\s{0,4}[\"'])"
        r"(?=[^\"'\s]*[0-9])[^\"'\s{}$<>]{16,}[\"']"
    ),
}
# Each by itself: one that begins with plain letters is found without looking at every place.
_COMPILED = {name: re.compile(form) for name, form in _FORMS.items()}


def secrets_of(text: str) -> Iterator[tuple[int, str, str]]:
    """What looks like a secret in a text: its line, its form, and its digest."""
    for form, pattern in _COMPILED.items():
        for found in pattern.finditer(text):
            line = text.count("\n", 0, found.start()) + 1
            yield line, form, hashlib.sha256(found[0].encode()).hexdigest()[:16]


def scan() -> dict[str, dict[str, tuple[int, str]]]:
    """What looks like a secret in each file: line and form by digest."""
    listed = subprocess.run(
        ["git", "ls-files", "-z"],  # noqa: S607 - whichever git there is
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    found: dict[str, dict[str, tuple[int, str]]] = {}
    for name in filter(None, listed.split("\0")):
        path = ROOT / name
        if path == BASELINE or not path.is_file():
            continue
        text = path.read_bytes().decode("utf-8", "replace")
        if here := {digest: (line, form) for line, form, digest in secrets_of(text)}:
            found[name] = here
    return found


def main() -> int:
    """Compare what is there with what is named."""
    found = scan()
    named = json.loads(BASELINE.read_text("utf-8")) if BASELINE.exists() else {}
    if "--write" in sys.argv[1:]:
        written = {
            name: {
                "why": named.get(name, {}).get("why", "say why"),
                "digests": sorted(here),
            }
            for name, here in sorted(found.items())
        }
        BASELINE.write_text(json.dumps(written, indent=1) + "\n", "utf-8")
        return 0
    wrong = [
        f"{name}:{line}: looks like a secret ({form}, {digest})"
        for name, here in found.items()
        for digest, (line, form) in here.items()
        if digest not in named.get(name, {}).get("digests", ())
    ]
    wrong += [
        f".ci/secrets.json: {name} has no {digest} any more"
        for name, said in named.items()
        for digest in said["digests"]
        if digest not in found.get(name, {})
    ]
    sys.stderr.write("".join(f"{each}\n" for each in wrong))
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
