"""Where credential helpers get a service token: as `broker token` does, by variables alone."""

from typing import Final

from broker.cli.pipeline.asking import asked_by_environment, source_of
from broker.cli.pipeline.warnings_shown import show_warnings
from broker.client.service_token import ServiceToken

HELPER_BUDGET: Final = 15.0
"""Seconds for all tries: tools do not wait long, and say little of a helper that they ended."""


def fetch(service: str) -> ServiceToken:
    """Get a token for a service, or the one that was kept. Raises `ClientError`."""
    # A tool may take what stands on stderr for the answer, or for a failure.
    show_warnings(wanted=False)
    return source_of(asked_by_environment(service), budget=HELPER_BUDGET).token()


def forget(service: str) -> None:
    """Keep the token of a service no longer. Raises `ClientError`."""
    source_of(asked_by_environment(service)).forget()
