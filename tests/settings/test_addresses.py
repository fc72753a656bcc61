import pytest

from tests.settings.home import STRONG_KEY, Home

KEY = {"BROKER_MASTER_KEY": STRONG_KEY}


@pytest.mark.parametrize(
    "issuer",
    [
        "https://broker.example.com",
        "https://broker.example.com:8443",
        "https://example.com/ci/broker",
        "https://xn--bcher-kva.example",
        "https://[2001:db8::1]:443",
        "https://192.0.2.1",
        "https://my_broker",
    ],
)
def test_an_https_url_is_an_issuer_as_it_is_written(home: Home, issuer: str) -> None:
    settings = home.load(environment={"BROKER_ISSUER": issuer, **KEY})

    assert (settings.issuer, settings.loopback) == (issuer, False)


@pytest.mark.parametrize(
    ("issuer", "fault"),
    [
        ("https://broker.example.com/", "it ends with a slash"),
        ("https://broker.example.com/a/", "it ends with a slash"),
        ("https://broker.example.com?", "an issuer has no query"),
        ("https://broker.example.com/a?b=c", "an issuer has no query"),
        ("https://broker.example.com#", "an issuer has no fragment"),
        ("https://me:hunter2@broker.example.com", "an issuer holds no user name or password"),
        ("https://@broker.example.com", "an issuer holds no user name or password"),
        ("https://Broker.example.com", "write scheme and host in lower case"),
        ("HTTPS://broker.example.com", "write scheme and host in lower case"),
        ("https://bücher.example", "a URL is written in ASCII without spaces"),
        ("https://broker.example.com/a b", "a URL is written in ASCII without spaces"),
        ("https://broker.example.com/a//b", "a path is made of"),
        ("https://broker.example.com/../a", "a path is made of"),
        ("https://broker.example.com/%61", "a path is made of"),
        ("https://broker.example.com/a\\b", "a path is made of"),
        ("https://broker.example.com:", "what follows the host is no port"),
        ("https://broker.example.com:0", "what follows the host is no port"),
        ("https://broker.example.com:65536", "what follows the host is no port"),
        ("https://broker.example.com:0443", "what follows the host is no port"),
        ("https://user:hunter2", "what follows the host is no port"),
        ("https://", "it ends with a slash"),
        ("https://:8443", "`` is no host name"),
        ("https://broker.example.com.", "`broker.example.com.` is no host name"),
        ("https://-a.example", "`-a.example` is no host name"),
        ("https://2130706433", "`2130706433` is no IPv4 address in its usual form"),
        ("https://127.1", "`127.1` is no IPv4 address in its usual form"),
        ("https://0x7f.0.0.0x1", "`0x7f.0.0.0x1` is no IPv4 address in its usual form"),
        ("https://[0:0::1]", "`[0:0::1]` is no IPv6 address in its usual form; write [::1]"),
        ("https://[::1%eth0]", "`[::1%eth0]` is no IPv6 address in its usual form; write [::1]"),
        ("https://" + "a" * 60 + ".example/" + "b" * 200, "longer than 255 characters"),
        ("broker.example.com", "not a URL such as https://broker.example.com"),
        ("ftp://broker.example.com", "not a URL such as https://broker.example.com"),
        ("https:broker.example.com", "not a URL such as https://broker.example.com"),
    ],
)
def test_what_clients_could_normalize_or_misread_is_no_issuer(
    home: Home, issuer: str, fault: str
) -> None:
    said = home.says(environment={"BROKER_ISSUER": issuer, **KEY})

    assert said.startswith(f"BROKER_ISSUER: {fault}")
    assert "hunter2" not in said


def test_http_is_for_loopback_alone(home: Home) -> None:
    said = home.says("issuer: http://broker.example.com", KEY)

    assert said == "broker.yaml:1:9: issuer: http is for loopback alone; write https"


@pytest.mark.parametrize("issuer", ["http://localhost:9", "http://127.0.0.9", "http://[::1]:80"])
def test_a_loopback_issuer_may_be_http(home: Home, issuer: str) -> None:
    settings = home.load(f"issuer: {issuer}")

    assert (settings.issuer, settings.loopback) == (issuer, True)


OPEN = ["0.0.0.0", "[::]", "192.0.2.1", "[::ffff:7f00:1]"]


