"""The shapes of bodies, as JSON Schema (OpenAPI 3.1 uses its draft 2020-12)."""

from collections.abc import Sequence
from typing import Any, Final

from broker.core.account_id import GENERATED, PATTERN
from broker.core.audit import AuditEvent
from broker.core.conditions import Effect
from broker.core.errors import Reason
from broker.core.managed_account import MANAGED_BY_API, MANAGED_BY_FILE
from broker.core.observation import Would
from broker.core.policy import MAPS, Mode, Replay, WorkloadDetail
from broker.core.registry.block_members import MAX_REASON
from broker.core.signing_keys import SIGNING_ALGORITHMS, KeyState
from broker.core.simulation.outcome import Kind
from broker.core.simulation.past_decision import PassedOver
from broker.core.token_profiles import PROFILES
from broker.core.vocabulary import (
    ASSERTION_TYPE_JWT,
    TOKEN_TYPE_ID_TOKEN,
    TOKEN_TYPE_JWT,
)
from broker.grants.request import MAX_CLIENT_ID_LENGTH
from broker.grants.token_exchange import ISSUED_TOKEN_TYPES
from broker.http.api.audit_logs import OUTCOMES
from broker.http.token_endpoint import GRANT_TYPES

Schema = dict[str, Any]

TEXT: Final[Schema] = {"type": "string"}
WHOLE: Final[Schema] = {"type": "integer"}
FLAG: Final[Schema] = {"type": "boolean"}
TIME: Final[Schema] = {"type": "string", "format": "date-time"}
TEXTS: Final[Schema] = {"type": "array", "items": TEXT}
ANYTHING: Final[Schema] = {"type": "object"}

CODES: Final = (
    "INVALID_API_KEY",
    "INSUFFICIENT_PERMISSIONS",
    "RATE_LIMITED",
    "NOT_FOUND",
    "CONFLICT",
    "ACCOUNT_LIMIT",
    "INVALID_REQUEST",
    "UNAVAILABLE",
)


def ref(name: str) -> Schema:
    """Refer to one of the shapes below."""
    return {"$ref": f"#/components/schemas/{name}"}


def _or_null(schema: Schema) -> Schema:
    if "type" in schema and "enum" not in schema:
        return schema | {"type": [schema["type"], "null"]}
    return {"anyOf": [schema, {"type": "null"}]}


def _one_of(values: Sequence[str]) -> Schema:
    return {"type": "string", "enum": [str(value) for value in values]}


def _object(optional: Sequence[str] = (), /, **members: Schema) -> Schema:
    """Describe an object all of whose members are there, but for those that are optional."""
    required = [name for name in members if name not in optional]
    return {"type": "object", "properties": members, "required": required}


def _closed(required: Sequence[str], /, **members: Schema) -> Schema:
    """Describe an object that may have these members and no others."""
    return {
        "type": "object",
        "properties": members,
        "required": list(required),
        "additionalProperties": False,
    }


def _part(*words: str, **more: Schema) -> Schema:
    return _object(tuple(more), status=_one_of(words), since=_or_null(TIME), **more)


def _list_of(name: str) -> Schema:
    return _object(("next_cursor",), items={"type": "array", "items": ref(name)}, next_cursor=TEXT)


def _event() -> Schema:
    event = AuditEvent(id="", time=0, type="", outcome="", would={}, claims_left_out=("",))
    every: dict[str, Schema] = {"seq": WHOLE, **{name: {} for name in event.members()}}
    every |= {"id": TEXT, "time": TIME, "type": TEXT, "outcome": _one_of(OUTCOMES)}
    every |= {"reason": _or_null(_one_of(list(Reason))), "claims": _or_null(ANYTHING)}
    every |= {"policies": TEXTS, "observed": TEXTS, "count": _or_null(WHOLE)}
    every |= {"prev": TEXT, "hash": TEXT, "claims_erased": TEXT, "would": ref("Observation")}
    every |= {"claims_left_out": TEXTS}
    return _object(("claims_erased", "claims_left_out", "would"), **every)


