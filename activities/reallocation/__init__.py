"""The governed steps of a budget reallocation, by the agent that takes them."""
