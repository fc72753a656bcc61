"""A service token written in a format: to stdout, into files, or behind what files hold."""

import os
import secrets
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from broker.client.formats import (
    CONFIGURATIONS,
    FORMATS,
    FileText,
    FormatOptions,
    Rendering,
    render,
)
from broker.client.service_token import ServiceToken
from broker.client.token_cache import write_private

AWS_CREDENTIAL_PROCESS: Final = "aws-credential-process"
FORMAT_NAMES: Final = (*FORMATS, AWS_CREDENTIAL_PROCESS, *CONFIGURATIONS)


def rendered(
    name: str,
    fetch: Callable[[], ServiceToken],
    environment: Mapping[str, str],
    *,
    variable: str = "BROKER_TOKEN",
    file: str = "",
    server: str = "",
) -> Rendering:
    """Make the text of a format; `aws-credential-process` asks STS for keys first.

    The token is fetched by formats that hold one. Raises `ClientError`.
    """
    if name == AWS_CREDENTIAL_PROCESS:
        return _keys_of_aws(fetch(), environment)
    options = FormatOptions(
        environment=environment,
        variable=variable,
        delimiter=f"broker_{secrets.token_hex(16)}",
        file=file,
        server=server,
    )
    if name in CONFIGURATIONS:
        return CONFIGURATIONS[name](options)
    return render(name, fetch(), options)


def put_out(rendering: Rendering, *, file: str = "") -> None:
    """Write what a format has made: files first where stdout names them, a mask before the rest.

    `file` gets the text, unless the format writes files of its own. Raises `OSError`.
    """
    for each in rendering.written:
        write_private(Path(each.path), each.text)
    if file and not rendering.written:
        write_private(Path(file), rendering.text)
    else:
        sys.stdout.write(rendering.text)
        sys.stdout.flush()
    for each in rendering.appended:
        _append(each)


def _keys_of_aws(token: ServiceToken, environment: Mapping[str, str]) -> Rendering:
    from broker.client import sts
    from broker.client.formats import aws

    request = sts.sts_request(environment, token)
    return Rendering(aws.credential_process(sts.assume_role(request, token)))


def _append(content: FileText) -> None:
    # Without O_CREAT: a file that the platform has not made is one that nobody reads.
    handle = os.open(content.path, os.O_WRONLY | os.O_APPEND)
    with os.fdopen(handle, "a", encoding="utf-8") as stream:
        stream.write(content.text)
