"""``placet agent|operator|system …``: the trees of commands of each kind of identity."""

from placet.cli._identities import identity_commands
from placet.cli._joining import joining_commands
from placet.cli._mcp import mcp_command

agents = identity_commands("agent", "Agents: identities that do steps.")
joining_commands(agents)
mcp_command(agents)
operators = identity_commands("operator", "Operators: people.")
systems = identity_commands("system", "Systems of record.")
