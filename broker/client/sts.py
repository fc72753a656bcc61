"""AWS STS: a service token for keys, by AssumeRoleWithWebIdentity, which needs no keys itself."""

import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit
from xml.parsers import expat

import httpx

from broker.client.errors import BrokerTrouble, ClientError, Misuse, Refused
from broker.client.formats.aws import AwsCredentials
from broker.client.formats.rendering import token_text
from broker.client.service_token import ServiceToken
from broker.core.loopback import is_loopback
from broker.core.printable import printable

_REGION: Final = re.compile(r"[a-z]{2}(-[a-z]+)+-[0-9]{1,2}")
_ROLE: Final = re.compile(r"arn:aws[a-z-]*:iam::[0-9]{12}:role/[\x21-\x7e]+")
_NOT_IN_A_SESSION_NAME: Final = re.compile(r"[^A-Za-z0-9+=,.@-]")
_SHORTEST_NAME: Final = 2
_LONGEST_NAME: Final = 64
_MAX_ANSWER: Final = 65_536
_TIMEOUT: Final = 10.0
_PAUSES: Final = (0.3, 1.0)
_SERVER_ERROR: Final = 500
_OK: Final = 200


class StsMisused(Misuse):
    """What the environment says about AWS does not hold; the message says what to set."""


class StsRefused(ClientError):
    """STS does not give keys for this token; the message has its words, and no token."""

    exit_code = Refused.exit_code


class StsUnreachable(BrokerTrouble):
    """STS gave no answer that counts."""


@dataclass(frozen=True, slots=True)
class StsRequest:
    """Where to ask for which role, and under which name the session is in CloudTrail."""

    endpoint: str
    role: str
    session_name: str


def sts_request(environment: Mapping[str, str], token: ServiceToken) -> StsRequest:
    """Read the variables that the AWS SDKs read, too. Raises `StsMisused`."""
    role = environment.get("AWS_ROLE_ARN", "")
    if not _ROLE.fullmatch(role):
        raise StsMisused("AWS_ROLE_ARN must name the role to take: arn:aws:iam::ACCOUNT:role/NAME")
    name = environment.get("AWS_ROLE_SESSION_NAME") or token.service_account
    name = _NOT_IN_A_SESSION_NAME.sub("-", name)[:_LONGEST_NAME]
    return StsRequest(
        endpoint=_endpoint(environment),
        role=role,
        session_name=name if len(name) >= _SHORTEST_NAME else "broker",
    )


def assume_role(
    request: StsRequest, token: ServiceToken, *, sleep: Callable[[float], None] = time.sleep
) -> AwsCredentials:
    """Ask STS for keys, again where it did not answer: the token counts as often as it is sent.

    Raises `StsRefused` and `StsUnreachable`.
    """
    form = {
        "Action": "AssumeRoleWithWebIdentity",
        "Version": "2011-06-15",
        "RoleArn": request.role,
        "RoleSessionName": request.session_name,
        "WebIdentityToken": token_text(token),
    }
    for pause in _PAUSES:
        try:
            return _asked_once(request.endpoint, form)
        except StsUnreachable:
            sleep(pause)
    return _asked_once(request.endpoint, form)


def _endpoint(environment: Mapping[str, str]) -> str:
    if own := environment.get("AWS_ENDPOINT_URL_STS", ""):
        if not _is_secure(own):
            raise StsMisused("AWS_ENDPOINT_URL_STS must be an https URL: a token is sent there")
        return own
    region = environment.get("AWS_REGION") or environment.get("AWS_DEFAULT_REGION") or ""
    if not region:
        return "https://sts.amazonaws.com"
    if not _REGION.fullmatch(region):
        raise StsMisused("AWS_REGION is no name of a region")
    suffix = ".cn" if region.startswith("cn-") else ""
    return f"https://sts.{region}.amazonaws.com{suffix}"


def _is_secure(url: str) -> bool:
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    if not parts.hostname or "@" in parts.netloc:
        return False
    return parts.scheme == "https" or (parts.scheme == "http" and is_loopback(parts.hostname))


def _asked_once(endpoint: str, form: Mapping[str, str]) -> AwsCredentials:
    try:
        with (
            httpx.Client(timeout=_TIMEOUT) as http,
            http.stream("POST", endpoint, data=form) as answer,
        ):
            body = b""
            for piece in answer.iter_bytes():
                body += piece
                if len(body) > _MAX_ANSWER:
                    raise StsUnreachable("STS answered with more than an answer of STS")
    except httpx.HTTPError as error:
        raise StsUnreachable(f"STS did not answer: {type(error).__name__}") from None
    if answer.status_code >= _SERVER_ERROR:
        raise StsUnreachable(f"STS answered with status {answer.status_code}")
    found = _texts(body)
    if answer.status_code != _OK:
        code, message = found.get("Code", ""), found.get("Message", "")
        raise StsRefused(
            printable(
                f"STS refused the token for this role: {code or answer.status_code} {message}"
            )
        )
    try:
        return AwsCredentials(
            access_key_id=found["AccessKeyId"],
            secret_access_key=found["SecretAccessKey"],
            session_token=found["SessionToken"],
            expiration=found["Expiration"],
        )
    except KeyError as error:
        raise StsUnreachable(f"the answer of STS has no {error.args[0]}") from None


class _DocumentType(Exception):
    """The answer declares entities, as one that means harm would."""


def _texts(body: bytes) -> dict[str, str]:
    """Read the text of each element by its name, the first of a name. Raises `StsUnreachable`."""
    parser = expat.ParserCreate(namespace_separator=" ")
    found: dict[str, str] = {}
    path: list[tuple[str, list[str]]] = []

    def start(name: str, _attributes: object) -> None:
        path.append((name.rpartition(" ")[2], []))

    def data(text: str) -> None:
        if path:
            path[-1][1].append(text)

    def end(_name: str) -> None:
        name, pieces = path.pop()
        found.setdefault(name, "".join(pieces).strip())

    def refuse(*_: object) -> None:
        raise _DocumentType

    parser.StartElementHandler = start
    parser.CharacterDataHandler = data
    parser.EndElementHandler = end
    # NOTE: without a document type there are no entities, so none that grow or read files.
    parser.StartDoctypeDeclHandler = refuse
    try:
        parser.Parse(body, True)  # noqa: FBT003 - its only form: "this is the end"
    except (_DocumentType, expat.ExpatError):
        raise StsUnreachable("the answer of STS is no XML that it would send") from None
    return found
