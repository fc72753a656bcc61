import pytest

from tests.settings.home import Home


@pytest.mark.parametrize(
    ("yaml", "said"),
    [
        ("isuer: x", "1:1: `isuer` is no setting; did you mean `issuer`?"),
        ("tokens: {max_tll: 1h}", "1:10: `max_tll` is no setting; did you mean `max_ttl`?"),
        ("max_ttl: 1h", "1:1: `max_ttl` is no setting; did you mean `max_ttl` below `tokens`?"),
        ("tokens.ttl: 1h", "1:1: `tokens.ttl` is no setting; did you mean `ttl` below `tokens`?"),
        ("audit: {leeway: 1s}", "1:9: `leeway` is no setting; did you mean `leeway` at the top?"),
        (
            "audit: {sink: x}",
            "1:9: `sink` is no setting; there are retention, stdout",
        ),
        (
            "rate_limits: {ip: 1}",
            "1:15: `ip` is no setting; there are address, client, failed",
        ),
        (
            "issuers: {github: {preset: github}}",
            "1:1: `issuers` belongs into a file in the folder `policies`, not here",
        ),
        (
            '"\\e[31m": 1',
            "1:1: the invisible or control character U+001B; delete it",
        ),
    ],
)
def test_an_unknown_key_is_refused_and_the_one_meant_is_named(
    home: Home, yaml: str, said: str
) -> None:
    assert said in {str(each).removeprefix("broker.yaml:") for each in home.problems(yaml)}


@pytest.mark.parametrize(
    ("variable", "said"),
    [
        ("BROKER_ISUER", "no setting; did you mean BROKER_ISSUER?"),
        ("BROKER_MAX_TTL", "no setting; did you mean BROKER_TOKENS__MAX_TTL?"),
        ("BROKER_TOKENS_MAX_TTL", "no setting; did you mean BROKER_TOKENS__MAX_TTL?"),
        ("BROKER_Issuer", "no setting; did you mean BROKER_ISSUER?"),
        ("BROKER_MASTERKEY", "no setting; did you mean BROKER_MASTER_KEY?"),
        (
            "BROKER_TOKENS",
            "a group of settings; set its members: BROKER_TOKENS__TTL, BROKER_TOKENS__MAX_TTL",
        ),
        (
            "BROKER_",
            "no setting; unset it (the reference of the configuration lists them all)",
        ),
        (
            "BROKER_DATABASE_URL",
            "no setting; unset it (the reference of the configuration lists them all)",
        ),
    ],
)
def test_an_unknown_variable_is_refused_and_its_value_is_not_shown(
    home: Home, variable: str, said: str
) -> None:
    assert home.says(environment={variable: "hunter2"}) == f"{variable}: {said}"


@pytest.mark.parametrize(
    "variable",
    [
        "BROKER_SERVICE_HOST",
        "BROKER_SERVICE_PORT",
        "BROKER_SERVICE_PORT_HTTPS",
        "BROKER_PORT",
        "BROKER_PORT_8080_TCP",
        "BROKER_PORT_8080_TCP_ADDR",
        "BROKER_REDIS_SERVICE_HOST",
        "BROKER_REDIS_PORT_6379_TCP_PROTO",
    ],
)
def test_the_variables_that_kubernetes_sets_are_explained(home: Home, variable: str) -> None:
    assert home.says(environment={variable: "10.0.0.1"}) == (
        f"{variable}: no setting, but what Kubernetes sets for a Service of that name; write"
        " `enableServiceLinks: false` into the pod's `spec`"
    )


def test_the_variables_of_the_client_are_left_alone(home: Home) -> None:
    of_the_client = [
        "BROKER_URL", "BROKER_SERVICE", "BROKER_SCOPE", "BROKER_TTL", "BROKER_SERVICE_ACCOUNT",
        "BROKER_AUTH", "BROKER_CLIENT_SECRET_FILE", "BROKER_ID_TOKEN", "BROKER_ID_TOKEN_FILE",
        "BROKER_HOSTS", "BROKER_OUT", "BROKER_TOKEN", "BROKER_TOKEN_EXPIRES_AT",
    ]  # fmt: skip

    assert home.load(environment=dict.fromkeys(of_the_client, "x\n")) == home.load()


def test_the_name_of_a_variable_cannot_break_a_line(home: Home) -> None:
    assert home.says(environment={"BROKER_\n\x1b[2J": ""}).startswith(
        "BROKER_\\n\\x1b[2J: no setting;"
    )
