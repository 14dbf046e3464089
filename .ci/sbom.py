"""Write what the lock locks as a software bill of materials: CycloneDX 1.6, in JSON.

``python .ci/sbom.py [FILE]``: with no FILE it goes to standard output. The same lock gives the same
bytes: no time and no random number is in it.
"""

import re
import sys
from importlib.metadata import PackageNotFoundError, metadata
from pathlib import Path
from uuid import NAMESPACE_URL, uuid5

from cyclonedx.contrib.license.factories import LicenseFactory
from cyclonedx.model import HashAlgorithm, HashType
from cyclonedx.model.bom import Bom
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.output.json import JsonV1Dot6
from packageurl import PackageURL

ROOT = Path(__file__).parents[1]
_PINNED = re.compile(r"^([A-Za-z0-9._-]+)==([^\s;]+)")
_HASH = re.compile(r"--hash=sha256:([0-9a-f]{64})")

OTHERWISE = {
    # What metadata says in words of its own.
    "Apache Software License": "Apache-2.0",
    "Apache 2.0": "Apache-2.0",
    "Apache License 2.0": "Apache-2.0",
    "Apache License, Version 2.0": "Apache-2.0",
    "3-Clause BSD License": "BSD-3-Clause",
    "BSD": "BSD-3-Clause",
    "BSD License": "BSD-3-Clause",
    "BSD 3-Clause": "BSD-3-Clause",
    "BSD-3-Clause License": "BSD-3-Clause",
    "MIT License": "MIT",
    "The MIT License (MIT)": "MIT",
    "ISC License (ISCL)": "ISC",
    "Mozilla Public License 2.0 (MPL 2.0)": "MPL-2.0",
    "Python Software Foundation License": "PSF-2.0",
    "The Unlicense (Unlicense)": "Unlicense",
    "GNU Library or Lesser General Public License (LGPL)": "LGPL-3.0-only",
    "GNU Lesser General Public License v3 (LGPLv3)": "LGPL-3.0-only",
}


def locked(lock: Path = ROOT / "requirements.lock") -> dict[str, tuple[str, tuple[str, ...]]]:
    """Each package of the lock: its version and the hashes of its files."""
    found = {}
    for entry in lock.read_text("utf-8").replace("\\\n", " ").splitlines():
        pinned = _PINNED.match(entry)
        if pinned:
            found[pinned[1]] = (pinned[2], tuple(_HASH.findall(entry)))
    return found


UNSAID = {
    "cedarpy": "Apache-2.0",
    "pypdfium2": "BSD-3-Clause AND Apache-2.0",  # and permissive ones of what PDFium has in it
}
"""What a package's own licence file says, where its metadata does not, or not as an expression."""


def licence_of(name: str) -> str | None:
    """A package's licence as an SPDX expression, if it is installed and says so."""
    if name in UNSAID:
        return UNSAID[name]
    try:
        said = metadata(name)
    except PackageNotFoundError:
        return None  # another platform's
    if expression := said.get("License-Expression"):
        return expression
    classified = [
        each.rpartition(" :: ")[2]
        for each in said.get_all("Classifier") or ()
        if each.startswith("License :: OSI Approved :: ")
    ]
    words = " OR ".join(OTHERWISE.get(each, each) for each in classified)
    stated = (said.get("License") or "").partition("\n")[0].strip()
    return words or OTHERWISE.get(stated, stated) or None


def bill(packages: dict[str, tuple[str, tuple[str, ...]]]) -> str:
    """The bill of materials of these packages."""
    licences = LicenseFactory()
    bom = Bom()
    for name, (version, hashes) in sorted(packages.items()):
        licence = licence_of(name)
        bom.components.add(
            Component(
                name=name,
                version=version,
                type=ComponentType.LIBRARY,
                bom_ref=f"pkg:pypi/{name}@{version}",
                purl=PackageURL("pypi", None, name, version),
                licenses=[licences.make_from_string(licence)] if licence else [],
                # One file for each platform: those of the lock, any of which may be installed.
                hashes=[HashType(alg=HashAlgorithm.SHA_256, content=each) for each in hashes],
            )
        )
    bom.metadata.timestamp = None  # type: ignore[assignment]  # the lock has no time
    whole = Component(name="placet", type=ComponentType.APPLICATION, bom_ref="placet")
    bom.metadata.component = whole
    bom.register_dependency(whole, bom.components)
    spelled = "\n".join(f"{name}=={version}" for name, (version, _) in sorted(packages.items()))
    bom.serial_number = uuid5(NAMESPACE_URL, f"placet {spelled}")
    return JsonV1Dot6(bom).output_as_string(indent=1)


def main() -> int:
    """Write it."""
    text = bill(locked()) + "\n"
    if len(sys.argv) > 1:
        Path(sys.argv[1]).write_text(text, "utf-8")
    else:
        sys.stdout.write(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
