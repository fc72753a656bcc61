"""Snippets that cannot run here: the parsers of their languages read what was meant."""

import ast
import json
import stat
import subprocess
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import hcl2
import kubernetes_validate
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from broker.core.claim_templates import parse_template
from broker.snippets import FORMS, Subject
from broker.snippets.terraform import label
from tests.snippets.literals import go_literals, hcl_text, java_literals
from tests.snippets.trusts import HOSTILE, ISSUER, SCOPES, files, text, trust

AUDIENCES = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=60)
NAMES = st.from_regex(r"[A-Za-z0-9._-]{1,100}", fullmatch=True)
POOL = "google_iam_workload_identity_pool"
POOL_ID = "workload_identity_pool_id"
BOTH = ["deploy-web", "repo-ci:repository_id:456789"]


def block(module: str, kind: str, name: str) -> dict[str, Any]:
    """Give the one resource of a kind with this label."""
    resources = hcl2.loads(module)["resource"]
    [found] = [each[f'"{kind}"'] for each in resources if f'"{kind}"' in each]
    body: dict[str, Any] = found[f'"{name}"']
    return body


def trusted_by_aws(module: str) -> dict[str, Any]:
    """Give the one statement of the role's trust policy."""
    role = block(module, "aws_iam_role", "deploy-api")
    policy = role["assume_role_policy"].removeprefix("${jsonencode(").removesuffix(")}")
    [statement] = hcl2.loads(f"policy = {policy}\n")["policy"]["Statement"]
    found: dict[str, Any] = statement
    return found


def texts(literals: list[str]) -> list[str]:
    return [hcl_text(each) for each in literals]


# --- any audience, in every form ------------------------------------------------------------------


@given(AUDIENCES)
def test_a_python_service_is_for_this_audience_alone(audience: str) -> None:
    for form, name in (("python", "service.py"), ("nginx", "verifier.py")):
        tree = ast.parse(files(form, trust(audience=audience))[name])
        calls = [each for each in ast.walk(tree) if isinstance(each, ast.Call)]
        [verifier] = [each for each in calls if getattr(each.func, "id", "") == "Verifier"]
        [given_audience] = [each.value for each in verifier.keywords if each.arg == "audience"]

        assert ast.literal_eval(given_audience) == audience


@given(AUDIENCES)
def test_a_go_service_is_for_this_audience_alone(audience: str) -> None:
    literals = go_literals(text("go", trust(audience=audience)))

    assert literals.count(audience) == 1 + (audience in go_literals(text("go", trust())))
    assert [*SCOPES] == [each for each in literals if each in SCOPES]


def test_a_go_service_asks_for_keys_seldom_and_does_not_wait_for_ever() -> None:
    program = text("go", trust())

    assert "Transport: &seldom{}" in program
    assert "Timeout: 5 * time.Second" in program
    assert "NewRemoteKeySet(oidc.ClientContext(context.Background(), client), jwksURI)" in program


@given(AUDIENCES)
def test_a_spring_service_is_for_this_audience_alone(audience: str) -> None:
    written = files("spring", trust(audience=audience))
    literals = java_literals(written["ServiceTokens.java"])
    properties = yaml.safe_load(written["application.yaml"])

    assert audience in literals
    assert [f"SCOPE_{each}" for each in SCOPES] == [
        each for each in literals if each.startswith("SCOPE_")
    ]
    assert properties == {
        "service-tokens": {"issuer": ISSUER, "jwks-uri": f"{ISSUER}/.well-known/jwks.json"}
    }
    read = {each for each in literals if each.startswith("${service-tokens.")}
    assert read == {f"${{service-tokens.{each}}}" for each in properties["service-tokens"]}


@given(AUDIENCES)
def test_envoy_takes_this_audience_alone(audience: str) -> None:
    listener = yaml.load(text("envoy", trust(audience=audience)), yaml.CSafeLoader)[
        "static_resources"
    ]
    [manager] = listener["listeners"][0]["filter_chains"][0]["filters"]
    jwt_authn, rbac, router = manager["typed_config"]["http_filters"]
    provider = jwt_authn["typed_config"]["providers"]["broker"]
    [principal] = rbac["typed_config"]["rules"]["policies"]["service-token"]["principals"]

    assert provider["audiences"] == [audience]
    assert {"exact": audience} in [
        each["sourced_metadata"]["metadata_matcher"]["value"]["string_match"]
        for each in principal["and_ids"]["ids"]
    ]
    assert router["name"] == "envoy.filters.http.router"


@given(AUDIENCES)
def test_kubernetes_takes_this_audience_alone(audience: str) -> None:
    written = files("kubernetes", trust(audience=audience))["authentication-config.yaml"]
    [trusted] = yaml.safe_load(written)["jwt"]
    operand = trusted["claimValidationRules"][0]["expression"].removeprefix("claims.aud == ")

    assert trusted["issuer"] == {"url": ISSUER, "audiences": [audience]}
    assert json.loads(operand) == audience


