package main

import (
	"context"

	"github.com/coreos/go-oidc/v3/oidc"
)

// byGoOIDC verifies as the documentation of go-oidc shows, with the algorithm of the service.
func byGoOIDC(ctx context.Context, at service) (verify, error) {
	config := &oidc.Config{ClientID: at.audience, SupportedSigningAlgs: []string{at.algorithm}}
	var verifier *oidc.IDTokenVerifier
	if at.jwks != "" {
		verifier = oidc.NewVerifier(at.issuer, oidc.NewRemoteKeySet(ctx, at.jwks), config)
	} else {
		provider, err := oidc.NewProvider(ctx, at.issuer)
		if err != nil {
			return nil, err
		}
		verifier = provider.Verifier(config)
	}
	return func(ctx context.Context, token string) error {
		_, err := verifier.Verify(ctx, token)
		return err
	}, nil
}
