"""The governed steps of sending a payment again, by the agent that takes them."""

from activities.resend._requests import SentRef

__all__ = ["SentRef"]
