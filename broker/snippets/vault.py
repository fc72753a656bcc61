"""Vault and OpenBao: the JWT auth method, and a role for each service account."""

import json

from broker.snippets.quoting import shell_quoted
from broker.snippets.template import Code, fill, template
from broker.snippets.trust import SnippetFile, Subject, Trust


def files(trust: Trust) -> list[SnippetFile]:
    """Write the commands that set both up."""
    setup = fill(
        template("vault.sh"), shell_quoted, issuer=trust.issuer, algorithm=trust.service.signing_alg
    )
    roles = [_role(trust, each) for each in trust.subjects]
    return [SnippetFile("vault.sh", setup + "".join(roles))]


def _role(trust: Trust, subject: Subject) -> str:
    members = {
        "role_type": "jwt",
        "user_claim": "sub",
        "bound_audiences": [trust.service.audience],
        "bound_subject": subject.sub,
        "bound_claims": {"client_id": subject.account, "token_type": "service"},
        # In the log of Vault, beside what the broker has under this id.
        "claim_mappings": {"jti": "broker_token"},
        # Unset, Vault gives minutes to a token that does not say when it ends.
        "expiration_leeway": -1,
        "not_before_leeway": -1,
        "clock_skew_leeway": 30,
        "token_policies": [subject.account],
        "token_ttl": trust.service.ttl,
        "token_max_ttl": trust.service.max_ttl,
    }
    role = subject.sub.replace(":", "-")
    return fill(
        template("vault-role.sh"),
        shell_quoted,
        role=role,
        members=Code(json.dumps(members, indent=2)),
    )
