from ipaddress import ip_network
from pathlib import Path

from broker.core.delegation import Delegation
from broker.core.limits import Rate
from broker.settings import (
    AuditSettings,
    MetricsSettings,
    RateLimitSettings,
    Settings,
    SigningSettings,
    SqliteStoreLocation,
    TokenSettings,
)
from tests.settings.home import STRONG_KEY, Home

EVERYTHING = """
issuer: https://broker.example.com
listen: 0.0.0.0:443
policies: rules
store: sqlite:/var/lib/broker/broker.db
master_key_file: secrets/master.key
signing: {algorithms: [ES256], rotate_every: 7d, publish_before_use: 2h}
tokens: {ttl: 5m, max_ttl: 24h}
secret_prefix: test
max_accounts: 7
leeway: 5m
trusted_proxies: [10.0.0.0/8, "::1"]
jwks_hosts: [keys.example.com]
rate_limits: {client: 5/s, address: off, failed: 100/h}
audit: {retention: 1d, stdout: false}
metrics: {public: true}
folders: {teams/web/: {maps: [tests]}}
"""


def test_without_any_configuration_every_default_holds(home: Home) -> None:
    settings = home.load()

    assert settings == Settings(
        issuer="http://127.0.0.1:8080",
        listen=("127.0.0.1", 8080),
        policies=home.path / "policies",
        store=SqliteStoreLocation(home.path / "data/broker.db"),
        master_key_file=home.path / "data/master.key",
        master_key=None,
        signing=SigningSettings(("RS256", "ES256"), 30 * 86_400, 86_400),
        tokens=TokenSettings(600, 3600),
        secret_prefix="live",
        max_accounts=100,
        leeway=60,
        trusted_proxies=(),
        jwks_hosts=(),
        rate_limits=RateLimitSettings(Rate(600, 60), Rate(6000, 60), Rate(600, 60)),
        audit=AuditSettings(90 * 86_400, stdout=True),
        metrics=MetricsSettings(public=False),
        folders=(),
        loopback=True,
        dev=False,
    )


def test_every_key_of_the_file_is_read(home: Home) -> None:
    (home.path / "rules").mkdir()
    (home.path / "secrets").mkdir()
    (home.path / "secrets/master.key").write_text(STRONG_KEY)

    settings = home.load(EVERYTHING)

    assert settings == Settings(
        issuer="https://broker.example.com",
        listen=("0.0.0.0", 443),
        policies=home.path / "rules",
        store=SqliteStoreLocation(Path("/var/lib/broker/broker.db")),
        master_key_file=home.path / "secrets/master.key",
        master_key=None,
        signing=SigningSettings(("ES256",), 7 * 86_400, 7200),
        tokens=TokenSettings(300, 86_400),
        secret_prefix="test",
        max_accounts=7,
        leeway=300,
        trusted_proxies=(ip_network("10.0.0.0/8"), ip_network("::1")),
        jwks_hosts=("keys.example.com",),
        rate_limits=RateLimitSettings(Rate(5, 1), None, Rate(100, 3600)),
        audit=AuditSettings(86_400, stdout=False),
        metrics=MetricsSettings(public=True),
        folders=(Delegation("teams/web", ("tests",)),),
        loopback=False,
        dev=False,
    )


def test_every_key_can_be_a_variable(home: Home) -> None:
    (home.path / "rules").mkdir()
    (home.path / "secrets").mkdir()
    (home.path / "secrets/master.key").write_text(STRONG_KEY)
    from_file = home.load(EVERYTHING)
    (home.path / "broker.yaml").unlink()

    from_variables = home.load(
        environment={
            "BROKER_ISSUER": "https://broker.example.com",
            "BROKER_LISTEN": "0.0.0.0:443",
            "BROKER_POLICIES": "rules",
            "BROKER_STORE": "sqlite:/var/lib/broker/broker.db",
            "BROKER_MASTER_KEY_FILE": "secrets/master.key",
            "BROKER_SIGNING__ALGORITHMS": "ES256",
            "BROKER_SIGNING__ROTATE_EVERY": "7d",
            "BROKER_SIGNING__PUBLISH_BEFORE_USE": "2h",
            "BROKER_TOKENS__TTL": "5m",
            "BROKER_TOKENS__MAX_TTL": "24h",
            "BROKER_SECRET_PREFIX": "test",
            "BROKER_MAX_ACCOUNTS": "7",
            "BROKER_LEEWAY": "5m",
            "BROKER_TRUSTED_PROXIES": "10.0.0.0/8,::1",
            "BROKER_JWKS_HOSTS": "[keys.example.com]",
            "BROKER_RATE_LIMITS__CLIENT": "5/s",
            "BROKER_RATE_LIMITS__ADDRESS": "off",
            "BROKER_RATE_LIMITS__FAILED": "100/h",
            "BROKER_AUDIT__RETENTION": "1d",
            "BROKER_AUDIT__STDOUT": "false",
            "BROKER_METRICS__PUBLIC": "true",
            "BROKER_FOLDERS": "{teams/web: {maps: [tests]}}",
        }
    )

    assert from_variables == from_file


