"""The parts of the policy files' JSON Schema that say more than a Python type can.

Patterns read the same in ECMA-262, which editors use, and in Python: `END` instead of `$`, which
stands before a last line feed too in Python.
"""

from typing import Any, Final

from broker.core.errors import Reason
from broker.core.reserved_claims import RESERVED_CLAIMS
from broker.core.token_shape import MAX_ITEMS, MAX_MEMBERS
from broker.core.typical_claims import TYPICAL_EVENTS
from broker.core.vocabulary import ASYMMETRIC_ALGORITHMS, REGISTERED_CLAIMS

Schema = dict[str, Any]

END: Final = r"(?![\s\S])"
_ONE_LINE: Final = rf"^(?![\s\S]*\n)\S([\s\S]*\S)?{END}"
_CLAIM: Final = rf"^(?!/)[^\s\x00-\x1f\x7f]([^\x00-\x1f\x7f]*[^\s\x00-\x1f\x7f])?{END}"
_POINTER: Final = rf"^(?![\s\S]*/([0-9]+|-)(/|{END}))(/([^/~]|~[01])+){{2,}}{END}"
_SECONDS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86_400}


def ref(name: str) -> Schema:
    """Refer to a definition."""
    return {"$ref": f"#/$defs/{name}"}


def duration(maximum: int) -> Schema:
    """Describe a duration from 1 second to a number of them."""
    each = "|".join(
        f"({_up_to(maximum // seconds)}){unit}"
        for unit, seconds in _SECONDS.items()
        if maximum >= seconds
    )
    return {"type": "string", "pattern": f"^({each}){END}", "examples": ["10m"]}


def _up_to(maximum: int) -> str:
    """Write a pattern for the numbers from 1 to `maximum`, without leading zeros."""
    digits = str(maximum)
    rest = len(digits) - 1
    alternatives = [f"[1-9][0-9]{{0,{rest - 1}}}"] if rest else []
    for place, digit in enumerate(digits):
        lowest = 0 if place else 1
        if int(digit) > lowest:
            below = f"{digits[:place]}[{lowest}-{int(digit) - 1}]"
            left = rest - place
            alternatives.append(below + (f"[0-9]{{{left}}}" if left else ""))
    return "|".join([*alternatives, digits])


def members(keys: Schema, values: Schema) -> Schema:
    """Describe a mapping with at least one member."""
    return {
        "type": "object",
        "minProperties": 1,
        "propertyNames": keys,
        "additionalProperties": values,
    }


def _operator(name: str, operand: Schema) -> Schema:
    return {
        "type": "object",
        "properties": {name: operand},
        "required": [name],
        "additionalProperties": False,
    }


def _any_of(items: Schema) -> Schema:
    return {"type": "array", "minItems": 1, "items": items}


