"""Benchmarks: what governing costs, each measured beside the plain thing, in one run."""