@pytest.mark.parametrize("host", OPEN)
def test_a_loopback_issuer_on_an_open_address_is_refused(home: Home, host: str) -> None:
    """Attacks row 186."""
    said = home.says("issuer: http://127.0.0.1:8080", KEY, listen=f"{host}:8080")

    assert said == (
        f"--listen: {host.strip('[]')} is not on loopback, but the issuer is a loopback URL;"
        " listen on 127.0.0.1 or [::1], or set `issuer` to the public https URL"
    )


def test_off_loopback_the_issuer_is_required(home: Home) -> None:
    said = home.says("\nlisten: 0.0.0.0:80", KEY)

    assert said == (
        "broker.yaml:2:9: listen: 0.0.0.0 is not on loopback, so `issuer` is required: the public"
        " URL, such as https://broker.example.com"
    )


def test_a_public_issuer_behind_a_proxy_on_the_same_machine_is_not_loopback(home: Home) -> None:
    settings = home.load("issuer: https://broker.example.com", KEY, listen="127.0.0.1:8080")

    assert not settings.loopback


@pytest.mark.parametrize(
    ("listen", "address", "issuer"),
    [
        ("127.0.0.1:8081", ("127.0.0.1", 8081), "http://127.0.0.1:8081"),
        ("127.8.8.8:1", ("127.8.8.8", 1), "http://127.8.8.8:1"),
        ("[::1]:8080", ("::1", 8080), "http://[::1]:8080"),
        ("[0:0:0:0:0:0:0:1]:8080", ("::1", 8080), "http://[::1]:8080"),
        ("localhost:8080", ("localhost", 8080), "http://localhost:8080"),
        ("127.0.0.1:65535", ("127.0.0.1", 65535), "http://127.0.0.1:65535"),
    ],
)
def test_on_loopback_the_issuer_is_where_the_broker_listens(
    home: Home, listen: str, address: tuple[str, int], issuer: str
) -> None:
    settings = home.load(listen=listen)

    assert (settings.listen, settings.issuer, settings.loopback) == (address, issuer, True)


@pytest.mark.parametrize(
    "listen",
    [
        "8080",
        ":8080",
        "127.0.0.1",
        "127.0.0.1:",
        "127.0.0.1:65536",
        "127.0.0.1:080",
        "127.0.0.1:+80",
        "::1:8080",
        "[::1]",
        "[::1]8080",
        "[::1:8080",
        "http://127.0.0.1:8080",
        "127.0.0.1:8080 ",
        "*:8080",
        "[127.0.0.1]:8080",
        "[::1%lo]:8080",
        "broker.example.com:80",
        "127.1:80",
        "LOCALHOST:80",
        "[]:80",
        "",
    ],
)
def test_anything_but_an_address_and_a_port_is_nothing_to_listen_on(
    home: Home, listen: str
) -> None:
    found = home.problems(listen=listen)

    assert [each.file for each in found] == ["--listen"]


def test_a_port_alone_is_told_how_to_be_written(home: Home) -> None:
    said = home.says("listen: 8080")

    assert said == (
        "broker.yaml:1:9: listen: `8080` is not HOST:PORT; write 127.0.0.1:8080, [::1]:8080, or"
        " 0.0.0.0:8080 for every address of this machine"
    )


def test_with_port_zero_the_issuer_follows_the_port_that_the_system_chose(home: Home) -> None:
    settings = home.load(listen="[::1]:0").bound_to(43_210)

    assert (settings.listen, settings.issuer) == (("::1", 43_210), "http://[::1]:43210")


def test_a_configured_issuer_stays_whatever_port_the_system_chose(home: Home) -> None:
    settings = home.load("issuer: http://localhost:80", listen="127.0.0.1:0").bound_to(43_210)

    assert (settings.listen, settings.issuer) == (("127.0.0.1", 43_210), "http://localhost:80")


@pytest.mark.parametrize(
    ("yaml", "listen", "what"),
    [
        ("", "0.0.0.0:80", "the listen address 0.0.0.0 is"),
        ("issuer: https://broker.example.com", None, "the issuer is"),
        ("issuer: http://127.0.0.1", "[::]:80", "the listen address :: is"),
    ],
)
def test_dev_runs_on_loopback_alone(home: Home, yaml: str, listen: str | None, what: str) -> None:
    said = home.says(yaml, KEY, listen=listen, dev=True)

    assert said == (
        f"--dev: {what} not on loopback; listen on 127.0.0.1 or [::1] and set no other issuer"
    )


