"""Apache of Debian with `mod_auth_openidc` and with `mod_oauth2` takes the broker's tokens.

The configuration is that of examples/services/apache; docs/reference/interop.md says what is found.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from types import MappingProxyType

import pytest

from tests.consumers.loopback_server import Answer, LoopbackServer
from tests.interop.near_misses import ISSUER, at_now, near_misses
from tests.interop.page_rows import found
from tests.issuer_keys.certificates import Authority
from tests.parties.apache import EXAMPLES, Apache, apache
from tests.parties.broker_at_work import BrokerAtWork
from tests.parties.debian import version
from tests.parties.keys_over_tls import keys_over_tls
from tests.parties.said_of_debian import assert_said
from tests.verify.publishing import Publisher, signing_key

JWKS = f"{ISSUER}/.well-known/jwks.json"
PACKAGES = {
    "mod_auth_openidc": "libapache2-mod-auth-openidc",
    "mod_oauth2": "libapache2-mod-oauth2",
}


@contextmanager
def guarded(
    module: str,
    authority: Authority,
    keys: str,
    issuer: str,
    more: Mapping[str, str] = MappingProxyType({}),
) -> Iterator[tuple[Apache, LoopbackServer]]:
    """Run Apache with a module before a service that says `here` to whoever comes through."""
    with ExitStack() as stack:
        jwks_uri = f"{keys}/.well-known/jwks.json"
        if module == "mod_auth_openidc":
            # It takes keys over TLS alone, and no authority of the system's knows the test's.
            jwks_uri = stack.enter_context(keys_over_tls(authority.server, keys)).url
        service = stack.enter_context(LoopbackServer(lambda _: Answer(b"here")).serving())
        replaced = {JWKS: jwks_uri, ISSUER: issuer, **more}
        server = apache(module, authority.ca_file, replaced, behind=service.url)
        yield stack.enter_context(server), service


@pytest.mark.parametrize("module", PACKAGES)
def test_a_module_does_what_the_page_says(
    module: str, authority: Authority, publisher: Publisher
) -> None:
    with guarded(module, authority, publisher.url, ISSUER) as (server, _):

        def lets_in(algorithm: str, tokens: Sequence[str]) -> list[bool]:
            return [server.status(token) == 200 for token in tokens]

        here = found(module, version("apache", PACKAGES[module]), lets_in)
        reads = at_now(signing_key("ES256"), scope="deploy:read")
        writes = at_now(signing_key("ES256"), scope="other deploy:write")
        others = at_now(signing_key("ES256"), scope="deploy:reader xdeploy:write")

        assert_said(here)
        assert server.status("") == 401
        assert [server.status(reads, method) for method in ("GET", "POST")] == [200, 401]
        assert [server.status(writes, method) for method in ("GET", "POST")] == [200, 200]
        assert [server.status(others, method) for method in ("GET", "POST")] == [401, 401]


def test_the_modules_take_the_tokens_of_a_broker_by_old_keys_and_new(
    authority: Authority, broker: BrokerAtWork
) -> None:
    with ExitStack() as stack:
        both = [
            stack.enter_context(guarded(module, authority, broker.url, broker.url))
            for module in PACKAGES
        ]

        def answered(token: str) -> list[int]:
            return [server.status(token, "POST") for server, _ in both]

        before = broker.token("deploy")
        assert answered(before) == [200, 200]
        came = [service.requests[-1].headers for _, service in both]
        assert came[0]["oidc_claim_client_id"] == "deploy-web"
        assert came[1]["oauth2_claim_client_id"] == "deploy-web"

        assert answered(broker.token_by_a_new_key("deploy")) == [200, 200]
        assert answered(before) == [200, 200]
        assert answered(broker.token("deploy", "deploy:read")) == [401, 401]
        assert answered(broker.token("store")) == [401, 401]


@pytest.mark.parametrize("module", PACKAGES)
def test_without_requirements_a_module_lets_in_whatever_the_broker_has_signed(
    module: str, authority: Authority, publisher: Publisher
) -> None:
    """Why the configuration is as long as it is."""
    lines = (EXAMPLES / f"{module}.conf").read_text().splitlines()
    bare = {line: "" for line in lines if line.lstrip().startswith("Require ")}
    bare["<RequireAll>"] = "<RequireAll>\nRequire valid-user"
    with guarded(module, authority, publisher.url, ISSUER, bare) as (server, _):
        misses = near_misses("ES256")
        let_in = {name for name, token in misses.items() if server.status(token) == 200}

        assert {"another service", "another issuer", "`typ` `JWT`", "two audiences"} <= let_in
        assert not {"expired", "unknown `kid`", "changed claims", "`alg` `none`"} & let_in


@pytest.mark.parametrize("module", PACKAGES)
def test_nobody_comes_in_without_a_token_by_any_method(
    module: str, authority: Authority, publisher: Publisher
) -> None:
    """By itself, mod_auth_openidc lets OPTIONS through, as browsers send it before a request."""
    with guarded(module, authority, publisher.url, ISSUER) as (server, service):
        ask = server.http.request
        before = len(service.requests)
        for method in ("OPTIONS", "GET", "HEAD", "POST", "DELETE", "PATCH", "PROPFIND", "ANY"):
            for sent in ({}, {"Authorization": ""}, {"Authorization": "Basic eDp5"}):
                answer = ask(method, f"{server.url}/admin", headers=sent)

                assert answer.status_code in (401, 403), (method, sent)
        assert len(service.requests) == before


@pytest.mark.parametrize("module", PACKAGES)
def test_nobody_tells_the_service_claims_but_the_module(
    module: str, authority: Authority, publisher: Publisher
) -> None:
    with guarded(module, authority, publisher.url, ISSUER) as (server, service):
        forged = {
            f"{prefix}{name}": "root"
            for prefix in ("OIDC", "OAUTH2")
            for name in ("_CLAIM_client_id", "-CLAIM-client-id", "_claim_role", "-Claim-Role")
        }
        assert server.status(at_now(signing_key("ES256")), headers=forged) == 200

        prefix = "oidc" if module == "mod_auth_openidc" else "oauth2"
        came = {
            name.replace("-", "_"): value for name, value in service.requests[-1].headers.items()
        }
        assert came[f"{prefix}_claim_client_id"] == "deploy-web"
        assert not [name for name in came if name.startswith(prefix) and came[name] == "root"]
