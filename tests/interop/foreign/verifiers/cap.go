package main

import (
	"context"

	"github.com/hashicorp/cap/jwt"
)

// byCap verifies as the documentation of cap shows.
func byCap(ctx context.Context, at service) (verify, error) {
	keys, err := capKeys(ctx, at)
	if err != nil {
		return nil, err
	}
	validator, err := jwt.NewValidator(keys)
	if err != nil {
		return nil, err
	}
	expected := jwt.Expected{
		Issuer:            at.issuer,
		Audiences:         []string{at.audience},
		SigningAlgorithms: []jwt.Alg{jwt.Alg(at.algorithm)},
	}
	return func(ctx context.Context, token string) error {
		_, err := validator.Validate(ctx, token, expected)
		return err
	}, nil
}

func capKeys(ctx context.Context, at service) (jwt.KeySet, error) {
	if at.jwks != "" {
		return jwt.NewJSONWebKeySet(ctx, at.jwks, "")
	}
	return jwt.NewOIDCDiscoveryKeySet(ctx, at.issuer, "")
}
