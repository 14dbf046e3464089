"""The vocabulary, tested by itself."""