@pytest.mark.parametrize(
    ("item", "fault"),
    [
        ("10.0.0.1/8", "`10.0.0.1/8` is an address inside a network; write 10.0.0.0/8"),
        ("0.0.0.0/0", "`0.0.0.0/0` is everyone; name the networks of the proxies"),
        ('"::/0"', "`::/0` is everyone; name the networks of the proxies"),
        ("proxy.example", "`proxy.example` is no IP address or network such as 10.0.0.0/8"),
        ('"fe80::1%eth0"', "`fe80::1%eth0` is no IP address or network such as 10.0.0.0/8"),
        ("10.0.0.0/33", "`10.0.0.0/33` is no IP address or network such as 10.0.0.0/8"),
        ("10", "a number where a text belongs; put it into quotes"),
    ],
)
def test_only_real_networks_are_trusted_proxies(home: Home, item: str, fault: str) -> None:
    said = home.says(f"trusted_proxies:\n  - 192.0.2.1\n  - {item}\n")

    assert said == f"broker.yaml:3:5: trusted_proxies: {fault}"


@pytest.mark.parametrize(
    ("item", "fault"),
    [
        ("https://keys.example.com", "`https://keys.example.com` is no host name"),
        ("keys.example.com:443", "`keys.example.com:443` is no host name"),
        ("'*.example.com'", "`*.example.com`: no wildcards; name every host"),
        ("Keys.example.com", "write `Keys.example.com` in lower case"),
        ("''", "`` is no host name"),
    ],
)
def test_only_plain_hosts_are_jwks_hosts(home: Home, item: str, fault: str) -> None:
    assert home.says(f"jwks_hosts: [{item}]") == f"broker.yaml:1:14: jwks_hosts: {fault}"


def test_addresses_may_be_jwks_hosts(home: Home) -> None:
    settings = home.load("jwks_hosts: [192.0.2.1, '2001:db8::1']")

    assert settings.jwks_hosts == ("192.0.2.1", "2001:db8::1")


@pytest.mark.parametrize("host", OPEN)
def test_an_admin_address_off_loopback_takes_the_broker_off_loopback(home: Home, host: str) -> None:
    told = host.strip("[]")
    admin = {"BROKER_ADMIN_LISTEN": f"{host}:8081", **KEY}

    assert home.says("", admin).startswith(
        f"BROKER_ADMIN_LISTEN: {told} is not on loopback, so `issuer` is required"
    )
    assert home.says("issuer: http://127.0.0.1:8080", admin).startswith(
        f"BROKER_ADMIN_LISTEN: {told} is not on loopback, but the issuer is a loopback URL"
    )
    assert "the key must be there before the first start" in home.says(
        "issuer: https://broker.example.com", {"BROKER_ADMIN_LISTEN": f"{host}:8081"}
    )
    said = home.says("", admin, dev=True)
    assert said.startswith(f"--dev: the listen address {told} is not on loopback")


def test_an_admin_address_on_loopback_changes_nothing_else(home: Home) -> None:
    settings = home.load("admin_listen: 127.0.0.1:8081")

    assert settings.loopback
    assert settings.issuer == "http://127.0.0.1:8080"
    assert settings.admin_listen == ("127.0.0.1", 8081)
    assert home.load("").admin_listen is None


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.2", "[::1]"])
def test_the_admin_port_is_a_port_of_its_own(home: Home, host: str) -> None:
    assert home.says(f"admin_listen: '{host}:8080'") == (
        "broker.yaml:1:15: admin_listen: 8080 is the port of `listen`, too; choose another"
    )
    assert home.says(f"admin_listen: '{host}:9000'", listen="127.0.0.1:9000").startswith(
        "broker.yaml:1:15: admin_listen: 9000 is the port of `listen`, too"
    )


def test_both_ports_may_be_chosen_by_the_system(home: Home) -> None:
    bound = home.load("admin_listen: 127.0.0.1:0", listen="127.0.0.1:0").bound_to(43_210, 43_211)

    assert (bound.listen, bound.admin_listen) == (("127.0.0.1", 43_210), ("127.0.0.1", 43_211))
