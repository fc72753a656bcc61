"""Translating a policy, loading what was written, and deciding on a token with it."""

import json
from collections.abc import Mapping
from typing import Any

from broker.core.conditions import Effect, all_hold
from broker.core.decision import DecisionRequest, Permit, decide
from broker.core.indexed_policies import IndexedPolicies
from broker.core.platforms import GITHUB, GITLAB
from broker.core.policy import Issuer
from broker.policy_files import LoadedPolicies, load_texts, run
from broker.policy_imports import Destination, Form, policy_text, translate

ACCOUNT = "deploy"
SERVICE = "api"
CATALOGUE = 'services: {api: {audience: "https://api.example", scopes: {api:write: Write}}}\n'
ONE_NAME = frozenset(GITHUB.folded | GITLAB.folded)


def loaded(text: str) -> LoadedPolicies:
    return load_texts(
        {"catalogue.yaml": CATALOGUE, "imported.yaml": text},
        broker_issuer="https://broker.example",
        token_defaults=(600, 3600),
        signing_algorithms=("RS256",),
        loopback=False,
    )


class Imported:
    """The set that an imported policy makes, which loads and whose tests hold."""

    def __init__(self, form: Form, policy: Mapping[str, Any], **options: str) -> None:
        source = json.dumps(policy, indent=1, ensure_ascii=False).encode()
        translation, self.problems = translate(form, source, "source", **options)
        self.text: str | None = None
        if translation is None:
            assert self.problems
            return
        preset = translation.platform.name
        destination = Destination(
            preset, ACCOUNT, ACCOUNT, {"preset": preset}, {SERVICE: ["api:write"]}
        )
        self.text = policy_text(translation, destination, "source")
        self.set = loaded(self.text)
        assert [each.fault for each in run(self.set, 0.0) if not each.holds] == []
        self.indexed = IndexedPolicies.of(self.set.policy_set)
        [self.issuer] = self.set.policy_set.issuers.values()

    def permits(self, token: Mapping[str, Any]) -> bool:
        decision = decide(
            {**token, "aud": "https://broker.example", "exp": 3600},
            self.issuer,
            DecisionRequest(targets=(SERVICE,), scopes=None, client_id=ACCOUNT),
            self.indexed,
            0.0,
        )
        return isinstance(decision, Permit)

    def is_guarded(self, token: Mapping[str, Any]) -> bool:
        """Whether nothing but the guard refuses the token, which the file says in a comment."""
        platform = self.issuer.platform
        assert platform is not None
        event = token[platform.event_claim]
        if event in platform.trusted_events:
            return False
        return any(
            all_hold(policy.conditions, token, Effect.ALLOW)
            and not any(
                event in condition.named_literals()
                for condition in policy.conditions
                if condition.claim == platform.event_claim
            )
            for policy in self.set.policy_set.policies.values()
        )


__all__ = ["ONE_NAME", "Imported", "Issuer", "loaded"]
