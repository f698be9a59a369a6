"""What holds for all tests. An example of Hypothesis has no time limit: a busy machine is slow, and not wrong."""

from importlib.util import find_spec

if find_spec("hypothesis"):  # what vLLM and the trainers need does not bring it
    from hypothesis import settings

    settings.register_profile("judge", deadline=None)
    settings.load_profile("judge")
