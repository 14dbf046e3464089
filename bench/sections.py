"""What the report says of each figure: its section, its words, and the aim where there is one."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from bench.reading import Measured


@dataclass(frozen=True)
class Aim:
    """What was aimed at, in words, and whether a figure meets it."""

    words: str
    meets: Callable[[Measured], bool]


@dataclass(frozen=True)
class Shown:
    """One figure as the report shows it."""

    name: str
    what: str
    aim: Aim | None = None


@dataclass(frozen=True)
class Section:
    """Figures that belong together, with the pictures made of them and what is to be said."""

    title: str
    words: str
    figures: tuple[Shown, ...]
    pictures: tuple[str, ...] = ()
    again: str = ""
    after: str = ""


def at_least(least: float) -> Aim:
    """A figure that should be so much or more."""
    return Aim(f"at least {least:g}", lambda found: found.value >= least)


def below(most: float) -> Aim:
    """A figure that should stay below that."""
    return Aim(f"below {most:g}", lambda found: found.value < most)


def none() -> Aim:
    """A count that should be zero."""
    return Aim("none", lambda found: found.value == 0)


def _sized(prefix: str, what: str, *exponents: int) -> tuple[Shown, ...]:
    return tuple(Shown(f"{prefix}_1e{each}", f"{what}, 10^{each}") for each in exponents)


_KINDS = ("sqlite", "postgresql")
_ISSUED = tuple(
    Shown(
        f"issuing.{kind}_{connections}_{figure}",
        f"{said}, {connections} connection{'s' if connections > 1 else ''}: {words}",
    )
    for kind, said in (
        *((f"grant_{store}", f"grants, {store}") for store in _KINDS),
        ("token_openbao", "OpenBao's service tokens"),
    )
    for connections in (1, 8)
    for figure, words in (("per_s", "a second"), ("p50_ms", "p50"), ("p99_ms", "p99"))
)

GRANT_PARTS = {
    "http": "read and answer the request",
    "authenticate": "verify the assertion and the proof",
    "ask_temporal": "ask Temporal whether the step runs",
    "look_up": "look up identity, case, rules",
    "policy": "decide by policy",
    "write": "write grant and entry",
    "writer": "the writer's own: batches, tree",
    "commit": "commit",
    "sign": "sign the grant",
    "rest": "event loop, sockets, jobs beside",
    "native": "threads of Temporal's SDK",
}
STEP_PARTS = {
    "workflow": "run the workflow",
    "activity": "run the activity",
    "governing": "govern: settle, keep evidence",
    "ask_for_grant": "ask for the grant",
    "payloads": "encrypt and decrypt payloads",
    "rest": "event loop, sockets",
    "native": "threads of Temporal's SDK",
}


def _parts(of: str, parts: Mapping[str, str]) -> tuple[Shown, ...]:
    said = {"grant": "a grant", "step": "a step"}[of]
    return tuple(
        Shown(f"profile.{of}.{part}_ms", f"{said}: {words}") for part, words in parts.items()
    )


GROWN = {
    "cases": (2, 3, 4),
    "identities": (2, 3, 4),
    "policies": (2, 3),
    "ledger": (5, 6, 7),
}
"""What grows, and to which powers of ten; the first is ten times what it is compared with."""


def _grown(said: str) -> tuple[Shown, ...]:
    word = "processor time" if said else "p50"
    return tuple(
        Shown(f"growth.{what}{said}_1e{each}", f"{what}, {10**each:,}: {word}")
        for what, exponents in GROWN.items()
        for each in exponents
    )


SECTIONS: tuple[Section, ...] = (
    Section(
        "Governed against ungoverned Temporal",
        "The activities are empty, so that governing is nearly all of what is measured, but for two"
        " figures: there each step computes for so long.",
        (
            Shown(
                "throughput.governed_over_bare",
                "activities a second, 20 cases at once",
                at_least(0.9),
            ),
            *(
                Shown(f"throughput.working_{each}ms", f"the same, {each} ms of work in each step")
                for each in (20, 100)
            ),
            Shown(
                "grant.p50_over_floor", "a grant, p50, beside what it can't do without", below(4)
            ),
            Shown("resume.p50_over_signal", "from a decision to the resumed workflow, p50"),
            Shown("resume.p95_over_signal", "the same, p95"),
            Shown(
                "approvals.decided_over_holdpoint",
                "decisions of people, signed and judged; holdpoint is a library and writes with"
                " `synchronous=NORMAL`",
            ),
        ),
        ("processor",),
        "throughput grant resume approvals",
    ),
    Section(
        "The same steps with somebody else's credential",
        "Each of the 11 activities is preceded by a credential of its own. OpenBao's are not"
        " taken back at the end; a grant is settled. Keycard's interceptor mints from a local"
        " OAuth server that signs tokens and decides nothing. Tenuo's plugin checks a warrant"
        " and a proof of its holder in the worker itself, without constraints on arguments and"
        " with its replay store in memory; who is trusted there is the worker. None of them"
        " asks whether this step of this case runs, or writes what a person could prove later"
        " beyond an audit line.",
        tuple(
            Shown(f"beside.{side}_over_bare", what)
            for side, what in (
                ("governed", "a grant each"),
                ("openbao_token", "a service token of OpenBao each"),
                ("openbao_database", "a PostgreSQL role of OpenBao each"),
                ("keycard", "a token by keycardai-temporal each"),
                ("tenuo", "a warrant a case, proven by tenuo at each"),
            )
        ),
        ("beside",),
        "beside",
    ),
    Section(
        "Where the time goes",
        "Processor time by what the code does, as py-spy saw it: of a grant in the authority (8"
        " connections), and of an empty step in its worker, which has the workflow as well. Threads"
        " without Python are Temporal's SDK.",
        (
            *_parts("grant", GRANT_PARTS),
            *_parts("step", STEP_PARTS),
        ),
        ("profile-grant", "profile-step"),
        "profile",
    ),
    Section(
        "Grants a second, beside OpenBao's service tokens",
        "Steps that run already ask for their grant, one after the other on each connection;"
        " OpenBao issues service tokens in the same way, with integrated storage (Raft) and a"
        " file audit device. A token is drawn and stored; a grant also verifies two signatures"
        " of its asker, asks Temporal whether the step runs, decides by policy, signs and"
        " appends.",
        (
            *_ISSUED,
            *(
                Shown(
                    f"issuing.grants_over_openbao_tokens_{connections}",
                    f"grants on PostgreSQL over tokens, connections: {connections}",
                    Aim("above 1", lambda found: found.value > 1),
                )
                for connections in (1, 8)
            ),
        ),
        ("issuing",),
        "issuing",
    ),
    Section(
        "As things grow",
        "One grant after the other, of steps that run already, with so many closed cases, agents,"
        " policies or ledger entries there before; beside the same with the least. The ledger is"
        " on PostgreSQL, the rest on SQLite. First the time of a grant (p50), then the authority's"
        " processor time for it, in which neighbours show less.",
        (*_grown(""), *_grown("_processor")),
        ("growth", "growth_processor"),
        "growth",
    ),
    Section(
        "The ledger and an audit",
        "",
        (
            Shown("ledger.append_over_raw", "entries appended"),
            Shown("ledger.verify_over_sha256", "entries verified"),
            Shown("ledger.proof_ms_1e3", "a proof of inclusion among 10^3 entries"),
            Shown("ledger.proof_ms_1e6", "a proof of inclusion among 10^6 entries"),
            *(
                Shown(f"growth.export_1e{each}", f"a case exported, among {10**each:,} entries")
                for each in GROWN["ledger"]
            ),
            Shown("replay.over_replayer", "archived cases replayed"),
            Shown("replay.peak_memory", "memory of a process that replays 1,010 cases"),
            Shown("replay.fetched_memory", "memory of the process that fetches and verifies"),
            Shown("bundle.size", "a case's bundle"),
            Shown("bundle.verify", "a bundle verified"),
        ),
        (),
        "append verifying proof_small proof_large replaying bundle",
    ),
    Section(
        "A whole draw",
        "Each of 48 small draws of the demo, six at once, with its packet, its checks and one"
        " officer's approval; what people's tools ask is in it. Carried further in"
        " [a million cases a day](../docs/explanation/scale.md).",
        (
            *(
                Shown(f"draw.{name}_ms", f"{what}, processor time")
                for name, what in (
                    ("authority", "the authority"),
                    ("temporal", "Temporal"),
                    ("lender", "systems of record"),
                    ("worker", "workers"),
                )
            ),
            *(
                Shown(f"draw.{name}_bytes", what)
                for name, what in (
                    ("authority", "the authority's database grows"),
                    ("ledger", "of which the ledger's entries"),
                    ("sealed", "of which sealed histories"),
                    ("temporal", "Temporal's database grows"),
                )
            ),
            Shown("draw.grants", "grants"),
            Shown("draw.entries", "entries of the ledger"),
        ),
        (),
        "draws",
    ),
    Section(
        "Cases that wait",
        "10,000 were taken beside other work; their resumption was not measured to its end.",
        tuple(
            Shown(f"waiting.{name}_{size}", f"{what}, {said} cases")
            for size, said in (("500", "500"), ("1e4", "10,000"))
            for name, what in (
                ("worker_mib", "a worker's memory"),
                ("authority_mib", "the authority's memory"),
                ("worker_more_mib", "a worker's memory, more than before"),
                ("authority_more_mib", "the authority's memory, more than before"),
                ("open_all_s", "all opened and waiting"),
                ("decide_all_s", "all decided"),
                ("all_resumed_s", "until all have resumed"),
            )
        ),
        (),
        "waiting",
    ),
    Section(
        "Lists and the console",
        "",
        (
            *_sized("inbox.first_page_ms", "the first page of what waits", 2, 4, 5),
            Shown(
                "console.first_screen_ms",
                "start to the queue's first rows, 10^5 open",
                Aim("below 1,000", lambda found: found.value < 1000),
            ),
            Shown("console.key_to_paint_ms", "a key to the frame it changes"),
            Shown("console.key_to_paint_p95_ms", "the same, p95"),
            Shown("console.page_to_paint_ms", "a page down"),
            Shown("console.page_to_paint_p95_ms", "the same, p95"),
            Shown("console.change_to_paint_ms", "someone's claim to its frame"),
            *(
                Shown(f"console.groups_by_{each}_ms", f"groups by {each}")
                for each in ("kind", "process", "findings", "urgency", "record")
            ),
            Shown("console.memory_mib", "memory"),
            Shown("console.memory_after_hour_mib", "memory after an hour's 600 changes"),
        ),
        (),
        "inbox console",
    ),
    Section(
        "Identities",
        "10,000 agents and a million grants; an inventory of 100,000 rows.",
        (
            *(
                Shown(f"identities.report_{each}_ms", f"report `{each.replace('_', '-')}`, whole")
                for each in (
                    *("stale", "unowned", "over_privileged", "shared", "long_lived"),
                    *("cross_environment", "overdue"),
                )
            ),
            Shown("identities.import_read_s", "an inventory read and checked"),
            Shown("identities.import_new_s", "taken in"),
            Shown("identities.import_again_s", "found unchanged"),
            Shown(
                "identities.suspended_to_refused_ms",
                "suspended to refused",
                Aim("below 2,000", lambda found: found.value < 2000),
            ),
            Shown(
                "identities.suspended_to_refused_worst_ms",
                "the slowest of ten",
                Aim("below 2,000", lambda found: found.value < 2000),
            ),
        ),
        (),
        "identities",
    ),
    Section(
        "Attacks on agents that reason",
        "By kind in `results.json`; here their sums. Ungoverned, the same attempts meet an"
        " agent with its own credentials.",
        (
            Shown("attacks.attempted.governed", "attempts, governed"),
            Shown("attacks.succeeded.governed", "succeeded, governed", none()),
            Shown("attacks.attempted.ungoverned", "attempts, ungoverned"),
            Shown("attacks.succeeded.ungoverned", "succeeded, ungoverned"),
            Shown("attacks.tasks_done.governed", "useful tasks done by the agent alone, governed"),
            Shown("attacks.tasks_done.ungoverned", "the same, ungoverned"),
            Shown("attacks.tasks_left_to_people", "useful tasks left to people"),
            Shown("reasoning.tool_call_over_plain", "a model's tool call"),
            Shown("reasoning.replayed_deterministically", "reasoning cases that replay"),
            Shown("reasoning.stopped_in.agent", "kill switch to stopped, one agent"),
            Shown("reasoning.stopped_in.model", "one model"),
            Shown("reasoning.stopped_in.all", "every model"),
        ),
        ("attacks",),
        "attacks",
    ),
    Section(
        "Breaking things",
        "`make chaos` kills, stops and cuts off each part at every step the code names, and"
        " checks the invariants after each run. See docs/explanation/breaking-things.md.",
        (
            Shown("chaos.runs", "runs", at_least(500)),
            Shown("chaos.broken", "runs that broke an invariant", none()),
        ),
    ),
)
"""In the order of the report."""

UNLISTED = ("attacks.attempted.", "attacks.succeeded.")
"""Figures that a section sums up: they stand in ``results.json`` alone."""
