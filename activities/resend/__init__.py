"""The governed steps of sending a payment again, by the agent that takes them."""

from activities.resend._requests import ResendRef, SentRef

__all__ = ["ResendRef", "SentRef"]
