"""Before a WSGI application: requests without a good token do not come to it."""

from collections.abc import Callable, Collection, Iterable
from http import HTTPStatus
from typing import Any, Final

from broker.verify.bearer import excepted
from broker.verify.errors import TokenError
from broker.verify.guard import Guard
from broker.verify.verifier import Verifier

ENVIRON: Final = "broker.service_token"
"""Under which name the application finds who calls in its environment."""

StartResponse = Callable[..., Any]
App = Callable[[dict[str, Any], StartResponse], Iterable[bytes]]


class RequireToken:
    """An application behind a verifier; `scopes` are needed for all of it.

    `except_paths` are served to everybody (a health check, say), by their exact paths: those that
    the client asks for, with that of the mount. Raises `ValueError` for what is no list of paths,
    or no scope.
    """

    def __init__(
        self,
        app: App,
        verifier: Verifier,
        *scopes: str,
        except_paths: Collection[str] = (),
        basic_allowed: bool = False,
        resource_metadata: str = "",
    ) -> None:
        self._app = app
        self._guard = Guard(verifier, scopes, basic_allowed, resource_metadata)
        self._except_paths = excepted(except_paths)

    def __call__(self, environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        """Serve one request, or refuse it."""
        environ.pop(ENVIRON, None)
        path = environ.get("SCRIPT_NAME", "") + environ.get("PATH_INFO", "")
        if path in self._except_paths:
            return self._app(environ, start_response)
        try:
            # Servers join repeated headers by commas, which are refused as two.
            value = environ.get("HTTP_AUTHORIZATION")
            environ[ENVIRON] = self._guard.admit([] if value is None else [value])
        except TokenError as error:
            refused = self._guard.challenge(error)
            headers = [*refused.headers, ("content-length", str(len(refused.body)))]
            start_response(f"{refused.status} {HTTPStatus(refused.status).phrase}", headers)
            return [b"" if environ.get("REQUEST_METHOD") == "HEAD" else refused.body]
        return self._app(environ, start_response)
