"""What can be done in the queue, each by its keys, the palette and the mouse."""

from textual.binding import Binding

KEYS: tuple[Binding, ...] = (
    Binding("slash", "filter", "Filter", id="queue.filter", tooltip="Filter by any word"),
    Binding("v", "saved", "View", id="queue.view", tooltip="Mine, others', all, late, …"),
    Binding("s", "sort", "Sort", id="queue.sort", tooltip="By time, amount or age"),
    Binding("u", "group", "Group", id="queue.group", tooltip="By kind, time, findings, record"),
    Binding("V", "keep", "Own views", id="queue.keep", tooltip="Save, rename, delete a view"),
    Binding("space", "mark", "Mark", id="queue.mark", tooltip="Mark several, to decide them"),
    Binding(
        "A",
        "bulk('approve')",
        "Approve marked",
        id="queue.bulk",
        tooltip="Approve what is marked",
    ),
    *(
        Binding(
            key,
            f"bulk('{verb}')",
            f"{verb.capitalize()} marked",
            id=f"queue.bulk-{verb}",
            tooltip=f"{verb.capitalize()} what is marked, for one reason",
            show=False,
        )
        for key, verb in (("R", "reject"), ("B", "return"))
    ),
    Binding("escape", "clear", "Clear", id="queue.clear", show=False),
    Binding("ctrl+r,f5", "load", "Refresh", id="queue.refresh", show=False),
)
