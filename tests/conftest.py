"""Settings for all tests."""

from __future__ import annotations

import os

# Triton's kernels run in its interpreter, which is chosen when Triton is first imported.
os.environ["TRITON_INTERPRET"] = "1"

from hypothesis import HealthCheck, settings

# `make fuzz`: many more examples than a test run has time for; numbers in a test's own settings stay.
settings.register_profile(
    "fuzz",
    max_examples=5000,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
