"""Authlib's authorization server on Flask: client credentials, JWT access tokens (RFC 9068).

Run by `gunicorn authlib_server:app`. It keeps nothing.
"""

from authlib.integrations.flask_oauth2 import AuthorizationServer
from authlib.oauth2.rfc6749 import ClientMixin, grants
from authlib.oauth2.rfc9068 import JWTBearerTokenGenerator
from flask import Flask, Response
from joserfc.jwk import ECKey, RSAKey

SECRET = "a-secret-of-a-measurement-alone-0123456789"
KEYS = {
    "ES256": ECKey.generate_key("P-256", auto_kid=True),
    "RS256": RSAKey.generate_key(2048, auto_kid=True),
}


class Client(ClientMixin):
    """The one client."""

    def get_client_id(self) -> str:
        """Give its name."""
        return "job"

    def get_allowed_scope(self, scope: str) -> str:
        """Allow what there is."""
        return "deploy" if scope == "deploy" else ""

    def check_client_secret(self, client_secret: str) -> bool:
        """Compare the secret."""
        return client_secret == SECRET

    def check_endpoint_auth_method(self, method: str, _endpoint: str) -> bool:
        """Allow the secret in the body."""
        return method == "client_secret_post"

    def check_grant_type(self, grant_type: str) -> bool:
        """Allow client credentials."""
        return grant_type == "client_credentials"


class Credentials(grants.ClientCredentialsGrant):
    """Client credentials in the body."""

    TOKEN_ENDPOINT_AUTH_METHODS = ("client_secret_post",)


class Tokens(JWTBearerTokenGenerator):
    """JWT access tokens of one algorithm."""

    def get_jwks(self) -> ECKey | RSAKey:
        """Give the key that signs."""
        return KEYS[self.alg]


CLIENTS = {"job": Client()}
app = Flask(__name__)


def serve(algorithm: str) -> None:
    """Put a token endpoint of an algorithm below its name."""
    server = AuthorizationServer(
        app, query_client=CLIENTS.get, save_token=lambda _token, _request: None
    )
    server.register_grant(Credentials)
    server.register_token_generator("default", Tokens("https://authlib.example", alg=algorithm))

    def token() -> Response:
        answer: Response = server.create_token_response()
        return answer

    name = algorithm.lower()
    app.add_url_rule(f"/{name}/token", name, token, methods=["POST"])


for each in KEYS:
    serve(each)
