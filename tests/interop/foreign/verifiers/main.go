// Command verifiers asks a Go library about tokens: JSON lines in, JSON lines out.
//
//	verifiers go-oidc|go-oidc+rfc9068|cap|cap+rfc9068
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"strings"
)

// asked is one token and the service that it is presented to.
type asked struct {
	Token     string `json:"token"`
	Issuer    string `json:"issuer"`
	Audience  string `json:"audience"`
	Algorithm string `json:"algorithm"`
	TokenType string `json:"token_type"`
	JWKS      string `json:"jwks"` // its URL; empty: by discovery at the issuer
}

// told is the answer.
type told struct {
	Accepted bool   `json:"accepted"`
	Why      string `json:"why,omitempty"`
}

// service is asked without its token: the verifier of one service is set up once.
type service struct{ issuer, audience, algorithm, jwks string }

type verify func(ctx context.Context, token string) error

var libraries = map[string]func(context.Context, service) (verify, error){
	"go-oidc": byGoOIDC,
	"cap":     byCap,
}

func main() {
	name, strict := os.Args[1], false
	if base, found := strings.CutSuffix(name, "+rfc9068"); found {
		name, strict = base, true
	}
	setUp := libraries[name]
	ctx := context.Background()
	verifiers := map[service]verify{}
	in, out := bufio.NewReader(os.Stdin), json.NewEncoder(os.Stdout)
	for decoder := json.NewDecoder(in); decoder.More(); {
		var one asked
		fail(decoder.Decode(&one))
		at := service{one.Issuer, one.Audience, one.Algorithm, one.JWKS}
		if verifiers[at] == nil {
			verifier, err := setUp(ctx, at)
			fail(err)
			verifiers[at] = verifier
		}
		err := verifiers[at](ctx, one.Token)
		if err == nil && strict {
			err = checkRFC9068(one.Token, one.TokenType, one.Audience)
		}
		answer := told{Accepted: err == nil}
		if err != nil {
			answer.Why = err.Error()
		}
		fail(out.Encode(answer))
	}
}


func fail(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
