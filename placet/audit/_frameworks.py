"""What examiners ask for, control by control, and which entries of a ledger are evidence for it.

Titles and numbers are those of the named editions; requirements of PCI DSS are named in short. A
control for which a ledger can hold nothing says why: the evidence is then somewhere else.
"""

from dataclasses import dataclass
from enum import StrEnum

from placet.ledger import EntryType as E


class Framework(StrEnum):
    """The frameworks that a report can be made for."""

    OWASP_NHI = "owasp-nhi"
    PCI_DSS = "pci-dss"
    EU_AI_ACT = "eu-ai-act"
    NIST_AI_RMF = "nist-ai-rmf"


@dataclass(frozen=True)
class Shows:
    """Entries of some types, and what they show."""

    what: str
    types: tuple[E, ...]


@dataclass(frozen=True)
class Control:
    """One control. ``elsewhere`` says what of it no ledger holds."""

    id: str
    title: str
    evidence: tuple[Shows, ...] = ()
    elsewhere: str = ""


NAMES = {
    Framework.OWASP_NHI: "OWASP Non-Human Identities Top 10, 2025",
    Framework.PCI_DSS: "PCI DSS v4.0.1",
    Framework.EU_AI_ACT: "Regulation (EU) 2024/1689 (EU AI Act)",
    Framework.NIST_AI_RMF: "NIST AI Risk Management Framework 1.0 (NIST AI 100-1)",
}

_OFFBOARDED = Shows(
    "identities suspended, offboarded, and keys revoked, each by a signed act",
    (
        E.AGENT_SUSPENDED,
        E.AGENT_OFFBOARDED,
        E.OPERATOR_SUSPENDED,
        E.OPERATOR_OFFBOARDED,
        E.IDENTITY_ENDED,
        E.VENDOR_SWITCHED_OFF,
        E.KEY_REVOKED,
        E.MODEL_SUSPENDED,
    ),
)
_PROVEN = Shows(
    "identities that others own rotated or offboarded by their owners' tools: each ordered by a "
    "signed act, called and proven",
    (E.IDENTITY_ORDERED, E.TOOL_BEGUN, E.IDENTITY_PROVEN),
)
_REGISTERED = Shows(
    "identities registered, each with owner, purpose, environment and end, by a signed act",
    (E.IDENTITY_REGISTERED,),
)
_ENROLLED = Shows("keys enrolled, each by a signed act, with owner or roles", (E.KEY_ENROLLED,))
_ISSUED = Shows(
    "grants: one agent, one action, one record, one step, at most a minute", (E.GRANT_ISSUED,)
)
_DENIED = Shows("requests denied, with the reasons", (E.GRANT_DENIED,))
_ENDED = Shows(
    "grants ended: settled, revoked or expired",
    (E.GRANT_SETTLED, E.GRANT_REVOKED, E.GRANT_EXPIRED),
)
_USED = Shows(
    "uses at systems of record, each under its grant",
    (E.GRANT_USED, E.ACTION_REQUESTED, E.ACTION_PERFORMED),
)
_LEAKED = Shows("tokens found in what a step wanted to send out", (E.GRANT_LEAKED,))
_REVIEWED = Shows(
    "campaigns started, identities kept, narrowed, ended or suspended by them, and management's "
    "acknowledgement of each campaign",
    (E.CAMPAIGN_STARTED, E.IDENTITY_REVIEWED, E.CAMPAIGN_ACKNOWLEDGED),
)
_PUBLISHED = Shows(
    "processes, authority matrices and policies published, each by a signed act",
    (E.PROCESS_PUBLISHED, E.MATRIX_PUBLISHED, E.POLICY_PUBLISHED),
)
_ASKED = Shows("checkpoints at which work waited for people", (E.CHECKPOINT_OPENED,))
_DECIDED = Shows(
    "people's decisions, each signed, on the evidence that they were shown",
    (E.DECISION_RECORDED, E.DECISION_WITHDRAWN),
)
_REFUSED = Shows(
    "decisions and acts that did not count, with the reason", (E.DECISION_REFUSED, E.ACT_REFUSED)
)
_ENDS = Shows(
    "what the decisions added up to, and what ran out of time",
    (E.CHECKPOINT_RESOLVED, E.CHECKPOINT_EXPIRED, E.CHECKPOINT_VOIDED),
)
_STOPPED = Shows(
    "cases stopped or held by people, and let go on",
    (E.CASE_STOPPED, E.CASE_ADMITTED, E.HOLD_PLACED, E.HOLD_LIFTED),
)
_ALARMS = Shows("alarms and lost cases", (E.CASE_ALARM, E.CASE_LOST))
_CASES = Shows(
    "cases opened, closed and sealed with their whole history",
    (E.CASE_OPENED, E.CASE_CLOSED, E.CASE_ARCHIVED),
)
_ROTATED = Shows(
    "signing keys published and retired, the log's key and payload keys rotated",
    (E.KEY_PUBLISHED, E.KEY_RETIRED, E.KEY_ROTATED, E.LOG_REKEYED),
)
_CREATED = Shows("the log's beginning", (E.LOG_CREATED,))
_ERASED = Shows("content erased under two signatures", (E.CASE_ERASED,))

