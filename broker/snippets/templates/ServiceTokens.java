// Beside your application class, in its package; with Spring's starter for OAuth 2 resource servers.
import com.nimbusds.jose.JOSEObjectType;
import com.nimbusds.jose.proc.DefaultJOSEObjectTypeVerifier;
import org.springframework.beans.factory.annotation.Value;
import org.springframework.context.annotation.Bean;
import org.springframework.context.annotation.Configuration;
import org.springframework.security.config.Customizer;
import org.springframework.security.config.annotation.web.builders.HttpSecurity;
import org.springframework.security.config.annotation.web.configuration.EnableWebSecurity;
import org.springframework.security.config.http.SessionCreationPolicy;
import org.springframework.security.oauth2.core.DelegatingOAuth2TokenValidator;
import org.springframework.security.oauth2.jose.jws.SignatureAlgorithm;
import org.springframework.security.oauth2.jwt.JwtClaimValidator;
import org.springframework.security.oauth2.jwt.JwtDecoder;
import org.springframework.security.oauth2.jwt.JwtIssuerValidator;
import org.springframework.security.oauth2.jwt.JwtTimestampValidator;
import org.springframework.security.oauth2.jwt.NimbusJwtDecoder;
import org.springframework.security.web.SecurityFilterChain;

import java.time.Duration;
import java.util.List;
«scope_imports»
@Configuration
@EnableWebSecurity
public class ServiceTokens {

    private static final String AUDIENCE = «audience»;

    private static final String TOKEN_TYPE = «token_type»;

    @Bean
    SecurityFilterChain onlyWithServiceTokens(HttpSecurity http) throws Exception {
        return http
            .authorizeHttpRequests(requests -> requests.anyRequest().«access»)
            .oauth2ResourceServer(server -> server.jwt(Customizer.withDefaults()))
            .sessionManagement(
                sessions -> sessions.sessionCreationPolicy(SessionCreationPolicy.STATELESS))
            .csrf(csrf -> csrf.disable())
            .build();
    }

    @Bean
    JwtDecoder serviceTokenDecoder(
            @Value("${service-tokens.issuer}") String issuer,
            @Value("${service-tokens.jwks-uri}") String keys) {
        NimbusJwtDecoder decoder = NimbusJwtDecoder.withJwkSetUri(keys)
            .jwsAlgorithm(SignatureAlgorithm.«algorithm»)
            // Left alone, it takes `JWT` and tokens without a type.
            .jwtProcessorCustomizer(processor -> processor.setJWSTypeVerifier(
                new DefaultJOSEObjectTypeVerifier<>(new JOSEObjectType(TOKEN_TYPE))))
            .build();
        decoder.setJwtValidator(new DelegatingOAuth2TokenValidator<>(List.of(
            new JwtTimestampValidator(Duration.ofSeconds(30)),
            new JwtIssuerValidator(issuer),
            new JwtClaimValidator<Object>("exp", end -> end != null),
            new JwtClaimValidator<Object>("aud", audience -> List.of(AUDIENCE).equals(audience)),
            new JwtClaimValidator<Object>("token_type", "service"::equals),
            new JwtClaimValidator<Object>("client_id", id -> id != null))));
        return decoder;
    }
}
