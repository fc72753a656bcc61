"""A URL that leads a tool to a stranger's host, so that its helper hands over a token.

Each is a way in which credential helpers have answered for a host that they were not set up for.
"""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker.client.credential_helpers import docker, git, terraform
from broker.client.credential_helpers.git import GitRequest, GitRequestRefused
from broker.client.credential_helpers.hosts import listed_hosts

HOSTS = listed_hosts(
    "git.example.com=git-api,registry.example.com:5000=images,127.0.0.1:8080=local"
)

LOOKALIKES = [
    pytest.param("git.example.com.evil.example", id="suffix"),
    pytest.param("evil-git.example.com", id="prefix"),
    pytest.param("evilgit.example.com", id="prefix without a dot"),
    pytest.param("sub.git.example.com", id="subdomain"),
    pytest.param("example.com", id="parent"),
    pytest.param("git.example.com.", id="trailing dot"),
    pytest.param("GIT.example.com", id="upper case"),
    pytest.param("git.example.com:443", id="port that goes without saying"),
    pytest.param("git.example.com:8443", id="another port"),
    pytest.param("registry.example.com", id="port left out"),
    pytest.param("registry.example.com:5001", id="another port than listed"),
    pytest.param("registry.example.com:05000", id="port with a zero"),
    pytest.param("registry.example.com:50000", id="longer port"),
    pytest.param("git.example.com@evil.example", id="userinfo"),
    pytest.param("evil.example@git.example.com", id="userinfo before"),
    pytest.param("oauth2:x@git.example.com", id="name and password"),
    pytest.param("git.example.com\\@evil.example", id="backslash"),
    pytest.param("git.example.com#@evil.example", id="fragment"),
    pytest.param("git.example.com?evil.example", id="query"),
    pytest.param("git.example.com%2eevil.example", id="encoded dot"),
    pytest.param("git.example.com%00.evil.example", id="encoded NUL"),
    pytest.param("git.example.com\0.evil.example", id="NUL"),
    pytest.param("git.example.com\n", id="line feed"),
    pytest.param("git.example.com\r", id="carriage return"),
    pytest.param("git.example.com\nevil.example", id="second line"),
    pytest.param("evil.example\ngit.example.com", id="second line listed"),
    pytest.param(" git.example.com", id="space"),
    pytest.param("git.example.com\t", id="tab"),
    pytest.param("git\u3002example.com", id="ideographic full stop"),
    pytest.param("g\u0456t.example.com", id="Cyrillic i"),
    pytest.param("\uff47it.example.com", id="full width"),
    pytest.param("*", id="star"),
    pytest.param("*.example.com", id="pattern"),
    pytest.param("", id="nothing"),
    pytest.param("127.0.0.1:8080.evil.example", id="loopback as a prefix"),
    pytest.param("2130706433:8080", id="loopback as a number"),
    pytest.param("[::ffff:127.0.0.1]:8080", id="loopback inside IPv6"),
]


@pytest.mark.parametrize("host", LOOKALIKES)
def test_no_tool_gets_a_token_for_a_lookalike(host: str) -> None:
    assert git.service_for(GitRequest("https", host, ""), HOSTS) is None
    assert git.service_for(GitRequest("http", host, ""), HOSTS) is None
    assert terraform.service_for(host, HOSTS) is None
    assert docker.service_for(f"https://{host}/v1/", HOSTS) is None
    assert docker.service_for(f"http://{host}/v1/", HOSTS) is None


@pytest.mark.parametrize("host", LOOKALIKES)
def test_docker_gets_no_token_for_a_lookalike_without_a_scheme(host: str) -> None:
    # A line feed at the end is how a line ends; what stands before it is the server.
    if host.rstrip("\r\n") != "git.example.com":
        assert docker.service_for(docker.server(host), HOSTS) is None


@given(host=st.text())
def test_no_other_text_is_a_listed_host(host: str) -> None:
    assert git.service_for(GitRequest("https", host, ""), HOSTS) is None
    assert docker.service_for(host, HOSTS) is None
    assert terraform.service_for(host, HOSTS) is None


@pytest.mark.parametrize(
    "host",
    ["git.example.com", "localhost.example.com:8080", "127.0.0.1.example.com:8080", "0.0.0.0:8080"],
)
def test_git_sends_no_token_in_plain_text(host: str) -> None:
    listed = listed_hosts(f"{host}=git-api")

    assert git.service_for(GitRequest("http", host, ""), listed) is None
    assert git.service_for(GitRequest("https", host, ""), listed) == "git-api"
    assert docker.service_for(f"http://{host}/", listed) is None


@pytest.mark.parametrize(
    "asked",
    [
        # CVE-2020-5260: https://evil.example?%0ahost=git.example.com/
        pytest.param(
            "protocol=https\nhost=evil.example?\nhost=git.example.com\n", id="second host"
        ),
        pytest.param("protocol=http\nprotocol=https\nhost=git.example.com\n", id="protocol"),
        pytest.param("username=a\nusername=oauth2\nhost=git.example.com\n", id="username"),
        # CVE-2024-52006: readers that take a carriage return for the end of a line
        pytest.param("protocol=https\nhost=evil.example\rhost=git.example.com\n", id="return"),
        pytest.param("protocol=https\r\nhost=git.example.com\r\n", id="returns"),
        pytest.param("protocol=https\nhost=git.example.com\0.evil.example\n", id="NUL"),
        pytest.param("protocol=https\nhost=git.example.com\x85host=x\n", id="next line"),
        pytest.param("protocol=https\nhost=git.example.com\u2028host=x\n", id="line separator"),
        pytest.param("protocol=https\nhost=git.example.com\x0bhost=x\n", id="vertical tab"),
        pytest.param("protocol=https\nhost=git.example.com\x1b[2J\n", id="escape"),
        pytest.param("url=https://git.example.com/\nhost=evil.example\n", id="url"),
        pytest.param("host=git.example.com\nevil\n", id="no equals sign"),
        pytest.param("protocol=https\nhost=git.example.com\npath=\udcff\n", id="not UTF-8"),
    ],
)
def test_git_cannot_be_made_to_say_two_things(asked: str) -> None:
    with pytest.raises(GitRequestRefused):
        git.read(asked)


def test_a_host_behind_the_end_of_the_request_does_not_count() -> None:
    # CVE-2020-11008: a URL without a host, which made helpers answer for any.
    request = git.read("protocol=https\n\nhost=git.example.com\n")

    assert git.service_for(request, HOSTS) is None
    assert git.service_for(git.read("protocol=https\nhost=\n"), HOSTS) is None
    assert git.service_for(git.read("host=git.example.com\n"), HOSTS) is None
    assert git.service_for(git.read(""), HOSTS) is None
