"""How hypothesis looks for examples: always the same ones, so that a red test stays red.

`--hypothesis-profile=explore` looks elsewhere, and longer.
"""

from hypothesis import settings

settings.register_profile("unit", max_examples=50, deadline=None, derandomize=True)
settings.register_profile("explore", max_examples=2000, deadline=None)
settings.load_profile("unit")
