"""The benchmarks' own rules; what they measure is nobody's test."""
