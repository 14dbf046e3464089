"""The demo's inventory of identities that others own."""

from pathlib import Path

from lender.inventory import WRONG, take_in
from placet.model import EnrolIdentity
from placet.tokens import SigningKey
from tests.harness.alone import alone


async def test_the_reports_name_what_is_wrong_in_it_and_what_mends_it(tmp_path: Path) -> None:
    """What the demo counts on, without the demo."""
    async with alone(f"sqlite:///{tmp_path / 'authority.db'}") as authority, authority.ada() as ada:
        for name in ("omar", "sofia"):
            key = SigningKey.generate()
            body = EnrolIdentity(jwk=key.public.jwk(), roles=("clerk",))
            await ada.act("operator.enrol", f"operator:{name}", body)
        lines = await take_in(ada, authority.now())
        assert {(line.report, line.identity) for line in lines} == WRONG
        mended = {line.identity: line.mend for line in lines}
        old = "api-key:bank-cloud/statements"
        assert mended[old] == f"placet identity rotate {old} --reason …"
