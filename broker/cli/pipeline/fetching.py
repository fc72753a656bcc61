"""Where the commands get a service token."""

import os
import time

from broker.client.service_token import ServiceToken
from broker.core.vocabulary import GRANT_TOKEN_EXCHANGE, TOKEN_TYPE_JWT


class FetchFailed(Exception):
    """There is no token; the exit code says what kind of failure."""

    def __init__(self, message: str, *, exit_code: int) -> None:
        super().__init__(message)
        self.exit_code = exit_code


def fetch(service: str) -> ServiceToken:
    """Exchange BROKER_ID_TOKEN. Raises `FetchFailed`."""
    import httpx

    url, subject_token = os.environ.get("BROKER_URL", ""), os.environ.get("BROKER_ID_TOKEN", "")
    if not url:
        raise FetchFailed("BROKER_URL is not set", exit_code=2)
    if not subject_token:
        raise FetchFailed("there is no ID token here", exit_code=3)
    try:
        answer = httpx.post(
            f"{url}/oauth/token",
            data={
                "grant_type": GRANT_TOKEN_EXCHANGE,
                "subject_token": subject_token,
                "subject_token_type": TOKEN_TYPE_JWT,
                "audience": service,
            },
        )
    except httpx.HTTPError as error:
        raise FetchFailed(f"no answer: {type(error).__name__}", exit_code=5) from None
    if answer.status_code != httpx.codes.OK:
        code = 5 if answer.is_server_error else 4
        raise FetchFailed(f"the broker refused: {answer.json().get('reason')}", exit_code=code)
    body = answer.json()
    return ServiceToken(
        access_token=body["access_token"],
        token_type=body["token_type"],
        expires_in=body["expires_in"],
        expires_at=int(time.time()) + body["expires_in"],
        scope=body.get("scope", ""),
        service_account=body.get("service_account", ""),
        token_id=body.get("token_id", ""),
        issued_token_type=body.get("issued_token_type", ""),
    )


def forget(_service: str) -> None:
    """Drop the cached token of a service."""
