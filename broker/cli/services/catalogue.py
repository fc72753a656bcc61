"""Finding a service in the policy sets that a command works on."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from broker.cli.endings import fail

if TYPE_CHECKING:
    from broker.core.policy import Service
    from broker.policy_files import LoadedPolicies

Found = tuple["Service", "LoadedPolicies"]


def services_in(sets: Sequence["LoadedPolicies"]) -> list[Found]:
    """Give the services by name, each of the first set that has it: production before `dev/`.

    The broker's own is none of them.
    """
    from broker.core.broker_service import BROKER_SERVICE

    found: dict[str, Found] = {}
    for loaded in sets:
        for name, service in loaded.policy_set.services.items():
            if name != BROKER_SERVICE:
                found.setdefault(name, (service, loaded))
    return [found[name] for name in sorted(found)]


def service_named(name: str, sets: Sequence["LoadedPolicies"]) -> Found:
    """Find a service by its name or audience; end the command where there is none."""
    from broker.core.broker_service import BROKER_SERVICE
    from broker.core.condition_text import shown
    from broker.policy_files.sentences import did_you_mean

    services = services_in(sets)
    found = [each for each in services if name in (each[0].name, each[0].audience)]
    if name == BROKER_SERVICE:
        fail("`broker` is the broker itself: nothing else may take tokens for its API")
    if not found:
        known = did_you_mean(name, [service.name for service, _ in services])
        fail(f"there is no service `{shown(name)}`{known or '; add it under `services`'}")
    return found[0]
