"""What AWS STS does of interest here: a token for keys, and whose keys these are."""

import datetime as dt
import time
from collections.abc import Callable, Mapping
from typing import Any

import jwt

from tests.consumers.loopback_server import Answer, Request

ROLE = "arn:aws:iam::123456789012:role/deploy"
KEY = "ASIAEXAMPLEKEYID0001"
_NAMESPACE = 'xmlns="https://sts.amazonaws.com/doc/2011-06-15/"'


class Sts:
    """Trusts the broker's tokens for one role."""

    def __init__(self, claims: Callable[[str], Mapping[str, Any]], *, life: int) -> None:
        self._claims = claims
        self.life = life
        self.session = ""
        self.assumed = 0

    def answer(self, request: Request) -> Answer:
        form = request.form
        if form["Action"] == "GetCallerIdentity":
            if f"Credential={KEY}/" not in request.headers.get("authorization", ""):
                return _error(403, "InvalidClientTokenId", "no such key")
            arn = f"arn:aws:sts::123456789012:assumed-role/deploy/{self.session}"
            return _answer(
                "GetCallerIdentity",
                f"<Arn>{arn}</Arn><UserId>A:{self.session}</UserId><Account>123456789012</Account>",
            )
        assert form["Action"] == "AssumeRoleWithWebIdentity"
        assert "authorization" not in request.headers
        try:
            self._claims(form["WebIdentityToken"])
        except jwt.PyJWTError as error:
            return _error(400, "InvalidIdentityToken", str(error))
        if form["RoleArn"] != ROLE:
            return _error(403, "AccessDenied", "Not authorized to perform <the> action & more")
        self.session = form["RoleSessionName"]
        self.assumed += 1
        ends = dt.datetime.fromtimestamp(time.time() + self.life, dt.UTC)
        return _answer(
            "AssumeRoleWithWebIdentity",
            f"<Credentials><AccessKeyId>{KEY}</AccessKeyId>"
            "<SecretAccessKey>c2VjcmV0+/&lt;&amp;&gt;</SecretAccessKey>"
            "<SessionToken>c2Vzc2lvbg==</SessionToken>"
            f"<Expiration>{ends:%Y-%m-%dT%H:%M:%SZ}</Expiration></Credentials>"
            f"<AssumedRoleUser><Arn>{ROLE}</Arn></AssumedRoleUser>",
        )


def _answer(action: str, result: str) -> Answer:
    text = (
        f"<{action}Response {_NAMESPACE}><{action}Result>{result}</{action}Result>"
        f"<ResponseMetadata><RequestId>1</RequestId></ResponseMetadata></{action}Response>"
    )
    return Answer(text.encode(), headers={"Content-Type": "text/xml"})


def _error(status: int, code: str, message: str) -> Answer:
    escaped = message.replace("&", "&amp;").replace("<", "&lt;")
    text = (
        f"<ErrorResponse {_NAMESPACE}><Error><Type>Sender</Type><Code>{code}</Code>"
        f"<Message>{escaped}</Message></Error><RequestId>1</RequestId></ErrorResponse>"
    )
    return Answer(text.encode(), status=status, headers={"Content-Type": "text/xml"})
