"""The JSON Schema (2020-12) of the policy files, for editors: made of the models that read them.

It refuses what is of the wrong shape. What depends on several entries (unknown names, the tenant
floor) is said by `broker policies check` alone.
"""

from collections.abc import Mapping
from typing import Any, Final

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from broker.core.token_profiles import PROFILES, TOKEN_TYP
from broker.core.token_shape import MAX_CLAIMS, MAX_TAGS
from broker.policy_files import schema_parts as parts
from broker.policy_files.document_entries import MODELS, TESTS
from broker.policy_files.models import (
    ExpectedPermitModel,
    IssuerModel,
    OrganizationModel,
    PolicyModel,
    PolicyTestModel,
    PolicyTestRequestModel,
    ServiceAccountModel,
    ServiceModel,
)
from broker.policy_files.schema_parts import Schema, ref
from broker.policy_files.schema_texts import FIELD_TEXTS, SECTION_TEXTS

_NAMES: Final[Mapping[type[BaseModel], str]] = {
    OrganizationModel: "organization",
    IssuerModel: "issuer",
    ServiceModel: "service",
    ServiceAccountModel: "service_account",
    PolicyModel: "policy",
    PolicyTestModel: "test",
    PolicyTestRequestModel: "request",
    ExpectedPermitModel: "expected_permit",
}

# What a field's Python type does not say.
_REFINED: Final[Mapping[str, Mapping[str, Schema]]] = {
    "issuer": {
        "issuer": parts.URL | {"not": {"pattern": "[?#]"}},
        "jwks_uri": parts.URL,
        "proxy": parts.URL | {"not": {"pattern": "[?#]"}},
        "audiences": {"items": parts.PRINTABLE},
        "algorithms": {"items": parts.ALGORITHM},
        "tenant": {"items": parts.TENANT_CLAIM},
        "require": ref("conditions"),
    },
    "service": {
        "audience": parts.PRINTABLE | {"maxLength": 255, "not": {"const": "broker"}},
        "scopes": {"propertyNames": parts.SCOPE_NAME},
        "require": ref("conditions"),
        "claims": {
            "propertyNames": parts.CLAIM_NAME,
            "maxProperties": MAX_CLAIMS,
            "additionalProperties": ref("claim_template"),
        },
        "session_tags": {
            "propertyNames": parts.TAG_KEY,
            "maxProperties": MAX_TAGS,
            "additionalProperties": parts.TAG_TEMPLATE,
        },
        "transitive_tags": {"uniqueItems": True},
    },
    "service_account": {
        "grants": ref("grants"),
        "metadata": parts.METADATA,
        "instances": {"items": parts.INSTANCE_CLAIM, "uniqueItems": True},
        "jwks_uri": parts.URL,
    },
    "policy": {"match": ref("conditions"), "grants": ref("grants")},
    "test": {
        "base": parts.EVENT,
        "expect": parts.EXPECTATION,
        "claims": parts.ANY_CLAIMS,
        "request": ref("request"),
    },
}

_SECRETS_ALLOWED: Final[Schema] = {
    "required": ["secrets"],
    "properties": {"secrets": {"const": "allowed"}},
}

_WITH_TAGS: Final[Schema] = {
    "required": ["profile", "session_tags"],
    "properties": {
        "profile": {"enum": sorted(name for name, each in PROFILES.items() if each.session_tags)}
    },
}

# What several fields of one entry must be together.
_TOGETHER: Final[Mapping[str, Schema]] = {
    "issuer": {
        "anyOf": [{"required": ["preset"]}, {"required": ["issuer"]}],
        "not": {"required": ["jwks_file", "jwks_uri"]},
        "if": {"required": ["preset"]},
        "then": {"properties": {"tenant": False, "single_tenant": {"const": False}}},
        "else": {
            "oneOf": [
                {"required": ["tenant"], "properties": {"single_tenant": {"const": False}}},
                {
                    "required": ["single_tenant"],
                    "properties": {"single_tenant": {"const": True}, "tenant": False},
                },
            ]
        },
    },
    "service": {
        "dependentSchemas": {
            "profile": {"properties": {"token_typ": {"const": TOKEN_TYP}}},
            **dict.fromkeys(("session_tags", "transitive_tags"), _WITH_TAGS),
        },
    },
    "service_account": {
        "not": {"required": ["jwks", "jwks_uri"]},
        "dependentSchemas": dict.fromkeys(("jwks", "jwks_uri"), _SECRETS_ALLOWED),
    },
    "policy": {
        "if": {"required": ["effect"], "properties": {"effect": {"const": "deny"}}},
        "then": {
            "properties": dict.fromkeys(("service_account", "grants", "ttl", "max_ttl"), False)
        },
        "else": {"required": ["service_account"], "properties": {"services": False}},
    },
}

_SECTION_KEYS: Final[Mapping[str, Schema]] = {
    "services": parts.SERVICE_NAME,
    "service_accounts": parts.ACCOUNT_NAME,
}

# Mappings and lists that may be empty; everywhere else an empty value is an error.
_MAY_BE_EMPTY: Final = frozenset({("test", "claims"), ("expected_permit", "scopes")})


def policy_schema() -> dict[str, Any]:
    """Give the JSON Schema of one policy file."""
    _, generated = models_json_schema([(model, "validation") for model in _NAMES])
    definitions = {
        name: _definition(name, generated["$defs"][model.__name__])
        for model, name in _NAMES.items()
    }
    sections: Schema = {
        section: parts.members(_SECTION_KEYS.get(section, parts.ENTRY_NAME), ref(_NAMES[model]))
        for section, model in MODELS.items()
    }
    sections[TESTS] = {"type": "array", "minItems": 1, "items": ref("test")}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Policy file of ci-token-broker",
        "type": "object",
        "properties": {
            section: {**schema, "description": SECTION_TEXTS[section]}
            for section, schema in sections.items()
        },
        "additionalProperties": False,
        "$defs": parts.DEFINITIONS | definitions,
    }


def _definition(name: str, generated: Schema) -> Schema:
    """Describe an entry: the model's fields, refined, each with its text."""
    refined = _REFINED.get(name, {})
    properties = {
        field: _property(
            schema, refined.get(field, {}), may_be_empty=(name, field) in _MAY_BE_EMPTY
        )
        | {"description": FIELD_TEXTS[name][field]}
        for field, schema in generated["properties"].items()
    }
    return {
        "type": "object",
        # Where nothing is required, an entry without fields would be empty.
        **(
            {"required": generated["required"]} if "required" in generated else {"minProperties": 1}
        ),
        "properties": properties,
        "additionalProperties": False,
        **_TOGETHER.get(name, {}),
    }


def _property(generated: Schema, refined: Schema, *, may_be_empty: bool) -> Schema:
    if "$ref" in refined:
        return dict(refined)
    schema = {key: value for key, value in generated.items() if key != "title"}
    if schema.get("default", 0) in (None, "", [], {}):
        del schema["default"]
    # Null is an empty value, and those are refused.
    choices = [each for each in schema.pop("anyOf", ()) if each != {"type": "null"}]
    if len(choices) == 1:
        schema |= choices[0]
    elif choices:
        schema["anyOf"] = choices
    smallest = {"array": "minItems", "object": "minProperties"}.get(schema.get("type", ""))
    if smallest is not None and not may_be_empty:
        schema[smallest] = 1
    if "items" in refined:
        refined = refined | {"items": schema["items"] | refined["items"]}
    return schema | refined