CONTROLS: dict[Framework, tuple[Control, ...]] = {
    Framework.OWASP_NHI: (
        Control(
            "NHI1:2025", "Improper Offboarding", (_OFFBOARDED, _PROVEN, _ENROLLED, _REGISTERED)
        ),
        Control(
            "NHI2:2025",
            "Secret Leakage",
            (_LEAKED, _ENDED),
            "scans of source code, configuration and logs",
        ),
        Control(
            "NHI3:2025",
            "Vulnerable Third-Party NHI",
            (),
            "an inventory of third parties and their weaknesses",
        ),
        Control("NHI4:2025", "Insecure Authentication", (_ENROLLED, _ROTATED, _ISSUED)),
        Control("NHI5:2025", "Overprivileged NHI", (_ISSUED, _DENIED, _PUBLISHED)),
        Control(
            "NHI6:2025",
            "Insecure Cloud Deployment Configurations",
            (),
            "the configuration of clouds and pipelines",
        ),
        Control("NHI7:2025", "Long-Lived Secrets", (_ISSUED, _ENDED, _ROTATED, _PROVEN)),
        Control(
            "NHI8:2025",
            "Environment Isolation",
            (),
            "how environments are kept apart; one ledger is of one environment",
        ),
        Control("NHI9:2025", "NHI Reuse", (_ENROLLED, _ISSUED)),
        Control("NHI10:2025", "Human Use of NHI", (_DECIDED, _ENROLLED)),
    ),
    Framework.PCI_DSS: (
        Control(
            "7.2.5",
            "Application and system accounts have the least privileges that they need",
            (_ISSUED, _DENIED, _PUBLISHED),
        ),
        Control(
            "7.2.5.1",
            "Access by application and system accounts is reviewed periodically",
            (_REVIEWED, _OFFBOARDED),
        ),
        Control(
            "8.6.1",
            "Interactive use of application and system accounts is prevented, or managed",
            (_ENROLLED, _ISSUED),
            "accounts of operating systems and databases",
        ),
        Control(
            "8.6.2",
            "Passwords of application and system accounts are not hard coded",
            (),
            "reviews of scripts, configuration and source code; agents have keys, no passwords",
        ),
        Control(
            "8.6.3",
            "Passwords of application and system accounts are protected against misuse",
            (_ROTATED, _OFFBOARDED),
            "the targeted risk analysis that sets how often they change",
        ),
        Control(
            "10.2.1",
            "Audit logs are enabled and active",
            (_CREATED, _CASES),
            "logs of other system components",
        ),
        Control("10.2.1.1", "Individual user access to cardholder data", (_USED,)),
        Control(
            "10.2.1.2",
            "Actions by anyone with administrative access",
            (_PUBLISHED, _ENROLLED, _OFFBOARDED, _STOPPED),
        ),
        Control("10.2.1.3", "Access to audit logs", (), "reads of the ledger are not on it"),
        Control("10.2.1.4", "Invalid logical access attempts", (_DENIED, _REFUSED)),
        Control(
            "10.2.1.5",
            "Changes to identification and authentication credentials",
            (_ENROLLED, _OFFBOARDED),
        ),
        Control(
            "10.2.1.6",
            "Initialization of new audit logs, and starting, stopping or pausing of existing ones",
            (_CREATED,),
            "starts and stops of the service: without it nothing happens that would be logged",
        ),
        Control(
            "10.2.1.7",
            "Creation and deletion of system-level objects",
            (_PUBLISHED, _ERASED),
            "objects of operating systems and databases",
        ),
        Control(
            "10.2.2",
            "User, type, date and time, success or failure, origin and what was affected",
            (_ISSUED, _DENIED, _USED, _DECIDED),
            "network origins: an entry names keys, not addresses",
        ),
        Control(
            "10.3.1",
            "Read access to audit log files is limited to a job-related need",
            (),
            "who can read the database and its copies; the ledger's entries are public by design",
        ),
        Control(
            "10.3.2",
            "Audit log files are protected from modification by individuals",
            (_CREATED, _ROTATED),
            "signed heads that others keep; `placet audit verify` and witnesses show it",
        ),
        Control(
            "10.3.3",
            "Audit log files are promptly backed up to media that is difficult to modify",
            (),
            "backups and mirrors of the ledger",
        ),
        Control(
            "10.3.4",
            "Change detection is used on audit logs",
            (_ALARMS,),
            "a witness's kept heads and the alerts that it raised",
        ),
        Control(
            "10.5.1",
            "Twelve months of audit log history, the latest three at once available",
            (_CREATED, _CASES),
            "that the database and its backups are kept",
        ),
    ),
    Framework.EU_AI_ACT: (
        Control("Article 12", "Record-keeping", (_CASES, _ISSUED, _DENIED, _ENDED, _USED)),
        Control("Article 14", "Human oversight", (_ASKED, _DECIDED, _ENDS, _STOPPED)),
        Control(
            "Article 19",
            "Automatically generated logs",
            (_CREATED, _CASES),
            "how long the provider keeps them",
        ),
        Control(
            "Article 26",
            "Obligations of deployers of high-risk AI systems",
            (_DECIDED, _STOPPED, _ALARMS, _CASES),
            "instructions for use, competence of the people, information of workers and of "
            "those concerned",
        ),
    ),
    Framework.NIST_AI_RMF: (
        Control(
            "GOVERN 1.4",
            "The risk management process and its outcomes are established through transparent "
            "policies, procedures, and other controls based on organizational risk priorities.",
            (_PUBLISHED,),
        ),
        Control(
            "GOVERN 1.6",
            "Mechanisms are in place to inventory AI systems and are resourced according to "
            "organizational risk priorities.",
            (_ENROLLED, _PUBLISHED),
            "systems that are not governed by this authority",
        ),
        Control(
            "GOVERN 1.7",
            "Processes and procedures are in place for decommissioning and phasing out AI systems "
            "safely and in a manner that does not increase risks or decrease the organization's "
            "trustworthiness.",
            (_OFFBOARDED,),
        ),
        Control(
            "GOVERN 2.1",
            "Roles and responsibilities and lines of communication related to mapping, measuring, "
            "and managing AI risks are documented and are clear to individuals and teams "
            "throughout the organization.",
            (_PUBLISHED, _ENROLLED),
        ),
        Control(
            "GOVERN 3.2",
            "Policies and procedures are in place to define and differentiate roles and "
            "responsibilities for human-AI configurations and oversight of AI systems.",
            (_PUBLISHED, _ASKED),
        ),
        Control(
            "MAP 3.5",
            "Processes for human oversight are defined, assessed, and documented in accordance "
            "with organizational policies from the govern function.",
            (_PUBLISHED, _ASKED, _DECIDED),
            "the assessment of these processes",
        ),
        Control(
            "MEASURE 2.4",
            "The functionality and behavior of the AI system and its components - as identified "
            "in the map function - are monitored when in production.",
            (_ISSUED, _ENDED, _ALARMS),
        ),
        Control(
            "MEASURE 2.8",
            "Risks associated with transparency and accountability - as identified in the map "
            "function - are examined and documented.",
            (_DECIDED, _ISSUED, _CASES),
            "the examination of these risks",
        ),
        Control(
            "MEASURE 2.9",
            "The AI model is explained, validated, and documented, and AI system output is "
            "interpreted within its context - as identified in the map function - to inform "
            "responsible use and governance.",
            (_ENDED, _ASKED),
            "validation of the model",
        ),
        Control(
            "MANAGE 2.4",
            "Mechanisms are in place and applied, and responsibilities are assigned and "
            "understood, to supersede, disengage, or deactivate AI systems that demonstrate "
            "performance or outcomes inconsistent with intended use.",
            (_OFFBOARDED, _STOPPED),
        ),
        Control(
            "MANAGE 4.1",
            "Post-deployment AI system monitoring plans are implemented, including mechanisms for "
            "capturing and evaluating input from users and other relevant AI actors, appeal and "
            "override, decommissioning, incident response, recovery, and change management.",
            (_DECIDED, _STOPPED, _ALARMS, _OFFBOARDED, _PUBLISHED),
            "the plans themselves",
        ),
        Control(
            "MANAGE 4.3",
            "Incidents and errors are communicated to relevant AI actors, including affected "
            "communities. Processes for tracking, responding to, and recovering from incidents "
            "and errors are followed and documented.",
            (_ALARMS, _LEAKED, _STOPPED),
            "communication with those affected",
        ),
    ),
}