def _observation() -> Schema:
    return _object(
        kind=_one_of(list(Would)),
        reason=_or_null(_one_of(list(Reason))),
        policies=TEXTS,
        service_account=_or_null(TEXT),
        sub=_or_null(TEXT),
        audience=_or_null(TEXT),
        scopes=_or_null(TEXTS),
        ttl=_or_null(WHOLE),
    )


_CHANGEABLE: Final[dict[str, Schema]] = {
    "name": TEXT,
    "description": TEXT,
    "organization": _or_null(TEXT),
    "grants": {"type": "object", "additionalProperties": TEXTS},
    "ttl": _or_null(WHOLE),
    "max_ttl": _or_null(WHOLE),
    "metadata": ANYTHING,
    "secrets_allowed": FLAG,
    "jwks": _or_null(ANYTHING),
    "jwks_uri": _or_null(TEXT),
    "enabled": FLAG,
    "expires_at": _or_null(TIME),
    "allowed_networks": TEXTS,
}
_SERVICE_ACCOUNT: Final[dict[str, Schema]] = {
    "id": TEXT,
    "client_id": TEXT,
    **_CHANGEABLE,
    "managed_by": _one_of((MANAGED_BY_FILE, MANAGED_BY_API)),
    "created_at": _or_null(TIME),
    "updated_at": _or_null(TIME),
    "last_used_at": _or_null(TIME),
}
_SECRET: Final[dict[str, Schema]] = {
    "id": TEXT,
    "client_id": TEXT,
    "created_at": TIME,
    "expires_at": _or_null(TIME),
    "last_used_at": _or_null(TIME),
    "age_days": WHOLE,
    "warning": _or_null(_one_of(("old", "overdue"))),
    "replaces": _or_null(TEXT),
}

_CREDENTIALS: Final[dict[str, Schema]] = {
    "client_secret": TEXT | {"description": "Client credentials: the secret, if not by Basic."},
    "client_assertion": TEXT
    | {"description": "In place of a secret: a JWT of the client's own, or a CI token."},
    "client_assertion_type": _one_of((ASSERTION_TYPE_JWT,)),
}
_TOKEN_REQUEST: Final[dict[str, Schema]] = {
    "grant_type": _one_of(GRANT_TYPES),
    "subject_token": TEXT | {"description": "Token exchange: the CI token."},
    "subject_token_type": _one_of((TOKEN_TYPE_JWT, TOKEN_TYPE_ID_TOKEN)),
    "requested_token_type": _one_of(ISSUED_TOKEN_TYPES)
    | {"description": "Token exchange: a JWT only for a service with a profile."},
    "assertion": TEXT | {"description": "jwt-bearer: the CI token."},
    "audience": TEXT | {"description": "The service, by name or audience URI."},
    "resource": TEXT | {"description": "The same as an absolute URI."},
    "scope": TEXT | {"description": "Scopes joined by single spaces; all of them if left out."},
    "client_id": TEXT
    | {"description": "The service account wanted.", "maxLength": MAX_CLIENT_ID_LENGTH},
    "expires_in": WHOLE | {"minimum": 1, "description": "The life wanted, in seconds."},
    **_CREDENTIALS,
}
_SEVERAL: Final[Schema] = {"anyOf": [TEXT, TEXTS]}

_KEY_HOURS: Final[dict[str, Schema]] = {
    "publish_at": TIME,
    "sign_from": TIME,
    "sign_until": _or_null(TIME),
    "remove_at": _or_null(TIME),
}
_BLOCK: Final[dict[str, Schema]] = {
    "id": TEXT,
    "where": {"type": "object", "additionalProperties": TEXT},
    "reason": TEXT,
    "created_at": TIME,
    "created_by": TEXT,
    "expires_at": _or_null(TIME),
}

_CLAIMS_OF_A_TOKEN: Final = (
    "iss", "sub", "aud", "exp", "iat", "nbf", "jti", "client_id", "scope", "token_type", "org_id",
    "metadata", "act", "policy", "workload",
)  # fmt: skip

