"""Rules for every test: a skip says why, and where CI=true it is a failure."""

from __future__ import annotations

import os
from collections.abc import Generator

import hypothesis
import pytest

for variable in [name for name in os.environ if name.startswith("CAMFLEET_")]:
    if not variable.startswith(("CAMFLEET_TEST_", "CAMFLEET_SCREENSHOT")):
        del os.environ[variable]  # a developer's own settings are none of the tests'

# How long an example takes, or takes to be thought of, says nothing on a busy machine.
hypothesis.settings.register_profile(
    "untimed", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
hypothesis.settings.load_profile("untimed")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,  # noqa: ARG001 - the hook's signature
    call: pytest.CallInfo[None],  # noqa: ARG001 - the same
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if report.skipped and os.environ.get("CI") == "true" and not hasattr(report, "wasxfail"):
        where = report.longrepr
        reason = where[2] if isinstance(where, tuple) else str(where)
        report.outcome = "failed"
        report.longrepr = f"skipped, which counts as failed where CI=true: {reason}"
    return report
