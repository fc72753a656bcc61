"""BROKER_HOSTS: what it may hold, and that a host is found as it is written alone."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker.client.credential_helpers.hosts import HostsRefused, host_name, listed_hosts

HOSTS = "git.example.com=git-api,registry.example.com:5000=images,[::1]:8443=local"


def test_each_host_has_its_service() -> None:
    hosts = listed_hosts(HOSTS)

    assert hosts.service_of("git.example.com") == "git-api"
    assert hosts.service_of("registry.example.com:5000") == "images"
    assert hosts.service_of("[::1]:8443") == "local"


def test_a_service_may_be_an_audience() -> None:
    hosts = listed_hosts("git.example.com=https://git.example.com/api?v=1")

    assert hosts.service_of("git.example.com") == "https://git.example.com/api?v=1"


def test_a_host_alone_is_one_of_the_default_service() -> None:
    hosts = listed_hosts(" git.example.com , b.example.com=other,", default_service="git-api")

    assert hosts.services == {"git.example.com": "git-api", "b.example.com": "other"}


def test_nothing_lists_nothing() -> None:
    assert listed_hosts("").services == {}


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("https://git.example.com=a", "is no host"),
        ("git.example.com/team=a", "is no host"),
        ("*.example.com=a", "is no host"),
        (".example.com=a", "is no host"),
        ("git.example.com.=a", "is no host"),
        ("GIT.example.com=a", "in small letters"),
        ("user@git.example.com=a", "is no host"),
        ("git.example.com:=a", "is no host"),
        ("git.example.com:0443=a", "is no host"),
        ("git..example.com=a", "is no host"),
        ("-git.example.com=a", "is no host"),
        ("bücher.example=a", "is no host"),
        ("git.example.com\n=a", "is no host"),
        ("=a", "is no host"),
        ("git.example.com", "which service is git.example.com of"),
        ("git.example.com=", "which service is git.example.com of"),
        ("git.example.com=a b", "which service"),
        ("git.example.com=a,git.example.com=b", "git.example.com is there twice"),
    ],
)
def test_what_is_not_a_host_and_a_service_is_refused(text: str, why: str) -> None:
    with pytest.raises(HostsRefused, match=why):
        listed_hosts(text)


@given(host=st.text(), listed=st.sampled_from(HOSTS.split(",")))
def test_only_what_is_written_is_found(host: str, listed: str) -> None:
    hosts = listed_hosts(HOSTS)
    name = listed.partition("=")[0]

    assert hosts.service_of(host) is None
    for other in (host + name, name + host):
        assert (hosts.service_of(other) is not None) == (host == "")


@pytest.mark.parametrize(
    ("host", "name"),
    [
        ("git.example.com", "git.example.com"),
        ("127.0.0.1:8080", "127.0.0.1"),
        ("[::1]:8080", "::1"),
        ("[::1]", "::1"),
        ("", ""),
    ],
)
def test_a_host_without_its_port(host: str, name: str) -> None:
    assert host_name(host) == name