_CONDITION: Final = _object(
    claim=TEXT, operator=TEXT, expected={}, got={}, holds=FLAG
)  # fmt: skip

_LINK: Final = TEXT | {"format": "uri", "description": "Where it says how to look it up."}

SCHEMAS: Final[dict[str, Schema]] = {
    "Problem": _object(
        ("field", "decision_id", "error_uri"),
        type=TEXT,
        title=TEXT | {"description": "The phrase of the status."},
        status=WHOLE,
        detail=TEXT | {"description": "What is wrong, and what would help."},
        instance=TEXT | {"description": "`#` and the id of the request."},
        code=_one_of(CODES),
        decision_id=_or_null(TEXT) | {"description": "Of the event that counts the refusal."},
        error_uri=_LINK,
        field=TEXT | {"description": "The parameter or member at fault."},
    ),
    "OAuthError": _object(
        ("conditions", "service_accounts", "reason", "decision_id", "error_uri"),
        error=TEXT,
        error_description=TEXT,
        reason=_one_of(list(Reason)),
        decision_id=_or_null(TEXT),
        error_uri=_LINK,
        conditions={"type": "array", "items": ANYTHING},
        service_accounts=TEXTS,
    ),
    "TokenRequest": _object(tuple(_TOKEN_REQUEST.keys() - {"grant_type"}), **_TOKEN_REQUEST),
    "TokenRequestObject": _object(
        tuple(_TOKEN_REQUEST.keys() - {"grant_type"}),
        **_TOKEN_REQUEST | {"audience": _SEVERAL, "resource": _SEVERAL},
    ),
    "ExplainRequest": _object(
        tuple(_TOKEN_REQUEST.keys() - {"subject_token", "subject_token_type"}),
        **{
            name: schema
            for name, schema in _TOKEN_REQUEST.items()
            if name not in {"grant_type", "assertion", *_CREDENTIALS}
        },
    ),
    "RevocationRequest": _object(
        ("token_type_hint", *_CREDENTIALS),
        token=TEXT,
        token_type_hint=_one_of(("access_token",)),
        **{name: _TOKEN_REQUEST[name] for name in sorted(_CREDENTIALS)},
    ),
    "Nothing": _object(()),
    "IntrospectionRequest": _object(
        ("token_type_hint", *_CREDENTIALS),
        token=TEXT,
        token_type_hint=TEXT,
        **{name: _TOKEN_REQUEST[name] for name in sorted(_CREDENTIALS)},
    ),
    "Introspection": _object(
        _CLAIMS_OF_A_TOKEN,
        active=FLAG,
        iss=TEXT,
        sub=TEXT,
        aud=TEXT,
        exp=WHOLE,
        iat=WHOLE,
        nbf=WHOLE,
        jti=TEXT,
        client_id=TEXT,
        scope=TEXT,
        token_type=_one_of(("Bearer",)),
        org_id=TEXT,
        metadata=ANYTHING,
        act=ANYTHING,
        policy=TEXT,
        workload=ANYTHING,
    ),
    "Token": _object(
        ("issued_token_type", "scope"),
        access_token=TEXT,
        issued_token_type=_one_of(ISSUED_TOKEN_TYPES),
        token_type=_one_of(("Bearer",)),
        expires_in=WHOLE,
        scope=TEXT,
        service_account=TEXT,
        token_id=TEXT,
    ),
    "Explanation": _object(
        ("fix",),
        decision=_one_of(("permit", "deny")),
        reason=_or_null(_one_of(list(Reason))),
        service_account=_or_null(TEXT),
        sub=_or_null(TEXT),
        audience=_or_null(TEXT),
        scopes=_or_null(TEXTS),
        ttl=_or_null(WHOLE),
        candidates={
            "type": "array",
            "items": _object(
                policy=TEXT,
                effect=_one_of(list(Effect)),
                service_account=_or_null(TEXT),
                holds=FLAG,
                conditions={"type": "array", "items": _CONDITION},
            ),
        },
        fix=TEXT,
        decision_id=TEXT,
    ),
    "Policy": _object(
        name=TEXT,
        effect=_one_of(list(Effect)),
        issuer=TEXT,
        service_account=_or_null(TEXT),
        mode=_one_of(list(Mode)),
        expires_at=_or_null(TIME),
        description=TEXT,
        owner=_or_null(TEXT),
        ticket=_or_null(TEXT),
        place=TEXT,
    ),
    "Policies": _object(version=TEXT, items={"type": "array", "items": ref("Policy")}),
    "PolicyReload": _object(
        outcome=_one_of(("reloaded", "unchanged")),
        version=TEXT,
        changes=_or_null(
            _object(
                old_version=TEXT,
                new_version=TEXT,
                counts=_object(
                    **{name: _object(added=WHOLE, removed=WHOLE, changed=WHOLE) for name in MAPS}
                ),
                dropped_denies=TEXTS,
                empties=FLAG,
            )
        ),
    ),
    "SimulationRequest": {
        **_object(
            ("files", "since", "until"),
            files={"type": "object", "additionalProperties": _or_null(TEXT)},
            since=_or_null(TEXT),
            until=_or_null(TEXT),
        ),
        "additionalProperties": False,
    },
    "Simulation": _object(
        policy_set=TEXT,
        complete=FLAG,
        first=_or_null(TIME),
        last=_or_null(TIME),
        decisions=WHOLE,
        **{kind.value: WHOLE for kind in Kind},
        passed_over=_object(**{each.value: WHOLE for each in PassedOver}),
        groups={"type": "array", "items": ref("SimulatedChange")},
        more=ANYTHING,
        policies={"type": "array", "items": ANYTHING},
        tenants={"type": "array", "items": ANYTHING},
        conditions={"type": "array", "items": _object(policy=TEXT, what=TEXT, runs=WHOLE)},
    ),
    "SimulatedChange": _object(
        kind=_one_of(tuple(Kind)),
        tenant=_or_null(TEXT),
        issuer=_or_null(TEXT),
        client_id=_or_null(TEXT),
        refs=TEXTS,
        all_refs=FLAG,
        service=_or_null(TEXT),
        service_account=_or_null(TEXT),
        policies=TEXTS,
        reason=_or_null(TEXT),
        causes={"type": "array", "items": _object(policy=TEXT, what=TEXT)},
        claims=TEXTS,
        gains=TEXTS,
        losses=TEXTS,
        changes=ANYTHING,
        runs=WHOLE,
        of=_or_null(WHOLE),
        first=TIME,
        last=TIME,
        decision_id=TEXT,
    ),
    "SigningKey": _object(
        kid=TEXT,
        alg=_one_of(SIGNING_ALGORITHMS),
        generation=WHOLE,
        state=_one_of((*KeyState, "unreadable")),
        **_KEY_HOURS,
    ),
    "SigningKeys": _object(items={"type": "array", "items": ref("SigningKey")}),
    "KeyRotation": {**_object(("now",), now=FLAG), "additionalProperties": False},
    "KeySuccessions": _object(
        items={
            "type": "array",
            "items": _object(
                alg=_one_of(SIGNING_ALGORITHMS), kid=TEXT, before=_or_null(TEXT), sign_from=TIME
            ),
        }
    ),
    "AuditEvent": {
        "anyOf": [
            _event(),
            _object(seq=WHOLE, damaged={"const": True}),
        ]
    },
    "AuditEvents": _list_of("AuditEvent"),
    "Observation": _observation(),
    "AuditVerification": _object(
        ("first_broken", "fault"), ok=FLAG, events=WHOLE, first_broken=WHOLE, fault=TEXT
    ),
    "Service": _object(
        name=TEXT,
        audience=TEXT,
        scopes={"type": "object", "additionalProperties": TEXT},
        ttl=WHOLE,
        max_ttl=WHOLE,
        signing_alg=_one_of(SIGNING_ALGORITHMS),
        token_typ=_one_of(("at+jwt", "JWT")),
        workload=_one_of(list(WorkloadDetail)),
        introspection=TEXTS,
        organizations=TEXTS,
        profile=_or_null(_one_of(sorted(PROFILES))),
        claims=ANYTHING,
        session_tags={"type": "object", "additionalProperties": TEXT},
        transitive_tags=TEXTS,
    ),
    "Services": _list_of("Service"),
    "Organization": _object(name=TEXT, description=TEXT),
    "Organizations": _list_of("Organization"),
    "Issuer": _object(
        name=TEXT,
        issuer=TEXT,
        preset=_or_null(TEXT),
        audiences=TEXTS,
        algorithms=TEXTS,
        max_token_lifetime=WHOLE,
        replay=_one_of(list(Replay)),
        tenant=TEXTS,
        single_tenant=FLAG,
        enabled=FLAG,
        contact=_or_null(TEXT),
        keys=_object(
            source=TEXT,
            in_use=FLAG,
            usable=FLAG,
            uploaded=FLAG,
            kids=TEXTS,
            age=_or_null({"type": "number"}),
            failure=_or_null(TEXT),
            failures=WHOLE,
            skipped=TEXTS,
        ),
    ),
    "Issuers": _list_of("Issuer"),
    "UploadedKeys": _object(name=TEXT, kids=TEXTS, skipped=TEXTS, expires_at=TIME),
    "IssuerPatch": _closed(("enabled",), enabled=FLAG),
    "ServiceAccount": _object(**_SERVICE_ACCOUNT),
    "ServiceAccounts": _list_of("ServiceAccount"),
    "MadeServiceAccount": _object(
        ("client_secret", "api_key"), **_SERVICE_ACCOUNT, client_secret=TEXT, api_key=TEXT
    ),
    "ServiceAccountRequest": _closed(
        ("name",),
        **_CHANGEABLE,
        client_id=TEXT | {"pattern": f"^(?!{GENERATED}){PATTERN}$"},
        services=TEXTS,
        scopes=TEXTS,
        permissions=TEXTS,
    ),
    "ServiceAccountPatch": _closed((), **{name: {} for name in _CHANGEABLE}),
    "Secret": _object(**_SECRET),
    "Secrets": _object(items={"type": "array", "items": ref("Secret")}),
    "MadeSecret": _object(**_SECRET, client_secret=TEXT, api_key=TEXT),
    "SecretRequest": _closed((), expires_at=_or_null(TIME)),
    "RotationRequest": _closed(
        (), overlap={"anyOf": [TEXT, WHOLE]}, secret_id=TEXT, expires_at=_or_null(TIME)
    ),
    "Block": _object(**_BLOCK),
    "Blocks": _object(items={"type": "array", "items": ref("Block")}),
    "BlockRequest": _closed(
        ("where", "reason"),
        where={"type": "object", "minProperties": 1, "additionalProperties": TEXT},
        reason=TEXT | {"minLength": 1, "maxLength": MAX_REASON},
        ttl={"anyOf": [TEXT, WHOLE]},
    ),
    "Metadata": _object(issuer=TEXT, token_endpoint=TEXT, jwks_uri=TEXT),
    "ProtectedResource": _object(
        resource=TEXT,
        authorization_servers=TEXTS,
        scopes_supported=TEXTS,
        bearer_methods_supported=TEXTS,
        resource_name=TEXT,
    ),
    "KeySet": _object(keys={"type": "array", "items": ANYTHING}),
    "Health": _object(status=_one_of(("ok",))),
    "Readiness": _object(
        ("parts",),
        status=_one_of(("ready", "degraded", "unready")),
        parts=_object(
            store=_part("ok", "failed"),
            policies=_part("ok", "degraded", problems=WHOLE),
            issuer_keys=_part(
                "ok",
                "degraded",
                issuers={
                    "type": "object",
                    "additionalProperties": _object(
                        since=_or_null(TIME), usable=FLAG, failures=WHOLE, failure=TEXT
                    ),
                },
            ),
            signing_keys=_part("ok", "failed"),
        ),
    ),
    "Figures": TEXT,
    "DecisionPage": TEXT,
    "Description": _object(openapi=TEXT, info=ANYTHING, paths=ANYTHING),
}
