package example;

import java.util.List;
import java.util.Set;
import java.util.stream.Collectors;
import org.springframework.boot.security.oauth2.server.resource.autoconfigure.OAuth2ResourceServerProperties;
import org.springframework.context.annotation.Bean;
import org.springframework.context.annotation.Configuration;
import org.springframework.context.annotation.Profile;
import org.springframework.security.oauth2.jose.jws.SignatureAlgorithm;
import org.springframework.security.oauth2.jwt.JwtClaimValidator;
import org.springframework.security.oauth2.jwt.JwtDecoder;
import org.springframework.security.oauth2.jwt.JwtValidators;
import org.springframework.security.oauth2.jwt.NimbusJwtDecoder;

/** Takes access tokens by RFC 9068, `typ: at+jwt`, which the stock decoder refuses. */
@Configuration
@Profile("at-jwt")
class AccessTokens {
    @Bean
    JwtDecoder jwtDecoder(OAuth2ResourceServerProperties properties) {
        var trusted = properties.getJwt();
        var audience = trusted.getAudiences().get(0);
        Set<SignatureAlgorithm> algorithms =
                trusted.getJwsAlgorithms().stream().map(SignatureAlgorithm::from).collect(Collectors.toSet());
        var keys =
                trusted.getJwkSetUri() == null
                        ? NimbusJwtDecoder.withIssuerLocation(trusted.getIssuerUri())
                        : NimbusJwtDecoder.withJwkSetUri(trusted.getJwkSetUri());
        var decoder = keys.validateType(false).jwsAlgorithms(them -> {
            them.clear();
            them.addAll(algorithms);
        }).build();
        decoder.setJwtValidator(
                JwtValidators.createAtJwtValidator()
                        .issuer(trusted.getIssuerUri())
                        .audience(audience)
                        .validators(all -> {
                            // Any client that has one; the builder's own `clientId` is for a single one.
                            all.put("client_id", new JwtClaimValidator<String>("client_id", id -> id != null));
                            // The audience alone, not one among others; the broker issues no lists.
                            all.put("one audience", new JwtClaimValidator<Object>(
                                    "aud", them -> List.of(audience).equals(them)));
                        })
                        .build());
        return decoder;
    }
}
