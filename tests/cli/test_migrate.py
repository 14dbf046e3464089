"""``placet authority migrate``: from a person's hand."""

import json

from tests.cli.conftest import Placet, Served


def test_tables_are_migrated_by_command(placet: Placet, served: Served) -> None:
    ended = placet("authority", "migrate", "--json", **served.own)
    assert ended.code == 0, ended
    done = json.loads(ended.out)
    assert done["before"] == done["after"]
    refused = placet("authority", "migrate", "--to", "r7", **served.own)
    assert refused.code == 2
    assert "there is no revision r7" in refused.err
