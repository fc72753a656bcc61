"""What a token request may ask for, and how it is refused."""

import pytest

from broker.core.errors import Reason, RequestRefused
from broker.core.vocabulary import (
    TOKEN_TYPE_ACCESS_TOKEN,
    TOKEN_TYPE_ID_TOKEN,
    TOKEN_TYPE_JWT,
)
from broker.grants import jwt_bearer, token_exchange
from broker.grants.request import (
    MAX_ASKED_BYTES,
    MAX_CLIENT_ID_LENGTH,
    MAX_EXPIRES_IN,
    MAX_SCOPES,
    Caller,
    ExchangeRequest,
    Parameters,
    read_wanted,
    required,
    single,
)

CALLER = Caller("request-1")
TOKEN = "header.payload.signature"
EXCHANGE = {"subject_token": [TOKEN], "subject_token_type": [TOKEN_TYPE_JWT]}


def refusal_of(parameters: Parameters) -> RequestRefused:
    with pytest.raises(RequestRefused) as caught:
        read_wanted(parameters)
    return caught.value


def exchange_refusal(**changes: str) -> RequestRefused:
    with pytest.raises(RequestRefused) as caught:
        read_exchange(**changes)
    return caught.value


def read_exchange(**changes: str) -> ExchangeRequest:
    parameters = EXCHANGE | {name: [value] for name, value in changes.items()}
    return token_exchange.read_request(parameters, CALLER)


@pytest.mark.parametrize("parameters", [{}, {"scope": []}, {"scope": [""]}])
def test_an_empty_parameter_counts_as_absent(parameters: Parameters) -> None:
    assert single(parameters, "scope") is None


def test_a_required_parameter_is_named_when_it_is_missing() -> None:
    with pytest.raises(RequestRefused, match="'assertion'") as caught:
        required({}, "assertion")

    assert caught.value.reason is Reason.MALFORMED_REQUEST


def test_nothing_asked_for_leaves_the_choice_to_the_policies() -> None:
    wanted = read_wanted({"audience": [""], "resource": [""], "unknown": ["ignored"]})

    assert wanted.targets == ()
    assert wanted.scopes is None
    assert wanted.client_id is None
    assert wanted.expires_in is None


def test_audience_and_resource_together_name_the_targets_once_each() -> None:
    uri = "https://deploy.example.com"

    wanted = read_wanted({"audience": ["deploy-api", uri], "resource": [uri, "urn:x:deploy"]})

    assert wanted.targets == ("deploy-api", uri, "urn:x:deploy")


@pytest.mark.parametrize(
    "resource",
    ["deploy-api", "//deploy.example.com", "https:", "https://a.example#x", "https://[::1"],
)
def test_a_resource_is_an_absolute_uri_without_fragment(resource: str) -> None:
    assert refusal_of({"resource": [resource]}).reason is Reason.TARGET_UNKNOWN


def test_scopes_are_words_joined_by_single_spaces() -> None:
    wanted = read_wanted({"scope": ["deploy:write deploy:read deploy:write"]})

    assert wanted.scopes == ("deploy:write", "deploy:read")


@pytest.mark.parametrize(
    "scope",
    [
        " deploy:read",
        "deploy:read ",
        "deploy:read  deploy:write",
        "deploy:read\ndeploy:write",
        "deploy:read\tdeploy:write",
        'deploy:"read"',
        "deploy\\read",
        "deploy:réad",
        "deploy:read\x00",
        "*",
        "deploy:*",
        " ".join(f"s{number}" for number in range(MAX_SCOPES + 1)),
    ],
)
def test_any_other_scope_is_refused(scope: str) -> None:
    assert refusal_of({"scope": [scope]}).reason is Reason.SCOPE_NOT_ALLOWED


