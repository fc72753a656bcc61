"""What answers at each endpoint, made of the parts that do the work."""

from collections.abc import Callable

from broker.audit.verification import LogVerification
from broker.bootstrap.for_accounts import ForAccounts
from broker.bootstrap.measured import Measured
from broker.grants.explanation import ExchangeExplanation
from broker.grants.introspection import Introspection
from broker.grants.request import Parameters
from broker.grants.revocation import Revocation
from broker.grants.token_exchange import TokenExchange
from broker.grants.token_standing import TokenStanding
from broker.http.api.audit_logs import AuditLogsApi
from broker.http.api.bearer import Bearer
from broker.http.api.blocks import BlocksApi
from broker.http.api.catalogue import CatalogueApi
from broker.http.api.endpoint import ApiEndpoint, Serve
from broker.http.api.issuers import IssuersApi
from broker.http.api.keys import KeysApi
from broker.http.api.limits import ApiLimits
from broker.http.api.policies import PoliciesApi
from broker.http.api.service_accounts import ServiceAccountsApi
from broker.http.api.simulation import SimulationApi
from broker.http.app import Endpoints
from broker.http.client_credentials import is_used_by_grant
from broker.http.decision_page import DecisionPage
from broker.http.discovery import Discovery
from broker.http.explain_endpoint import ExplainEndpoint
from broker.http.health import Health, Readiness
from broker.http.introspection_endpoint import IntrospectionEndpoint
from broker.http.metrics_endpoint import SCOPE, Metrics, MetricsEndpoint, OpenMetricsEndpoint
from broker.http.oauth_endpoint import OAuthEndpoint
from broker.http.oauth_endpoint import Serve as ServeOAuth
from broker.http.protected_resource import ProtectedResource
from broker.http.revocation_endpoint import RevocationEndpoint
from broker.http.token_endpoint import TokenEndpoint
from broker.issuer_keys import HttpIssuerKeys
from broker.ports import PolicySimulation, Store
from broker.reload.following import Following
from broker.reload.kept_sets import KeptSets
from broker.reload.policy_reload import PolicyReload
from broker.settings import Settings
from broker.signing.key_upkeep import KeyUpkeep


def endpoints_of(  # noqa: PLR0913, PLR0917 - what the endpoints show has as many owners
    settings: Settings,
    exchange: TokenExchange,
    served: ForAccounts,
    store: Store,
    kept: KeptSets,
    reloading: PolicyReload | Following,
    upkeep: KeyUpkeep,
    issuer_keys: HttpIssuerKeys,
    verification: LogVerification,
    measured: Measured,
    simulation: PolicySimulation,
) -> Endpoints:
    """Make every endpoint."""
    policies, keys, clock = exchange.policies, exchange.signing_keys, exchange.clock
    counts, limits, proxies = exchange.refusal_counts, exchange.limits, settings.trusted_proxies
    tokens = TokenEndpoint(exchange, served.credentials)
    authentication = served.credentials.authentication
    explanations = ExplainEndpoint(ExchangeExplanation(exchange))
    revocation = Revocation(
        authentication, keys, policies, store, clock, exchange.identifiers, settings.issuer
    )
    last_uses = served.credentials.last_uses
    standing = TokenStanding(store, policies, clock)
    introspection = Introspection(
        authentication, keys, policies, standing, last_uses, clock, settings.issuer, settings.leeway
    )
    bearer = Bearer(settings.issuer, keys, standing, clock, authentication, last_uses, proxies)
    api_limits = ApiLimits(limits, clock, proxies, settings.issuer)
    policies_api = PoliciesApi(policies, kept, reloading)
    keys_api = KeysApi(upkeep)
    # Whose events an organization sees: accounts of the files from there, others from the store.
    audit_api = AuditLogsApi(store, verification, served.registry.policies, store, clock)
    catalogue_api = CatalogueApi(policies)
    issuers_api = IssuersApi(policies, issuer_keys, served.issuers, proxies)

    def oauth(
        place: str,
        serve: ServeOAuth,
        authenticates: Callable[[Parameters], bool] = lambda _: False,
        *,
        json_allowed: bool = False,
    ) -> OAuthEndpoint:
        return OAuthEndpoint(
            serve,
            authentication,
            counts,
            limits,
            clock,
            proxies,
            settings.issuer,
            authenticates,
            json_allowed,
            measured.measurements,
            place,
        )

    health = Health(store, keys, reloading, issuer_keys, clock)
    figures = Metrics(measured.page(exchange, reloading, store))
    metrics: MetricsEndpoint = ApiEndpoint(bearer, api_limits, SCOPE, figures.show)
    if settings.loopback or settings.metrics.public:
        metrics = OpenMetricsEndpoint(figures)
    return Endpoints(
        oauth_token=oauth("/oauth/token", tokens.serve, is_used_by_grant),
        api_token=oauth("/api/v1/auth/token", tokens.serve, is_used_by_grant, json_allowed=True),
        oauth_explain=oauth("/oauth/explain", explanations.serve),
        oauth_revoke=oauth("/oauth/revoke", RevocationEndpoint(revocation).serve, lambda _: True),
        oauth_introspect=oauth(
            "/oauth/introspect", IntrospectionEndpoint(introspection).serve, lambda _: True
        ),
        policies=ApiEndpoint(bearer, api_limits, "broker:policies:read", policies_api.show),
        policies_reload=ApiEndpoint(
            bearer, api_limits, "broker:policies:write", policies_api.reload
        ),
        policies_simulate=ApiEndpoint(
            bearer,
            api_limits,
            "broker:policies:read",
            SimulationApi(simulation, clock).simulate,
            or_scope="broker:policies:write",
            and_scope="broker:audit:read",
        ),
        keys=ApiEndpoint(bearer, api_limits, "broker:keys:read", keys_api.show),
        keys_rotate=ApiEndpoint(bearer, api_limits, "broker:keys:write", keys_api.rotate),
        blocks=BlocksApi(served.blocks, bearer, api_limits, proxies).endpoints(),
        accounts=ServiceAccountsApi(served.registry, bearer, api_limits, proxies).endpoints(),
        audit_logs=ApiEndpoint(
            bearer, api_limits, "broker:audit:read", audit_api.show, confined=True
        ),
        audit_verify=ApiEndpoint(bearer, api_limits, "broker:audit:read", audit_api.verify),
        services=_catalogue_endpoint(bearer, api_limits, catalogue_api.services),
        organizations=_catalogue_endpoint(bearer, api_limits, catalogue_api.organizations),
        issuers=ApiEndpoint(bearer, api_limits, "broker:issuers:read", issuers_api.show),
        issuer=ApiEndpoint(bearer, api_limits, "broker:issuers:write", issuers_api.patch),
        issuer_jwks=ApiEndpoint(bearer, api_limits, "broker:issuers:write", issuers_api.upload),
        decision_page=DecisionPage(settings.issuer),
        discovery=Discovery(settings.issuer, policies, keys, clock),
        protected_resource=ProtectedResource(settings.issuer),
        health=health,
        readiness=Readiness(health, ApiEndpoint(bearer, api_limits, SCOPE, health.detail)),
        metrics=metrics,
    )


def _catalogue_endpoint(bearer: Bearer, limits: ApiLimits, serve: Serve) -> ApiEndpoint:
    # Whoever makes accounts has to know what may be granted.
    return ApiEndpoint(
        bearer,
        limits,
        "broker:policies:read",
        serve,
        or_scope="broker:accounts:read",
        confined=True,
    )
