"""Test your own policies and services: real CI-shaped tokens, from issuers that you control.

    issuer = FakeIssuer("http://127.0.0.1:0")
    with issuer.serve():
        token = issuer.token(github_claims(ref="refs/heads/x"), audience="https://broker.example")

Needs the base install; serving an issuer over HTTP (`FakeIssuer.serve`) needs the extra `server`.
"""

from broker.testing.clock import FrozenClock
from broker.testing.fake_issuer import FakeIssuer
from broker.testing.platform_tokens import github_claims, gitlab_claims

__all__ = ["FakeIssuer", "FrozenClock", "github_claims", "gitlab_claims"]