@settings(max_examples=30)
@given(AUDIENCES)
def test_aws_takes_this_audience_and_these_identities_alone(audience: str) -> None:
    module = text("terraform-aws", trust(audience=audience))
    provider = block(module, "aws_iam_openid_connect_provider", "broker")
    statement = trusted_by_aws(module)
    equals = statement["Condition"]["StringEquals"]

    assert hcl_text(provider["url"]) == ISSUER
    assert texts(provider["client_id_list"]) == [audience]
    assert statement["Principal"] == {"Federated": "${aws_iam_openid_connect_provider.broker.arn}"}
    assert texts(statement["Action"]) == ["sts:AssumeRoleWithWebIdentity"]
    assert list(statement["Condition"]) == ["StringEquals"]
    assert list(map(hcl_text, equals)) == ["broker.example.com:aud", "broker.example.com:sub"]
    aud, subs = equals.values()
    # IAM reads `${$}` as a dollar, and `${name}` as the value of a variable.
    meant = hcl_text(aud).replace("${$}", "\0")
    assert "${" not in meant
    assert meant.replace("\0", "$") == audience
    assert texts(subs) == BOTH


def test_aws_lets_tags_of_a_session_come_only_as_the_service_has_them() -> None:
    tags = {"team": parse_template("{metadata.team}"), "cost center": parse_template("{sub}")}
    module = text("terraform-aws", trust(session_tags=tags, profile="aws", token_typ="JWT"))
    statement = trusted_by_aws(module)
    conditions = statement["Condition"]

    assert texts(statement["Action"]) == ["sts:AssumeRoleWithWebIdentity", "sts:TagSession"]
    assert list(conditions) == ["StringEquals", '"ForAllValues:StringEquals"', "Null"]
    [keys] = conditions['"ForAllValues:StringEquals"'].values()
    assert texts(keys) == ["cost center", "team"]
    assert conditions["Null"] == {
        '"aws:RequestTag/cost center"': '"false"',
        '"aws:RequestTag/team"': '"false"',
    }


@settings(max_examples=30)
@given(AUDIENCES)
def test_google_takes_this_audience_and_these_identities_alone(audience: str) -> None:
    module = text("gcp", trust(audience=audience))
    provider = block(module, f"{POOL}_provider", "deploy-api")
    [oidc] = provider["oidc"]
    condition = hcl_text(provider["attribute_condition"])
    members = block(module, "google_service_account_iam_member", "deploy-api")

    assert hcl_text(oidc["issuer_uri"]) == ISSUER
    assert texts(oidc["allowed_audiences"]) == [audience]
    assert condition == (
        f'assertion.token_type == "service" && assertion.sub in {json.dumps(BOTH)}'
    )
    assert json.dumps(BOTH) in members["for_each"].replace("'", '"')


def test_no_two_services_share_a_pool_of_google_and_its_principals() -> None:
    for name in ("deploy-api", "store"):
        module = text("gcp", trust(name=name))
        pool = block(module, POOL, name)
        provider = block(module, f"{POOL}_provider", name)
        members = block(module, "google_service_account_iam_member", name)

        assert hcl_text(pool["workload_identity_pool_id"]) == name
        assert provider["workload_identity_pool_id"] == f"${{{POOL}.{name}.{POOL_ID}}}"
        assert f"${{{POOL}.{name}.name}}/subject/${{each.value}}" in members["member"]


def test_the_pool_of_google_is_that_of_an_audience_that_names_it() -> None:
    audience = "https://iam.googleapis.com/projects/1234/locations/global/workloadIdentityPools"
    module = text("gcp", trust(audience=f"{audience}/acme-ci/providers/broker"))
    provider = block(module, f"{POOL}_provider", "deploy-api")

    assert hcl_text(block(module, POOL, "deploy-api")["workload_identity_pool_id"]) == "acme-ci"
    assert hcl_text(provider["workload_identity_pool_provider_id"]) == "broker"


@given(AUDIENCES)
def test_entra_takes_this_audience_and_one_identity_each(audience: str) -> None:
    written = files("entra", trust(audience=audience))
    credentials = [json.loads(each) for each in written.values()]

    assert list(written) == ["deploy-web.json", "repo-ci-repository_id-456789.json"]
    assert [each["subject"] for each in credentials] == BOTH
    assert [each["audiences"] for each in credentials] == [[audience]] * 2
    assert {each["issuer"] for each in credentials} == {ISSUER}
    assert len({each["name"] for each in credentials}) == 2


@pytest.mark.parametrize(
    ("issuer", "kind", "port"),
    [
        ("https://broker.example.com", "DNS", 443),
        ("https://broker.example.com:8443/ci", "DNS", 8443),
        ("https://192.0.2.7", "IP_ADDRESS", 443),
        ("https://[2001:db8::7]:8443", "IP_ADDRESS", 8443),
    ],
)
def test_envoy_fetches_keys_from_whom_the_issuer_names(issuer: str, kind: str, port: int) -> None:
    clusters = yaml.safe_load(text("envoy", trust(issuer=issuer)))["static_resources"]["clusters"]
    [broker] = [each for each in clusters if each["name"] == "broker"]
    tls = broker["transport_socket"]["typed_config"]
    [named] = tls["common_tls_context"]["validation_context"]["match_typed_subject_alt_names"]
    [endpoint] = broker["load_assignment"]["endpoints"][0]["lb_endpoints"]
    host = endpoint["endpoint"]["address"]["socket_address"]

    assert host == {"address": urlsplit(issuer).hostname, "port_value": port}
    assert named == {"san_type": kind, "matcher": {"exact": urlsplit(issuer).hostname}}


