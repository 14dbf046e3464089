"""The console: operators approve, auditors replay. A terminal application over the authority's API.

It names no process: what is shown, and in which words, stands in the signed process definition.
"""
