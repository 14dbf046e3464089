"""A process that is no lender's gets its views from its own definition: nothing in `tui` knows it."""

import re
from decimal import Decimal
from pathlib import Path

import pytest
from textual.widgets import Input

from placet.model import (
    ChartPoints,
    ChartSection,
    ChartSeries,
    ChartValue,
    CheckpointStatus,
    Drawn,
    InputPart,
    Part,
    digest_bytes,
)
from tests.tui.conftest import PASSPHRASE, Opened
from tests.tui.simulator import SALT, Simulator
from tui.charts import chart, legend, picture
from tui.screens.case import CaseScreen
from tui.screens.decide import Decide
from tui.widgets.table import VirtualTable

SECTION = ChartSection(
    title="Weighings",
    series=(
        ChartSeries(label="Allowed", drawn=Drawn.WHOLE),
        ChartSeries(label="Said", drawn=Drawn.FILL),
        ChartSeries(label="Paid", drawn=Drawn.FILL),
        ChartSeries(label="Scales", drawn=Drawn.MARK),
    ),
    points=(
        ChartPoints(
            part="weighing",
            rows="before",
            label="number",
            prefix="no. ",
            values=(
                ChartValue(path="worth", rows="things"),
                ChartValue(path="said"),
                ChartValue(path="paid", adds_up=True),
                ChartValue(path="seen"),
            ),
        ),
    ),
)


def part(data: dict[str, object]) -> InputPart:
    made = Part(name="weighing", record="depot/D-1/parcel/7", salt=SALT, data=data)
    digest = digest_bytes(made.content())
    return InputPart(part=made, digest=digest, grant="grant-" + "0" * 26, agent="agent:weigher")


def test_a_chart_draws_every_series_on_one_scale() -> None:
    said = {"place": {"document": "label.pdf", "spot": "page 1"}, "value": "40"}
    before: list[object] = [
        {"number": 1, "things": [{"worth": "60"}, {"worth": "40.00"}], "said": said, "paid": "20"},
        {"number": 2, "things": [], "said": "90", "paid": "30", "seen": "70"},
        {"number": "[b]x\x1b", "said": "NaN", "paid": None, "seen": "1E+900", "things": 7},
        "no row",
    ]
    drawn = chart(SECTION, [part({"before": before})], "€")
    first, second = drawn.points
    assert (first.label, first.texts) == ("no. 1", ("€100.00", "€40.00", "€20.00", ""))
    assert second.texts == ("", "€90.00", "€50.00", "€70.00")
    assert picture(first, drawn.series, 10) == "▓▓██······"
    assert picture(second, drawn.series, 10) == "▓▓▓▓▓█│██ "
    assert legend(drawn.series) == "· Allowed   █ Said   ▓ Paid   │ Scales"
    assert chart(SECTION, [part({})], "€").points == ()


@pytest.mark.timeout(60)
@pytest.mark.parametrize("size", [(80, 24), (120, 40)], ids=["80x24", "120x40"])
async def test_a_third_process_opens_its_case_shows_and_decides(
    open_console: Opened, simulator: Simulator, size: tuple[int, int]
) -> None:
    view = simulator.add(7)
    async with open_console(size=size) as desk:
        await desk.expect("parcel 7 of D-1")
        await desk.press("enter")
        await desk.on(CaseScreen)
        await desk.expect("Dispatch: parcel 7 of D-1 for €184,200.00")
        index = desk.app.screen.query_one("#index", VirtualTable)
        for title, words in (
            ("Label", "Harbor Street Partners"),
            ("Contents", "thing 2"),
            ("Weighings", "█"),
        ):
            index.go_to(title)
            await desk.expect(words)
        await desk.expect("· Allowed", "no. 2")
        await desk.press("a")
        await desk.on(Decide)
        await desk.expect("Approve parcel 7 of D-1 for €184,200.00?")
        desk.app.screen.query_one("#passphrase", Input).value = PASSPHRASE
        await desk.push("#sign")
        await desk.on(CaseScreen)
    assert simulator.checkpoints[view.id].status is CheckpointStatus.APPROVED
    assert view.evidence.proposal.amount == Decimal("184200.00")


def test_nothing_in_the_console_names_a_process_or_what_one_is_about() -> None:
    """Not one line of `tui` has a word of the lender's business in it."""
    folder = Path(__file__).parents[2] / "tui"
    lenders = re.compile(r"\bloan|borrower|G70[23]|\blien|retainage|inspector", re.IGNORECASE)
    found = [
        f"{path.name}:{number}: {line.strip()}"
        for path in sorted(folder.rglob("*.py"))
        for number, line in enumerate(path.read_text("utf-8").splitlines(), 1)
        if lenders.search(re.sub(r'"""[^"]*"""|#.*|``[^`]*``', "", line))
    ]
    assert found == []