@pytest.mark.parametrize(
    ("parameters", "reason"),
    [
        ({"audience": ["a" * MAX_ASKED_BYTES + "a"]}, Reason.TARGET_UNKNOWN),
        ({"audience": ["é" * (MAX_ASKED_BYTES // 2), "a"]}, Reason.TARGET_UNKNOWN),
        ({"audience": ["a" * 4000], "resource": ["urn:" + "a" * 96]}, Reason.TARGET_UNKNOWN),
        ({"scope": ["s" * MAX_ASKED_BYTES + "s"]}, Reason.SCOPE_NOT_ALLOWED),
        ({"client_id": ["c" * MAX_CLIENT_ID_LENGTH + "c"]}, Reason.MALFORMED_REQUEST),
    ],
    ids=["one target", "in bytes", "all targets", "scope", "client_id"],
)
def test_what_is_longer_than_any_name_is_refused(parameters: Parameters, reason: Reason) -> None:
    assert refusal_of(parameters).reason is reason


@pytest.mark.parametrize(
    "parameters",
    [
        {"audience": ["a" * 4000, "a" * 4000], "resource": ["urn:" + "a" * 92]},
        {"scope": ["s" * MAX_ASKED_BYTES]},
        {"client_id": ["c" * MAX_CLIENT_ID_LENGTH]},
    ],
    ids=["targets", "scope", "client_id"],
)
def test_what_is_as_long_is_not(parameters: Parameters) -> None:
    read_wanted(parameters)


def test_as_many_scopes_as_allowed_may_be_asked_for() -> None:
    many = [f"s{number}" for number in range(MAX_SCOPES)]

    assert read_wanted({"scope": [" ".join(many)]}).scopes == tuple(many)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("1", 1), ("0600", 600), ("999999999", 999_999_999), ("9999999999", MAX_EXPIRES_IN)],
)
def test_expires_in_is_whole_seconds(text: str, seconds: int) -> None:
    assert read_wanted({"expires_in": [text]}).expires_in == seconds


@pytest.mark.parametrize("text", ["0", "00", "-5", "+5", "1.5", "1e3", "٦٠", "²", " 60", "9" * 11])
def test_any_other_expires_in_is_refused(text: str) -> None:
    assert refusal_of({"expires_in": [text]}).reason is Reason.MALFORMED_REQUEST


@pytest.mark.parametrize("token_type", [TOKEN_TYPE_JWT, TOKEN_TYPE_ID_TOKEN])
def test_a_token_exchange_takes_a_jwt_or_an_id_token(token_type: str) -> None:
    request = read_exchange(
        subject_token_type=token_type,
        requested_token_type=TOKEN_TYPE_ACCESS_TOKEN,
        client_id="deploy-web",
        expires_in="60",
        scope="deploy:read",
        audience="deploy-api",
    )

    assert request.subject_token == TOKEN
    assert request.caller is CALLER
    assert request.requested() == {
        "audience": ["deploy-api"],
        "scope": "deploy:read",
        "client_id": "deploy-web",
        "expires_in": 60,
    }


def test_a_request_does_not_show_its_token() -> None:
    assert TOKEN not in repr(read_exchange())


@pytest.mark.parametrize("missing", ["subject_token", "subject_token_type"])
def test_a_token_exchange_needs_a_token_and_its_type(missing: str) -> None:
    refusal = exchange_refusal(**{missing: ""})

    assert refusal.reason is Reason.MALFORMED_REQUEST
    assert f"'{missing}'" in refusal.description


@pytest.mark.parametrize(
    "token_type",
    [
        TOKEN_TYPE_ACCESS_TOKEN,
        "urn:ietf:params:oauth:token-type:refresh_token",
        "urn:ietf:params:oauth:token-type:saml1",
        "urn:ietf:params:oauth:token-type:saml2",
        "URN:IETF:PARAMS:OAUTH:TOKEN-TYPE:JWT",
        "jwt",
    ],
)
def test_no_other_type_of_subject_token_is_taken(token_type: str) -> None:
    refusal = exchange_refusal(subject_token_type=token_type)

    assert refusal.reason is Reason.UNSUPPORTED_TOKEN_TYPE
    assert "'subject_token_type'" in refusal.description


@pytest.mark.parametrize("token_type", [TOKEN_TYPE_ACCESS_TOKEN, TOKEN_TYPE_JWT])
def test_an_access_token_or_a_jwt_can_be_requested(token_type: str) -> None:
    request = read_exchange(requested_token_type=token_type)

    assert request.token_type == token_type


@pytest.mark.parametrize("token_type", [TOKEN_TYPE_ID_TOKEN, "bearer", "N_A"])
def test_nothing_else_can_be_requested(token_type: str) -> None:
    refusal = exchange_refusal(requested_token_type=token_type)

    assert refusal.reason is Reason.UNSUPPORTED_TOKEN_TYPE
    assert "'requested_token_type'" in refusal.description


@pytest.mark.parametrize("name", ["actor_token", "actor_token_type"])
def test_an_actor_is_refused_rather_than_ignored(name: str) -> None:
    refusal = exchange_refusal(**{name: TOKEN_TYPE_JWT})

    assert refusal.reason is Reason.MALFORMED_REQUEST
    assert "'actor_token'" in refusal.description


def test_the_jwt_bearer_grant_asks_for_the_same_in_other_words() -> None:
    request = jwt_bearer.read_request(
        {"assertion": [TOKEN], "resource": ["https://deploy.example.com"], "scope": ["a b"]}, CALLER
    )

    assert request.subject_token == TOKEN
    assert request.wanted.targets == ("https://deploy.example.com",)
    assert request.wanted.scopes == ("a", "b")


def test_the_jwt_bearer_grant_needs_an_assertion() -> None:
    with pytest.raises(RequestRefused, match="'assertion'"):
        jwt_bearer.read_request({"subject_token": [TOKEN]}, CALLER)
