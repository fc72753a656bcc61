"""What git, Docker and Terraform say, and for which service it counts."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker.client.credential_helpers import docker, git, terraform
from broker.client.credential_helpers.git import GitRequest, GitRequestRefused
from broker.client.credential_helpers.hosts import listed_hosts

HOSTS = listed_hosts("git.example.com=git-api,127.0.0.1:8080=local,index.docker.io=images")


def test_git_says_who_asks() -> None:
    asked = (
        "capability[]=authtype\ncapability[]=state\nprotocol=https\nhost=git.example.com\n"
        'path=team/app.git\nwwwauth[]=Basic realm="a\tb"\n\nhost=after.the.end\n'
    )

    assert git.read(asked) == GitRequest("https", "git.example.com", "")


def test_git_may_say_nothing_of_a_host() -> None:
    request = git.read("protocol=cert\npath=/home/me/key.pem\n")

    assert request == GitRequest("cert", "", "")
    assert git.service_for(request, HOSTS) is None


@pytest.mark.parametrize(
    ("protocol", "host", "username", "service"),
    [
        ("https", "git.example.com", "", "git-api"),
        ("https", "git.example.com", "oauth2", "git-api"),
        ("https", "git.example.com", "alice", None),
        ("http", "git.example.com", "", None),
        ("http", "127.0.0.1:8080", "", "local"),
        ("https", "127.0.0.1:8080", "", "local"),
        ("ssh", "git.example.com", "", None),
        ("", "git.example.com", "", None),
        ("https", "other.example.com", "", None),
    ],
)
def test_git_gets_a_token_for_a_listed_host_over_tls(
    protocol: str, host: str, username: str, service: str | None
) -> None:
    assert git.service_for(GitRequest(protocol, host, username), HOSTS) == service


@given(text=st.text())
def test_git_is_read_or_refused_whatever_it_says(text: str) -> None:
    try:
        request = git.read(text)
    except GitRequestRefused:
        return

    assert f"{request.protocol}{request.host}{request.username}".isprintable()


@pytest.mark.parametrize(
    ("server", "service"),
    [
        ("git.example.com", "git-api"),
        ("127.0.0.1:8080", "local"),
        ("https://index.docker.io/v1/", "images"),
        ("https://git.example.com", "git-api"),
        ("http://127.0.0.1:8080/v2/", "local"),
        ("http://git.example.com", None),
        ("ftp://git.example.com", None),
        ("other.example.com", None),
        ("", None),
    ],
)
def test_docker_gets_a_token_for_a_listed_server(server: str, service: str | None) -> None:
    assert docker.service_for(server, HOSTS) == service


@pytest.mark.parametrize("written", ["r.example.com", "r.example.com\n", "r.example.com\r\n"])
def test_docker_may_end_its_line(written: str) -> None:
    assert docker.server(written) == "r.example.com"


def test_terraform_gets_a_token_for_a_listed_host() -> None:
    assert terraform.service_for("git.example.com", HOSTS) == "git-api"
    assert terraform.service_for("other.example.com", HOSTS) is None
