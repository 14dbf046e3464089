"""What every test stands on."""

from hypothesis import settings

# A busy machine is no failure; pytest's own limit finds what hangs.
settings.register_profile("placet", deadline=None)
settings.load_profile("placet")