# --- forms that are commands ----------------------------------------------------------------------


def test_a_shell_tells_vault_what_was_meant(tmp_path: Path) -> None:
    vault = tmp_path / "vault"
    vault.write_text(
        "#!/bin/sh\n"
        "printf '%s\\n' \"$@\" END >>said\n"
        'for last; do :; done; [ "$last" != - ] || cat >"$3.json"\n'.replace("$3", "$(basename $2)")
    )
    vault.chmod(vault.stat().st_mode | stat.S_IXUSR)
    commands = text("vault", trust(signing_alg="EdDSA", ttl=300))

    done = subprocess.run(
        ["sh", "-eu"],
        input=commands,
        cwd=tmp_path,
        env={"PATH": f"{tmp_path}:/usr/bin:/bin"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert (tmp_path / "said").read_text().split("END\n") == [
        "auth\nenable\njwt\n",
        "\n".join(
            [
                "write",
                "auth/jwt/config",
                f"oidc_discovery_url={ISSUER}",
                f"bound_issuer={ISSUER}",
                "jwt_supported_algs=EdDSA",
                "",
            ]
        ),
        "write\nauth/jwt/role/deploy-web\n-\n",
        "write\nauth/jwt/role/repo-ci-repository_id-456789\n-\n",
        "",
    ]
    assert json.loads((tmp_path / "repo-ci-repository_id-456789.json").read_text()) == {
        "role_type": "jwt",
        "user_claim": "sub",
        "bound_audiences": [HOSTILE],
        "bound_subject": "repo-ci:repository_id:456789",
        "bound_claims": {"client_id": "repo-ci", "token_type": "service"},
        "claim_mappings": {"jti": "broker_token"},
        "expiration_leeway": -1,
        "not_before_leeway": -1,
        "clock_skew_leeway": 30,
        "token_policies": ["repo-ci"],
        "token_ttl": 300,
        "token_max_ttl": 3600,
    }


# --- Kubernetes -----------------------------------------------------------------------------------


def test_the_binding_of_kubernetes_is_one_and_names_each_identity() -> None:
    binding = yaml.safe_load(files("kubernetes", trust())["role-binding.yaml"])

    kubernetes_validate.validate(binding, "1.32", strict=True)
    assert [each["name"] for each in binding["subjects"]] == [f"broker:{sub}" for sub in BOTH]


def test_no_name_of_kubernetes_itself_is_given_away() -> None:
    written = files("kubernetes", trust(subjects=(Subject("system", "system"),)))
    [trusted] = yaml.safe_load(written["authentication-config.yaml"])["jwt"]

    assert trusted["claimMappings"]["username"] == {"claim": "sub", "prefix": "broker:"}
    assert set(trusted) == {
        "issuer", "claimValidationRules", "claimMappings", "userValidationRules",
    }  # fmt: skip


def test_groups_of_the_service_become_groups_of_kubernetes_and_none_of_the_systems() -> None:
    groups = trust(claims={"groups": (parse_template("team:{metadata.team}"),)})
    [trusted] = yaml.safe_load(files("kubernetes", groups)["authentication-config.yaml"])["jwt"]
    [without] = yaml.safe_load(files("kubernetes", trust())["authentication-config.yaml"])["jwt"]

    assert trusted["claimMappings"]["groups"] == {"claim": "groups", "prefix": "broker:"}
    assert "user.groups" in trusted["userValidationRules"][1]["expression"]
    assert "groups" not in json.dumps(without)


# --- names ----------------------------------------------------------------------------------------


@settings(max_examples=30)
@given(NAMES)
def test_any_name_of_a_service_makes_names_that_clouds_allow(name: str) -> None:
    pool = block(text("gcp", trust(name=name)), POOL, label(name))
    role = block(text("terraform-aws", trust(name=name)), "aws_iam_role", label(name))

    pool_id = hcl_text(pool["workload_identity_pool_id"])
    assert 4 <= len(pool_id) <= 32
    assert not pool_id.startswith("gcp-")
    assert set(pool_id) <= set("abcdefghijklmnopqrstuvwxyz0123456789-")
    assert hcl_text(role["name"]) == name[:64]


@pytest.mark.parametrize("form", FORMS)
def test_no_place_is_left_and_every_text_ends_its_last_line(form: str) -> None:
    for written in files(form, trust()).values():
        assert "«" not in written
        assert written.endswith("\n")
        assert not any(line != line.rstrip() for line in written.splitlines())
