"""A validation error of pydantic as a sentence that says how to mend it."""

from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from typing import Any, Final

from pydantic import BaseModel
from pydantic_core import ErrorDetails

from broker.yaml_document import Path

MAX_LISTED: Final = 20

_EXAMPLES: Final = {
    "audience": "https://deploy.example.com",
    "audiences": "[https://broker.example.com]",
    "algorithms": "[RS256]",
    "claims": "{repository: acme/web}",
    "description": "Deploys acme/web",
    "enabled": "false",
    "expect": "permit",
    "grants": '{deploy-api: ["deploy:write"]}',
    "instances": "[repository_id]",
    "introspection": "[deploy-gateway]",
    "issuer": "github",
    "match": "{repository: acme/web, repository_owner_id: 1234567}",
    "metadata": "{team: web}",
    "name": "main deploys to production",
    "organizations": "[acme]",
    "request": "{audience: deploy-api}",
    "require": "{runner_environment: github-hosted}",
    "scopes": '{"deploy:write": Start a deployment}',
    "service_account": "deploy-web",
    "services": "[deploy-api]",
    "tenant": "[organization_id]",
}


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Give `; did you mean …?` when a known word is close, else the known words if they are few."""
    words = sorted(known)
    close = get_close_matches(word, words, n=1, cutoff=0.6)
    if close:
        return f"; did you mean `{close[0]}`?"
    return f"; known: {', '.join(words)}" if 0 < len(words) <= MAX_LISTED else ""


def sentence(error: ErrorDetails, model: type[BaseModel]) -> tuple[Path, str, bool]:
    """Give path within the entry, sentence, and whether the fault is the key, not the value."""
    path: Path = tuple(error["loc"])
    name = next((str(step) for step in reversed(path) if isinstance(step, str)), "")
    kind, context = error["type"], error.get("ctx", {})
    if kind == "missing":
        return path[:-1], f"`{name}` is missing{_example(name)}", True
    if kind == "extra_forbidden":
        fields = _fields_at(model, path)
        return path, f"there is no field `{name}` here{did_you_mean(name, fields)}", True
    if kind == "model_type":
        return path, "must be a mapping of fields", False
    return path, _of_value(name, kind, error["input"], context), False


def _of_value(name: str, kind: str, value: object, context: Mapping[str, Any]) -> str:
    subject = f"`{name}`" if name else "the value"
    match kind:
        case "value_error":
            return f"{subject} {context['error']}"
        case "string_type":
            written = str(value).lower() if isinstance(value, bool) else str(value)
            quoted = isinstance(value, (int, bool))
            return f"{subject} must be text" + (f'; quote it: "{written}"' if quoted else "")
        case "string_too_short":
            return f"{subject} must not be empty"
        case "string_too_long":
            return f"{subject} is longer than {context['max_length']} characters"
        case "bool_type":
            return f"{subject} must be true or false"
        case "list_type":
            return f"{subject} must be a list{_example(name)}"
        case "dict_type":
            return f"{subject} must be a mapping{_example(name)}"
        case "literal_error":
            return f"{subject} must be {context['expected'].replace(chr(39), '')}"
        case _:
            return f"{subject} is of the wrong kind"


def _example(name: str) -> str:
    return f", as in `{name}: {_EXAMPLES[name]}`" if name in _EXAMPLES else ""


def _fields_at(model: type[BaseModel], path: Path) -> Iterable[str]:
    """Name the fields of the model in which the last step of a path was not found."""
    for step in path[:-1]:
        field = model.model_fields.get(step) if isinstance(step, str) else None
        annotation = field.annotation if field is not None else None
        if isinstance(annotation, type) and issubclass(annotation, BaseModel):
            model = annotation
    return model.model_fields
