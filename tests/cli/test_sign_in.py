"""``placet sign-in``: from a device without a key to a command under the session, and out again."""

import asyncio
import json
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import uvicorn

from placet.model import Governance, GroupRoles, IdentityProvider
from tests.authority.test_forged_sign_ins import Forger
from tests.cli.conftest import Placet, Served
from tests.harness.world import free_port


@pytest.fixture
def forger() -> Iterator[Forger]:
    """A provider in which everybody has signed in already."""
    port = free_port()
    made = Forger(f"http://127.0.0.1:{port}")
    server = uvicorn.Server(
        uvicorn.Config(made.app(), host="127.0.0.1", port=port, log_config=None, lifespan="off")
    )
    thread = threading.Thread(target=lambda: asyncio.run(server.serve()))
    thread.start()
    try:
        yield made
    finally:
        server.should_exit = True
        thread.join()


def test_a_person_signs_in_and_out(
    placet: Placet, served: Served, forger: Forger, tmp_path: Path
) -> None:
    """I10: the device's key is the person's for the session, and nobody's afterwards."""
    provider = IdentityProvider(
        issuer=forger.issuer,
        client_id="placet",
        algorithms=("ES256",),
        roles=(GroupRoles(group="clerks", roles=("clerk",)),),
    )
    rules = tmp_path / "governance.json"
    rules.write_text(Governance(version=1, identity_provider=provider).model_dump_json())
    published = placet("governance", "publish", str(rules), **served.variables)
    assert published.code == 0, published
    own = {
        "PLACET_ISSUER": served.variables["PLACET_ISSUER"],
        "PLACET_KEY_FILE": str(tmp_path / "device.key"),
    }
    nobody = placet("case", "list", **own)
    assert nobody.code == 2
    signed_in = placet("sign-in", "--json", **own)
    assert signed_in.code == 0, signed_in
    assert json.loads(signed_in.out)["operator"] == "cleo"
    assert "AAAA" in signed_in.err  # what to enter, and where, is for a person to read
    assert placet("case", "list", **own).code == 0
    tablet = {**own, "PLACET_KEY_FILE": str(tmp_path / "tablet.key")}
    assert placet("sign-in", **tablet).code == 0
    done = placet("sign-out", "--of", "cleo", "--json", **served.variables)  # an administrator
    assert (done.code, len(json.loads(done.out))) == (0, 2), done
    assert placet("case", "list", **tablet).code == 1
    assert placet("sign-out", "--everywhere", **own).code == 1  # her key is hers no more
    assert placet("sign-in", **own).code == 0
    assert placet("sign-out", "--everywhere", **own).code == 0
    after = placet("case", "list", **own)
    assert (after.code, "ended" in after.err) == (1, True), after
