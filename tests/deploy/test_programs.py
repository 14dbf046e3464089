"""What the compose file mounts into other parties' programs, read by these programs themselves."""

import re
import shutil
from pathlib import Path

import yaml

from tests.deploy.compose import ROOT
from tests.deploy.programs import balancer_file, checked, program


async def test_prometheus_takes_its_files() -> None:
    told = await checked(
        program("promtool", "PLACET_REQUIRE_PROMETHEUS"),
        *("check", "config", str(ROOT / "deploy/prometheus.yaml")),
    )
    assert "16 rules found" in told


async def test_each_alert_fires_when_it_should_and_is_quiet_when_not(tmp_path: Path) -> None:
    """Just below its limit, just before its time, and then."""
    promtool = program("promtool", "PLACET_REQUIRE_PROMETHEUS")
    shutil.copy(ROOT / "deploy/alerts.yaml", tmp_path)
    tests = shutil.copy(Path(__file__).parent / "alerts.test.yaml", tmp_path)
    await checked(promtool, "test", "rules", str(tests))
    (group,) = yaml.safe_load((ROOT / "deploy/alerts.yaml").read_text())["groups"]
    quiet, firing = set(), set()
    for each in yaml.safe_load(Path(tests).read_text())["tests"]:
        for one in each["alert_rule_test"]:
            (firing if one.get("exp_alerts") else quiet).add(one["alertname"])
    alerts = {rule["alert"] for rule in group["rules"]}
    assert quiet == firing == alerts
    page = (ROOT / "docs/how-to/respond-to-an-incident.md").read_text()
    assert set(re.findall(r"^\| `(Placet\w+)` \|", page, re.MULTILINE)) == alerts


async def test_haproxy_takes_its_file(tmp_path: Path) -> None:
    """As it stands, but for the names that only the engine's network looks up."""
    haproxy = program("haproxy", "PLACET_REQUIRE_HAPROXY")
    whole = tmp_path / "whole.cfg"
    whole.write_text((ROOT / "deploy/haproxy.cfg").read_text())
    named = tmp_path / "named.cfg"
    named.write_text(balancer_file(8600, {"authority-1": 8601, "authority-2": 8602}))
    for each in (whole, named):
        told = await checked(haproxy, "-c", "-f", str(each))
        assert not re.search("WARNING", told), told
