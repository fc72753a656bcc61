"""One request for a service token, and how its answer is read."""

import re
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final, TypeGuard

from broker.client.broker_url import same_origin
from broker.client.errors import BrokerTrouble, IdentityExpired, Misuse, Refused
from broker.client.http import Answer, send
from broker.client.identity import Identity, job_claims
from broker.client.service_token import ServiceToken
from broker.client.token_files import LONGEST_LIFE
from broker.core.decision_link import linked_decision
from broker.core.printable import printable
from broker.core.vocabulary import (
    GRANT_CLIENT_CREDENTIALS,
    GRANT_TOKEN_EXCHANGE,
    TOKEN_TYPE_JWT,
)

if TYPE_CHECKING:
    import httpx

_WHAT: Final = "the broker"
_WHOSE: Final = "is it the broker's address?"
# RFC 6750 §2.1: what may stand behind `Bearer`.
_BEARER: Final = re.compile(r"[A-Za-z0-9._~+/-]+=*")
_LONGEST_TEXT: Final = 1000


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is asked for; `ttl` in seconds."""

    service: str
    scope: str = ""
    ttl: int | None = None
    service_account: str = ""

    def form(self) -> dict[str, str]:
        """Give the parameters of RFC 8693 §2.1 and RFC 6749 §4.4.2 that say so."""
        parameters = {
            "audience": self.service,
            "scope": self.scope,
            "expires_in": "" if self.ttl is None else str(self.ttl),
        }
        return {name: value for name, value in parameters.items() if value}


@dataclass(frozen=True, slots=True)
class ClientSecret:
    """An account of the broker with a secret, where a job has no ID token."""

    client_id: str
    read: Callable[[], str] = field(repr=False)
    """Gives the secret, each time anew. Raises `ClientError`."""


def by_id_token(
    client: "httpx.Client", url: str, wanted: Wanted, identity: Identity, audience: str
) -> ServiceToken:
    """Exchange a fresh ID token (RFC 8693 §2).

    Raises `ClientError`; `TryAgain` among them, after which the ID token may be spent.
    """
    id_token = identity.fetch(audience)
    form = {
        "grant_type": GRANT_TOKEN_EXCHANGE,
        "subject_token": id_token,
        "subject_token_type": TOKEN_TYPE_JWT,
        **wanted.form(),
    }
    if wanted.service_account:
        form["client_id"] = wanted.service_account
    try:
        return _ask(client, url, form)
    except Refused as refused:
        if refused.reason == "token_expired" and not identity.renewable:
            raise IdentityExpired(
                f"the ID token of this job is over, and {identity.name} gives it no other:"
                f" {refused.description}"
            ) from None
        refused.claims = job_claims(id_token)
        raise


def by_secret(
    client: "httpx.Client", url: str, wanted: Wanted, secret: ClientSecret
) -> ServiceToken:
    """Ask by the secret of an account (RFC 6749 §4.4). Raises `ClientError`."""
    form = {"grant_type": GRANT_CLIENT_CREDENTIALS, **wanted.form()}
    return _ask(client, url, form, (secret.client_id, secret.read()))


def default_audience(client: "httpx.Client", url: str) -> str:
    """Find out which audience the broker wants in ID tokens: its issuer, as its metadata say.

    One of another host is never taken: a broker that was taken over could otherwise have ID tokens
    made that count elsewhere. Raises `Misuse`, `BrokerTrouble` and `TryAgain`.
    """
    answer = send(client, _WHAT, "GET", f"{url}/.well-known/openid-configuration")
    document = answer.members()
    if answer.status != HTTPStatus.OK or document is None:
        raise BrokerTrouble(
            f"{url} answered with {answer.status} and no metadata of a broker: is it the broker's"
            f" address? It begins with: {answer.beginning()}"
        )
    offered = [each for each in _list(document, "subject_token_audiences") if _is_audience(each)]
    issuer = document.get("issuer")
    if _is_audience(issuer) and (issuer in offered or not offered):
        offered = [issuer, *offered]
    own = [each for each in offered if same_origin(each, url)]
    if not own:
        shown = ", ".join(printable(each[:200]) for each in offered[:5]) or "none"
        raise Misuse(
            f"which audience are ID tokens to have? The broker at {url} names {shown}, none of them"
            " its own address: say it yourself (--audience)"
        )
    return own[0]


def _is_audience(value: object) -> TypeGuard[str]:
    """Tell whether it is a text that can stand in a URL and on a command line."""
    return isinstance(value, str) and value.isascii() and value.isprintable()


def revoke(client: "httpx.Client", url: str, token: str) -> None:
    """End a service token (RFC 7009). Raises `ClientError`."""
    answer = send(
        client, _WHAT, "POST", f"{url}/oauth/revoke", form={"token": token}, headers=_headers()
    )
    if answer.status != HTTPStatus.OK:
        raise refused_by(answer)


def explain(
    client: "httpx.Client", url: str, wanted: Wanted, identity: Identity, audience: str
) -> dict[str, Any]:
    """Ask what would be decided and why, without a token (contract §5). Raises `ClientError`."""
    form = {
        "subject_token": identity.fetch(audience),
        "subject_token_type": TOKEN_TYPE_JWT,
        **wanted.form(),
    }
    if wanted.service_account:
        form["client_id"] = wanted.service_account
    answer = send(client, _WHAT, "POST", f"{url}/oauth/explain", form=form, headers=_headers())
    members = answer.members()
    if answer.status != HTTPStatus.OK:
        raise refused_by(answer)
    if members is None or members.get("decision") not in ("permit", "deny"):
        raise BrokerTrouble(f"{url} answered with 200, but with no decision: {_WHOSE}")
    return members


def _ask(
    client: "httpx.Client", url: str, form: Mapping[str, str], basic: tuple[str, str] | None = None
) -> ServiceToken:
    endpoint = f"{url}/oauth/token"
    # Counted from before it was asked for: it lives at least so long.
    began = time.time()
    answer = send(client, _WHAT, "POST", endpoint, form=form, headers=_headers(), basic=basic)
    if answer.status != HTTPStatus.OK:
        raise refused_by(answer)
    return _service_token(answer, url, began)


def _headers() -> dict[str, str]:
    return {"accept": "application/json", "x-request-id": f"cli-{uuid.uuid4().hex[:12]}"}


def _service_token(answer: Answer, url: str, now: float) -> ServiceToken:
    members = answer.members() or {}
    token, kind, life = (members.get(each) for each in ("access_token", "token_type", "expires_in"))
    if (
        not isinstance(token, str)
        or not _BEARER.fullmatch(token)
        or str(kind).lower() != "bearer"
        or not isinstance(life, int)
        or isinstance(life, bool)
        or not 0 < life <= LONGEST_LIFE
    ):
        raise BrokerTrouble(
            f"{url} answered with 200, but with no token that could be used: {_WHOSE}"
        )
    return ServiceToken(
        access_token=token,
        token_type="Bearer",
        expires_in=life,
        expires_at=int(now) + life,
        scope=_text(members.get("scope")),
        service_account=_text(members.get("service_account")),
        token_id=_text(members.get("token_id")),
        issued_token_type=_text(members.get("issued_token_type")),
    )


def refused_by(answer: Answer) -> BrokerTrouble | Refused:
    """Give the error that an answer other than 200 stands for."""
    members = answer.members() or {}
    error = members.get("error") or members.get("code")
    if not isinstance(error, str):
        return BrokerTrouble(
            f"{answer.what} answered with {answer.status}, which is no answer of a broker. It"
            f" begins with: {answer.beginning()}"
        )
    description = _text(members.get("error_description")) or _text(members.get("detail"))
    return Refused(
        f"the broker refused: {description or _text(error)}",
        status=answer.status,
        error=_text(error),
        description=description,
        reason=_text(members.get("reason")),
        decision_id=_text(members.get("decision_id")),
        error_uri=_link(members),
        request_id=_text(answer.headers.get("x-request-id")),
        conditions=[each for each in _list(members, "conditions") if isinstance(each, dict)],
        service_accounts=[_text(each) for each in _list(members, "service_accounts")],
    )


def _link(members: Mapping[str, Any]) -> str:
    """Give the link of a refusal (RFC 6749 §5.2), if it is nothing but one to its decision."""
    link, decision_id = members.get("error_uri"), members.get("decision_id")
    if not isinstance(link, str) or not isinstance(decision_id, str):
        return ""
    return link if linked_decision(link) == decision_id else ""


def _list(members: Mapping[str, Any], name: str) -> list[Any]:
    value = members.get(name)
    return value if isinstance(value, list) else []


def _text(value: object) -> str:
    """Read a member for people's eyes; absent or of another type it is empty."""
    return printable(value[:_LONGEST_TEXT]) if isinstance(value, str) else ""