PRINTABLE: Final[Schema] = {"pattern": f"^[!-~]+{END}"}
CLAIM: Final[Schema] = {"type": "string", "pattern": _CLAIM}
ENTRY_NAME: Final[Schema] = {"pattern": f"^[A-Za-z0-9][A-Za-z0-9._-]{{0,99}}{END}"}
SERVICE_NAME: Final[Schema] = {**ENTRY_NAME, "not": {"const": "broker"}}
ACCOUNT_NAME: Final[Schema] = {"pattern": f"^(?!m-)[a-z0-9][a-z0-9-]{{1,62}}{END}"}
SCOPE_NAME: Final[Schema] = {"pattern": rf"^[!#-)+-\[\]-~]{{1,128}}{END}"}
URL: Final[Schema] = {
    "pattern": rf'^[Hh][Tt][Tt][Pp][Ss]?://[^\s/?#\\"<>^`{{|}}@]+([/?#][^\s\\"<>^`{{|}}]*)?{END}'
}
DATE: Final[Schema] = {
    "type": "string",
    "format": "date",
    "pattern": f"^[0-9]{{4}}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01]){END}",
}
ALGORITHM: Final[Schema] = {"enum": sorted(ASYMMETRIC_ALGORITHMS)}
TENANT_CLAIM: Final[Schema] = {**CLAIM, "not": {"enum": sorted(REGISTERED_CLAIMS - {"sub"})}}
INSTANCE_CLAIM: Final[Schema] = {**CLAIM, "not": {"pattern": ":"}}
ANY_CLAIMS: Final[Schema] = {"type": "object", "propertyNames": {"minLength": 1}}
CLAIM_NAME: Final[Schema] = {
    "maxLength": 128,
    "pattern": rf"^([A-Za-z][A-Za-z0-9_.-]*"
    rf"|https://[a-z0-9-]+(\.[a-z0-9-]+)*(/[A-Za-z0-9._~-]+)*/?){END}",
    "not": {"enum": sorted(RESERVED_CLAIMS)},
}
_TAG: Final = "A-Za-z0-9_.:/=+@-"
TAG_KEY: Final[Schema] = {
    "maxLength": 128,
    "pattern": f"^(?![Aa][Ww][Ss]:)[{_TAG}]([ {_TAG}]*[{_TAG}])?{END}",
}
_PLACEHOLDER: Final = (
    r"\{((metadata|workload)\.[A-Za-z0-9_.-]{1,100}|service_account|sub|organization)\}"
)
TEMPLATE: Final[Schema] = {"type": "string", "pattern": f"^([ -z|~]|{_PLACEHOLDER})+{END}"}
TAG_TEMPLATE: Final[Schema] = {
    "type": "string",
    "pattern": f"^([ {_TAG}]|{_PLACEHOLDER})+{END}",
}
METADATA: Final[Schema] = {
    "type": "object",
    "minProperties": 1,
    "propertyNames": {"minLength": 1},
    "additionalProperties": {
        "type": ["string", "integer", "boolean"],
        "minimum": -(2**53),
        "maximum": 2**53,
    },
}
EVENT: Final[Schema] = {
    "enum": sorted({event for each in TYPICAL_EVENTS.values() for event in each})
}
EXPECTATION: Final[Schema] = {
    "anyOf": [
        {"enum": ["permit", "deny"]},
        _operator("permit", ref("expected_permit")),
        _operator("deny", {"enum": [reason.value for reason in Reason]}),
    ]
}

DEFINITIONS: Final[Schema] = {
    "conditions": members({"pattern": f"{_CLAIM}|{_POINTER}"}, ref("condition")),
    "condition": {
        "anyOf": [
            ref("positive"),
            {
                **_operator("not", ref("positive")),
                "description": "The claim is there and is not this.",
            },
            {
                **_operator("present", {"const": True}),
                "description": "The claim is there, whatever its value.",
            },
        ]
    },
    "positive": {
        "anyOf": [
            ref("single"),
            {**_any_of(ref("single")), "description": "One of these."},
        ]
    },
    "single": {
        "anyOf": [
            {
                "type": ["string", "integer", "boolean"],
                "pattern": _ONE_LINE,
                "description": "Exactly this text.",
            },
            {
                **_operator("glob", ref("pattern")),
                "description": "`*` is any run without `/` `:` `@`, `**` any run, `?` one such"
                " character.",
            },
            {
                **_operator("regex", ref("pattern")),
                "description": "A pattern of RE2 for the whole value.",
            },
        ]
    },
    "pattern": {"type": "string", "maxLength": 1000, "pattern": _ONE_LINE},
    "claim_template": {
        "anyOf": [
            {**TEMPLATE, "description": "A text with placeholders."},
            {
                "type": "array",
                "minItems": 1,
                "maxItems": MAX_ITEMS,
                "items": TEMPLATE,
                "description": "A list of such texts.",
            },
            {
                "type": "array",
                "minItems": 1,
                "maxItems": MAX_ITEMS,
                "items": members(
                    {"pattern": f"^[A-Za-z_][A-Za-z0-9_.-]{{0,99}}{END}"}, ref("member_template")
                )
                | {"maxProperties": MAX_MEMBERS},
                "description": "A list of mappings to such texts, or to lists of them.",
            },
        ]
    },
    "member_template": {
        "anyOf": [
            TEMPLATE,
            {"type": "array", "minItems": 1, "maxItems": MAX_ITEMS, "items": TEMPLATE},
        ]
    },
    "grants": members(
        ENTRY_NAME,
        {
            "type": "array",
            "items": {
                "type": "string",
                "maxLength": 1000,
                "pattern": rf"^([^*]+|[^*]+:\*){END}",
            },
        },
    ),
}
