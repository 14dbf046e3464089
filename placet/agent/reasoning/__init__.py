"""Agents that reason: a language model whose every call is a governed step of its own.

What a model is asked with is behind :class:`Mind`: any model that Pydantic AI knows
(``placet.agent.reasoning.models``), or an agent outside that comes over MCP. What it may do is
decided nowhere here: its tools are steps of the signed process, each under its own grant.
"""

from placet.agent.reasoning._mind import (
    Answered,
    Mind,
    NoAnswer,
    Question,
    RawCall,
    ToolSpec,
    Unreadable,
)
from placet.agent.reasoning._think import Brief, thinking
from placet.agent.reasoning._tools import asked_for, tool_specs

__all__ = [
    "Answered",
    "Brief",
    "Mind",
    "NoAnswer",
    "Question",
    "RawCall",
    "ToolSpec",
    "Unreadable",
    "asked_for",
    "thinking",
    "tool_specs",
]
