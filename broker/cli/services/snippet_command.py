"""`broker services snippet`: configuration to paste for what takes a service's tokens."""

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from broker.cli.common_options import AsJson, Config
from broker.cli.endings import fail, server_extra
from broker.cli.policies.loading import Paths, load_sets
from broker.cli.services.catalogue import service_named
from broker.cli.services.subjects import UNFIT, subjects_of

if TYPE_CHECKING:
    from broker.core.errors import Problem
    from broker.core.policy import Service
    from broker.policy_files import LoadedPolicies
    from broker.snippets import Form, Misfit, SnippetFile, Subject, Trust

_FORMS = "python, node, go, spring, envoy, nginx, kubernetes, terraform-aws, gcp, entra or vault"

_ISSUER_VARIABLE = "BROKER_ISSUER"


def snippet(
    *,
    name: Annotated[str, typer.Argument(metavar="NAME", help="The service, by name or audience.")],
    paths: Paths = None,
    form: Annotated[
        str, typer.Option("--for", metavar="FORM", help=f"What takes its tokens: {_FORMS}.")
    ],
    scopes: Annotated[
        list[str] | None,
        typer.Option(
            "--scope",
            metavar="SCOPE",
            help="A scope that callers need; may be repeated. Without it all of the service.",
        ),
    ] = None,
    accounts: Annotated[
        list[str] | None,
        typer.Option(
            "--service-account",
            metavar="A",
            help="A service account that may come in; may be repeated. Without it all that are"
            " granted the service.",
        ),
    ] = None,
    subs: Annotated[
        list[str] | None,
        typer.Option(
            "--sub",
            metavar="SUB",
            help="One identity of an account with `instances`; may be repeated.",
        ),
    ] = None,
    config: Config = None,
    as_json: AsJson = False,
) -> None:
    """Print configuration to paste for what takes the tokens of a service.

    Exit 1 where it could not work for the service as it is, with the line to change.
    """
    with server_extra("services snippet"):
        from broker.snippets import FORMS, Trust, misfits

        chosen = FORMS.get(form) or _unknown_form(form, list(FORMS))
        sets = load_sets(paths, config)
    service, loaded = service_named(name, sets)
    policy_set = loaded.policy_set
    notes: list[str] = []
    subjects: list[Subject] = []
    if chosen.binds_subjects:
        subjects, left_out = subjects_of(policy_set, service, accounts or [], subs or [])
        notes += [_left_out(each) for each in left_out]
    elif accounts or subs:
        fail(
            f"--for {form} lets in every account that has the scopes; leave out"
            " --service-account and --sub"
        )
    trust = Trust(
        issuer=_issuer(loaded),
        service=service,
        scopes=_scopes(service, chosen, scopes, notes),
        subjects=tuple(subjects),
    )
    problems = [_placed(each, trust, loaded, config) for each in misfits(chosen.rules, trust)]
    if problems:
        for problem in problems:
            typer.echo(str(problem), err=True)
        raise typer.Exit(UNFIT)
    _write(chosen, trust, chosen.files(trust), as_json=as_json)
    for note in notes:
        typer.echo(f"broker: {note}", err=True)


def _write(form: "Form", trust: "Trust", files: Sequence["SnippetFile"], *, as_json: bool) -> None:
    if as_json:
        told = {
            "service": trust.service.name,
            "for": form.name,
            "issuer": trust.issuer,
            "audience": trust.service.audience,
            "files": [{"name": each.name, "text": each.text} for each in files],
        }
        typer.echo(json.dumps(told))
        return
    for number, each in enumerate(files):
        if len(files) > 1:
            typer.echo(f"{'' if number == 0 else chr(10)}==> {each.name} <==")
        typer.echo(each.text, nl=False)


def _unknown_form(form: str, known: Sequence[str]) -> NoReturn:
    from broker.core.condition_text import shown
    from broker.policy_files.sentences import did_you_mean

    fail(f"--for: there is no form `{shown(form)}`{did_you_mean(form, known)}")


def _issuer(loaded: "LoadedPolicies") -> str:
    """Give the URL of the broker that the set is for: the audience of its own service."""
    from broker.core.broker_service import BROKER_SERVICE

    return loaded.policy_set.services[BROKER_SERVICE].audience


def _scopes(
    service: "Service", form: "Form", asked: Sequence[str] | None, notes: list[str]
) -> tuple[str, ...]:
    from broker.core.condition_text import shown
    from broker.policy_files.sentences import did_you_mean

    if not form.asks_scopes:
        if asked:
            fail(f"--for {form.name} looks at no scopes; leave out --scope")
        return ()
    for scope in asked or ():
        if scope not in service.scopes:
            known = did_you_mean(scope, service.scopes)
            fail(f"service `{service.name}` has no scope `{shown(scope)}`{known}")
    if asked:
        return tuple(dict.fromkeys(asked))
    if len(service.scopes) > 1:
        notes.append(
            f"callers need every scope of `{service.name}` ({', '.join(service.scopes)});"
            " name those meant with --scope"
        )
    return tuple(service.scopes)


def _left_out(account: str) -> str:
    return (
        f"`{account}` has `instances`, and no value of them is known here; add its identities"
        f" with --sub"
    )


def _placed(
    misfit: "Misfit", trust: "Trust", loaded: "LoadedPolicies", config: Path | None
) -> "Problem":
    """Say on which line what does not fit is written, or would be."""
    from broker.core.errors import Problem

    if misfit.field == "issuer":
        return _in_configuration(misfit, config)
    name = trust.service.name
    for document in loaded.sources.values():
        services = document.value.get("services")
        entry = services.get(name) if isinstance(services, dict) else None
        if isinstance(entry, dict):
            path = ("services", name)
            if misfit.field in entry:
                return document.problem((*path, misfit.field), misfit.message)
            return document.problem(path, misfit.message, at_key=True)
    return Problem(name, 0, 0, misfit.message)


def _in_configuration(misfit: "Misfit", config: Path | None) -> "Problem":
    from broker.core.errors import Problem
    from broker.yaml_document import DocumentRefused, read

    if _ISSUER_VARIABLE in os.environ:
        return Problem(_ISSUER_VARIABLE, 0, 0, misfit.message)
    file = config or Path("broker.yaml")
    try:
        document = read(file.read_bytes(), str(file))
    except (OSError, DocumentRefused):
        return Problem(str(file), 0, 0, misfit.message)
    # Of what is not there, this is the place of the whole.
    return document.problem((misfit.field,), misfit.message)
