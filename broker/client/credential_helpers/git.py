"""git's protocol with its credential helpers (git-credential, gitcredentials)."""

from dataclasses import dataclass
from typing import Final

from broker.client.credential_helpers.hosts import ListedHosts, host_name
from broker.client.errors import Misuse
from broker.client.formats.variables import BASIC_USERNAME
from broker.core.loopback import is_loopback

QUIT: Final = "quit=true\n"
"""Tells git to ask neither other helpers nor a person."""

# Every other key comes at most once. A list holds what the server said, and not who asks.
_LIST: Final = "[]"


class GitRequestRefused(Misuse):
    """git would not write this: somebody else speaks through it."""


@dataclass(frozen=True, slots=True)
class GitRequest:
    """Who asks git for a credential."""

    protocol: str
    host: str
    username: str


def read(text: str) -> GitRequest:
    """Read `key=value` lines up to an empty one. Raises `GitRequestRefused`.

    NOTE: a URL with an encoded line feed or carriage return has made git write a second `host`
    (CVE-2020-5260, CVE-2024-52006): what comes twice, or holds a control character, is refused.
    """
    found: dict[str, str] = {}
    for line in text.split("\n"):
        if not line:
            break
        key, equals, value = line.partition("=")
        if equals and key.endswith(_LIST):
            continue
        if not equals or not line.isprintable():
            raise GitRequestRefused("a line of the request is not key=value in printable text")
        if key in found:
            raise GitRequestRefused(f"the request has {key!a} twice")
        found[key] = value
    if "url" in found:
        raise GitRequestRefused("the request has a 'url', which git takes apart for helpers")
    return GitRequest(found.get("protocol", ""), found.get("host", ""), found.get("username", ""))


def service_for(request: GitRequest, hosts: ListedHosts) -> str | None:
    """Give the service whose token this request may have; None for no token."""
    secure = request.protocol == "https" or (
        request.protocol == "http" and is_loopback(host_name(request.host))
    )
    if not secure or request.username not in ("", BASIC_USERNAME):
        return None
    return hosts.service_of(request.host)
