// Command kubernetes asks the API server's own OIDC authenticator about tokens: JSON lines in, JSON
// lines out. It reads the AuthenticationConfiguration as the API server does, strictly.
//
//	kubernetes CONFIGURATION [JWKS-URL]
//
// Without the URL the keys come by discovery at the issuer, which has to be https.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"time"

	goidc "github.com/coreos/go-oidc"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/apiserver/pkg/apis/apiserver"
	"k8s.io/apiserver/pkg/apis/apiserver/install"
	"k8s.io/apiserver/pkg/apis/apiserver/validation"
	authenticationcel "k8s.io/apiserver/pkg/authentication/cel"
	"k8s.io/apiserver/pkg/authentication/user"
	"k8s.io/apiserver/pkg/server/dynamiccertificates"
	"k8s.io/apiserver/plugin/pkg/authenticator/token/oidc"
)

type told struct {
	Accepted bool                `json:"accepted"`
	Username string              `json:"username,omitempty"`
	Groups   []string            `json:"groups,omitempty"`
	Extra    map[string][]string `json:"extra,omitempty"`
	Why      string              `json:"why,omitempty"`
}

func main() {
	ctx := context.Background()
	jwks := ""
	if len(os.Args) > 2 {
		jwks = os.Args[2]
	}
	authenticator, err := setUp(ctx, os.Args[1], jwks)
	fail(err)
	in, out := bufio.NewReader(os.Stdin), json.NewEncoder(os.Stdout)
	for decoder := json.NewDecoder(in); decoder.More(); {
		var one struct{ Token string }
		fail(decoder.Decode(&one))
		response, accepted, err := authenticator.AuthenticateToken(ctx, one.Token)
		answer := told{Accepted: accepted}
		if err != nil {
			answer.Why = err.Error()
		}
		if accepted {
			answer.of(response.User)
		}
		fail(out.Encode(answer))
	}
}

func (answer *told) of(user user.Info) {
	answer.Username, answer.Groups, answer.Extra = user.GetName(), user.GetGroups(), user.GetExtra()
}

func setUp(ctx context.Context, path, jwks string) (oidc.AuthenticatorTokenWithHealthCheck, error) {
	configuration, err := read(path)
	if err != nil {
		return nil, err
	}
	options := oidc.Options{
		JWTAuthenticator:     configuration.JWT[0],
		SupportedSigningAlgs: oidc.AllValidSigningAlgorithms(), // as for every such configuration
	}
	if jwks != "" {
		options.KeySet = goidc.NewRemoteKeySet(ctx, jwks)
	} else if certificates := configuration.JWT[0].Issuer.CertificateAuthority; certificates != "" {
		options.CAContentProvider, err = dynamiccertificates.NewStaticCAContent("issuer", []byte(certificates))
		if err != nil {
			return nil, err
		}
	}
	authenticator, err := oidc.New(ctx, options)
	if err != nil {
		return nil, err
	}
	for end := time.Now().Add(time.Minute); ; time.Sleep(50 * time.Millisecond) {
		if err = authenticator.HealthCheck(); err == nil || time.Now().After(end) {
			return authenticator, err
		}
	}
}

func read(path string) (*apiserver.AuthenticationConfiguration, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	scheme := runtime.NewScheme()
	install.Install(scheme)
	codecs := serializer.NewCodecFactory(scheme, serializer.EnableStrict)
	object, err := runtime.Decode(codecs.UniversalDecoder(), text)
	if err != nil {
		return nil, err
	}
	configuration, ok := object.(*apiserver.AuthenticationConfiguration)
	if !ok || len(configuration.JWT) != 1 {
		return nil, errors.New("not an AuthenticationConfiguration with one issuer")
	}
	compiler := authenticationcel.NewDefaultCompiler()
	wrong := validation.ValidateAuthenticationConfiguration(compiler, configuration, nil)
	return configuration, wrong.ToAggregate()
}

func fail(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
