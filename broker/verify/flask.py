"""For views of Flask: who calls, as a decorator."""

from collections.abc import Callable
from functools import wraps
from typing import Any, ParamSpec, TypeVar

from flask import Response, current_app, g, request

from broker.verify.errors import TokenError
from broker.verify.guard import Guard
from broker.verify.verifier import Verifier

Parameters = ParamSpec("Parameters")
Result = TypeVar("Result")


def require_token(
    verifier: Verifier, *scopes: str, basic_allowed: bool = False, resource_metadata: str = ""
) -> Callable[[Callable[Parameters, Result]], Callable[Parameters, Result | Response]]:
    """Serve a view to callers with all of these scopes alone; `flask.g.service_token` is who.

    It stands below the route: above it, Flask serves the view without it.
    """
    guard = Guard(verifier, scopes, basic_allowed, resource_metadata)

    def decorate(view: Callable[Parameters, Result]) -> Callable[Parameters, Result | Response]:
        @wraps(view)
        def guarded(*args: Any, **kwargs: Any) -> Result | Response:  # noqa: ANN401 - the view's own
            try:
                g.service_token = guard.admit(request.headers.getlist("Authorization"))
            except TokenError as error:
                refused = guard.challenge(error)
                return Response(refused.body, refused.status, list(refused.headers))
            # Views may be coroutine functions, too.
            served: Result = current_app.ensure_sync(view)(*args, **kwargs)
            return served

        return guarded

    return decorate
