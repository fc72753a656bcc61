"""Envoy before a service: `jwt_authn` verifies, `rbac` decides by the claims."""

import re
from ipaddress import ip_address
from typing import Final
from urllib.parse import urlsplit

from broker.snippets.quoting import quoted
from broker.snippets.template import Code, fill, template
from broker.snippets.trust import SnippetFile, Trust

_ESCAPED: Final = re.compile("[^A-Za-z0-9_]")

_SCOPE: Final = """\
                                    - sourced_metadata:
                                        metadata_matcher:
                                          filter: envoy.filters.http.jwt_authn
                                          path: [{key: payload}, {key: scope}]
                                          value: {string_match: {safe_regex: {regex: «regex»}}}
"""

_TLS: Final = """\
      transport_socket:
        name: envoy.transport_sockets.tls
        typed_config:
          "@type": type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext
          sni: «host»
          common_tls_context:
            validation_context:
              trusted_ca: {filename: /etc/ssl/certs/ca-certificates.crt}
              match_typed_subject_alt_names:
                - san_type: «san_type»
                  matcher: {exact: «host»}
"""


def files(trust: Trust) -> list[SnippetFile]:
    """Write a configuration that stands alone; the filters and `broker` fit into another, too."""
    parts = urlsplit(trust.issuer)
    host = parts.hostname or ""
    secure = parts.scheme == "https"
    text = fill(
        template("envoy.yaml"),
        quoted,
        issuer=trust.issuer,
        jwks_uri=trust.jwks_uri,
        audience=trust.service.audience,
        scopes=Code("".join(fill(_SCOPE, quoted, regex=_among(scope)) for scope in trust.scopes)),
        host=host,
        port=Code(str(parts.port or (443 if secure else 80))),
        tls=Code(_tls(host) if secure else ""),
    )
    return [SnippetFile("envoy.yaml", text)]


def _tls(host: str) -> str:
    return fill(
        _TLS, quoted, host=host, san_type=Code("IP_ADDRESS" if _is_address(host) else "DNS")
    )


def _is_address(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


def _among(scope: str) -> str:
    """Give the RE2 of texts that have a scope among others, with spaces between them."""
    return f"(.* )?{_ESCAPED.sub(_escape, scope)}( .*)?"


def _escape(found: re.Match[str]) -> str:
    return f"\\x{ord(found[0]):02x}"
