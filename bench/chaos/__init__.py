"""Breaking things: many draws at once on the real parts, while these are killed, stopped, cut off.

``make chaos RUNS=500 SEED=1`` takes so many seeded runs and writes how many broke an invariant.
"""