def test_a_variable_wins_over_the_file_and_an_option_over_both(home: Home) -> None:
    yaml = "listen: 127.0.0.1:1\nleeway: 1s\nmax_accounts: 1\n"
    environment = {"BROKER_LISTEN": "127.0.0.1:2", "BROKER_LEEWAY": "2s"}

    settings = home.load(yaml, environment, listen="127.0.0.1:3")

    assert (settings.listen, settings.leeway, settings.max_accounts) == (("127.0.0.1", 3), 2, 1)


def test_a_variable_sets_one_member_of_a_group_and_leaves_the_others(home: Home) -> None:
    settings = home.load("tokens: {ttl: 2m, max_ttl: 3m}", {"BROKER_TOKENS__TTL": "1m"})

    assert settings.tokens == TokenSettings(60, 180)


def test_paths_are_relative_to_the_file_that_names_them(home: Home) -> None:
    (home.path / "etc/policies").mkdir(parents=True)
    config_file = home.path / "etc/broker.yaml"
    config_file.write_text("policies: policies\nstore: sqlite:b.db\nmaster_key_file: /keys/m\n")

    settings = home.load(config_file=Path("etc/broker.yaml"))

    assert settings.policies == home.path / "etc/policies"
    assert settings.store == SqliteStoreLocation(home.path / "etc/b.db")
    assert settings.master_key_file == Path("/keys/m")


def test_paths_of_variables_and_defaults_are_relative_to_the_working_directory(home: Home) -> None:
    (home.path / "etc").mkdir()
    config_file = home.path / "etc/broker.yaml"
    config_file.write_text("store: sqlite:b.db")

    settings = home.load(environment={"BROKER_STORE": "sqlite:c.db"}, config_file=config_file)

    assert settings.store == SqliteStoreLocation(home.path / "c.db")
    assert settings.policies == home.path / "policies"


def test_a_named_file_must_exist_and_the_default_one_need_not(home: Home) -> None:
    home.load()

    said = home.says(config_file=Path("other.yaml"))

    assert said == "other.yaml: no such file; create it, or name another with --config"


def test_a_default_file_that_is_a_broken_link_is_no_absent_file(home: Home) -> None:
    (home.path / "broker.yaml").symlink_to("elsewhere.yaml")

    assert home.says().startswith("broker.yaml: no such file")


def test_a_folder_in_the_place_of_the_file_is_said(home: Home) -> None:
    (home.path / "broker.yaml").mkdir()

    said = home.says()

    assert said == (
        "broker.yaml: cannot be read: Is a directory; mend its rights, or name another file"
    )


def test_an_empty_file_gives_the_defaults(home: Home) -> None:
    assert home.load("# nothing yet\n") == home.load(b"")


def test_a_file_that_is_not_utf8_is_refused_with_its_place(home: Home) -> None:
    problem = home.problems(b"leeway: 1s\nissuer: \xff\n")[0]

    assert (problem.file, problem.line, problem.column) == ("broker.yaml", 2, 9)


def test_a_file_that_is_not_yaml_is_said_beside_the_faults_of_variables(home: Home) -> None:
    said = [
        str(each)
        for each in home.problems("tokens: {\n", {"BROKER_LEEWAY": "6m", "BROKER_ISUER": "x"})
    ]

    assert said[0].startswith("broker.yaml:2:1: not YAML:")
    assert said[1:] == [
        "BROKER_ISUER: no setting; did you mean BROKER_ISSUER?",
        "BROKER_LEEWAY: `6m` must be from 0s to 5m",
    ]


def test_what_stands_only_in_a_broken_file_is_not_missed_as_well(home: Home) -> None:
    found = home.problems("issuer: https://a.example\nlisten: [\n", listen="0.0.0.0:80")

    assert {each.file for each in found} == {"broker.yaml"}


def test_all_problems_of_all_sources_are_listed_at_once_in_the_order_of_the_file(
    home: Home,
) -> None:
    yaml = (
        "max_accounts: many\n"
        "policies: absent\n"
        "signing: {algorithms: [RS256, HS256], rotate_every: 1h}\n"
        "unknown: 1\n"
        "leeway: 10\n"
        "audit: {stdout: 'true'}\n"
    )

    found = home.problems(yaml, {"BROKER_TOKENS__TTL": "2h", "BROKER_X": ""}, listen="8080")

    assert [(each.file, each.line, each.column) for each in found] == [
        ("broker.yaml", 1, 15),
        ("broker.yaml", 2, 11),
        ("broker.yaml", 3, 31),
        ("broker.yaml", 3, 53),
        ("broker.yaml", 4, 1),
        ("broker.yaml", 5, 9),
        ("broker.yaml", 6, 17),
        ("BROKER_X", 0, 0),
        ("--listen", 0, 0),
        ("BROKER_TOKENS__TTL", 0, 0),
    ]


def test_a_refused_value_causes_no_second_problem(home: Home) -> None:
    said = home.says("tokens: {ttl: 90m, max_ttl: 2 hours}")

    assert said.startswith("broker.yaml:1:29: tokens.max_ttl: `2 hours` must be one number")


def test_variables_of_others_are_left_alone(home: Home) -> None:
    assert home.load(environment={"PATH": "/bin", "broker_leeway": "x", "BROKER": "x"}).leeway == 60
