"""Holding every token that a test gets for a service with a profile against that profile."""

from broker.core.policy import PolicySet
from tests.profiles.validators import faults, parts_of


def check_profile(token: str, policy_set: PolicySet, *, on_loopback: bool = False) -> None:
    """Fail for a token that the system it is for would refuse; others are let be."""
    _, claims = parts_of(token)
    service = policy_set.service_by_audience(str(claims["aud"]))
    if service is not None and service.profile is not None:
        assert faults(service.profile, token, on_loopback=on_loopback) == [], claims
