"""`broker policies import`: a peer's policy, translated."""

import json
import os
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final, Literal, NoReturn

import typer

from broker.cli.common_options import AsJson, Config
from broker.cli.endings import fail, server_extra, told_plainly
from broker.cli.grant_option import Grant, grants_said
from broker.cli.policies.joining import STAND_IN, JoinedSet, joined_with

if TYPE_CHECKING:
    from broker.core.errors import Problem
    from broker.policy_imports import Destination, Translation

_NOT_CARRIED: Final = 1


def import_(
    form: Annotated[
        Literal["octo-sts", "aws", "vault"],
        typer.Argument(metavar="{octo-sts,aws,vault}", help="Whose policy it is."),
    ],
    file: Annotated[
        Path,
        typer.Argument(
            metavar="FILE",
            help="A trust policy of octo-sts (YAML), the trust policy of an IAM role, or a JWT"
            " role of Vault or OpenBao (JSON); - is stdin.",
        ),
    ],
    *,
    grant: Grant = None,
    service_account: Annotated[
        str | None,
        typer.Option(
            metavar="ID",
            help="The service account; without it, one named after the role or the file.",
        ),
    ] = None,
    name: Annotated[
        str | None, typer.Option(help="The name of the policy; without it, that of the account.")
    ] = None,
    issuer: Annotated[
        str | None,
        typer.Option(
            metavar="NAME|URL", help="Whose tokens a role of Vault takes, which it does not say."
        ),
    ] = None,
    preset: Annotated[
        Literal["github", "gitlab"] | None,
        typer.Option(help="What a self-managed platform is."),
    ] = None,
    policies: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="PATH",
            help="Policy files and folders that the result joins; without it the configured folder,"
            " if there is one. Repeatable.",
        ),
    ] = None,
    config: Config = None,
    as_json: AsJson = False,
) -> None:
    """Translate a policy of octo-sts, AWS or Vault into a policy file, with tests.

    The result admits nothing that its source does not. Exit 0 when it says the same; 1 when
    something does not carry over: then there is no policy, only comments that say what; 2 when the
    file cannot be read, or the result does not load beside your policies.
    """
    grants = grants_said(grant) or {}
    with server_extra("policies import"), told_plainly():
        from broker.policy_imports import not_carried_text, policy_text, translate

        text = _text_of(file)
        existing = joined_with(None, policies, config)
        url = _issuer_url(issuer, existing)
        translation, problems = translate(form, text, str(file), issuer=url, preset=preset)
        origin = f"{form}, {file}"
        if translation is None:
            _refuse(problems, not_carried_text(problems, origin), as_json=as_json)
        if form != "vault" and url not in (None, translation.issuer):
            fail(f"--issuer: the file names another issuer, {translation.issuer}")
        destination = _destination(
            translation, existing, grants, service_account or _id_of(translation, file), name
        )
        result = policy_text(translation, destination, origin)
        joined = joined_with(result, policies, config, stand_in=_stand_in(destination))
    failed = joined.failed_tests()
    if failed:
        _refuse(failed, not_carried_text(failed, origin), as_json=as_json)
    notes = joined.findings()
    if as_json:
        shown = {
            "faithful": True,
            "policies": result,
            "service_account": destination.account,
            "not_carried": [],
            "findings": notes,
        }
        _print(json.dumps(shown) + "\n")
    else:
        _print(result)
    for note in notes:
        typer.echo(note, err=True)
    if not destination.grants and not destination.account_exists:
        from broker.policy_imports import UNSAID

        typer.echo(f"broker: it does not load yet: {UNSAID}", err=True)


def _text_of(file: Path) -> bytes:
    from broker.policy_imports import MAX_BYTES

    try:
        if str(file) == "-":
            if sys.stdin is None:
                fail("- is stdin, which is closed")
            text = sys.stdin.buffer.read(MAX_BYTES + 1)
        else:
            with file.open("rb") as source:
                text = source.read(MAX_BYTES + 1)
    except OSError as error:
        fail(f"{file} cannot be read: {error.strerror}")
    return text


def _print(text: str) -> None:
    try:
        typer.echo(text, nl=False)
    except OSError as error:
        # What is left of it would be tried again at the end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        fail(f"the result cannot be written, so use none of it: {error.strerror}")


def _issuer_url(said: str | None, existing: JoinedSet) -> str | None:
    """Find the URL of the issuer that an option names."""
    from broker.core.platforms import PRESETS

    if said is None or "://" in said:
        return said
    known = existing.issuers()
    if said in known:
        return known[said].url
    if said not in PRESETS:
        fail(f"--issuer: there is no issuer '{said}'; known: {', '.join([*known, *PRESETS])}")
    return PRESETS[said].issuer


def _destination(
    translation: "Translation",
    existing: JoinedSet,
    grants: dict[str, list[str]],
    account: str,
    name: str | None,
) -> "Destination":
    from broker.core.account_id import is_account_id, is_generated
    from broker.policy_imports import Destination

    if not is_account_id(account) or is_generated(account):
        fail(
            f"--service-account: '{account}' is no id of an account: 2 to 63 of a-z, 0-9 and -, not"
            " beginning with - or m-"
        )
    platform = translation.platform
    issuer = existing.issuer_name(translation.issuer)
    new_issuer: dict[str, str] = {}
    if issuer is not None and existing.issuers()[issuer].platform != platform:
        preset = existing.issuers()[issuer].platform
        fail(
            f"your issuer `{issuer}` has {f'the preset {preset.name}' if preset else 'no preset'};"
            f" this was read as tokens of {platform.name}, with its claims and events"
        )
    if issuer is None:
        issuer = platform.name
        if issuer in existing.issuers():
            issuer = f"{issuer}-imported"
        new_issuer = {"preset": platform.name}
        if translation.issuer != platform.issuer:
            new_issuer["issuer"] = translation.issuer
    return Destination(
        issuer=issuer,
        account=account,
        name=name or account,
        new_issuer=new_issuer,
        grants=grants,
        account_exists=account in existing.accounts(),
    )


def _id_of(translation: "Translation", file: Path) -> str:
    """Make an id of what the source calls itself, else of the file's name."""
    name = translation.name or file.name.partition(".")[0]
    made = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:63]
    if not made:
        fail("name the account with --service-account")
    return made


def _stand_in(destination: "Destination") -> str | None:
    """Give an account for as long as the operator has named none, so that the rest is checked."""
    if destination.grants or destination.account_exists:
        return None
    return (
        f'services: {{{STAND_IN}: {{audience: "https://stand-in.invalid"}}}}\n'
        f"service_accounts: {{{destination.account}: {{grants: {{{STAND_IN}: []}}}}}}\n"
    )


def _refuse(problems: "Sequence[Problem]", text: str, *, as_json: bool) -> NoReturn:
    """End with what does not carry over: as comments on stdout, and with its places on stderr."""
    if as_json:
        told = [
            {
                "file": each.file,
                "line": each.line,
                "column": each.column,
                "message": each.message,
            }
            for each in problems
        ]
        _print(json.dumps({"faithful": False, "policies": None, "not_carried": told}) + "\n")
    else:
        _print(text)
    for each in problems:
        typer.echo(str(each), err=True)
    raise typer.Exit(_NOT_CARRIED)
