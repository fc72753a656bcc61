// go get github.com/coreos/go-oidc/v3
package main

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"log"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
)

const (
	issuer    = «issuer»
	audience  = «audience»
	algorithm = «algorithm»
	tokenType = «token_type»
	jwksURI   = «jwks_uri»
)

var scopes = []string{«scopes»}

type caller struct {
	ClientID  string `json:"client_id"`
	NotBefore int64  `json:"nbf"`
	Scope     string `json:"scope"`
	TokenType string `json:"token_type"`
}

// seldom lets a request pass once in five seconds: go-oidc asks for keys at each token that does not
// verify, and anybody can send those.
type seldom struct {
	mutex sync.Mutex
	last  time.Time
}

func (each *seldom) RoundTrip(request *http.Request) (*http.Response, error) {
	each.mutex.Lock()
	now := time.Now()
	early := now.Sub(each.last) < 5*time.Second
	if !early {
		each.last = now
	}
	each.mutex.Unlock()
	if early {
		return nil, errors.New("the keys have just been asked for")
	}
	return http.DefaultTransport.RoundTrip(request)
}

// Without a timeout, one answer that does not come would hold up everybody.
var client = &http.Client{Timeout: 5 * time.Second, Transport: &seldom{}}

var keys = oidc.NewRemoteKeySet(oidc.ClientContext(context.Background(), client), jwksURI)

var verifier = oidc.NewVerifier(issuer, keys, &oidc.Config{
	ClientID:             audience,
	SupportedSigningAlgs: []string{algorithm},
})

// verified gives who calls, by a token that counts here and now.
func verified(ctx context.Context, raw string) (caller, error) {
	var found caller
	// go-oidc looks at no type: a token of another kind must not pass for an access token.
	encoded, _, _ := strings.Cut(raw, ".")
	decoded, err := base64.RawURLEncoding.DecodeString(encoded)
	if err != nil {
		return found, err
	}
	var header struct {
		Type string `json:"typ"`
	}
	if err := json.Unmarshal(decoded, &header); err != nil {
		return found, err
	}
	if header.Type != tokenType {
		return found, errors.New("a token of another type")
	}
	token, err := verifier.Verify(ctx, raw)
	if err != nil {
		return found, err
	}
	// It would take a list in which the audience is one of several.
	if len(token.Audience) != 1 {
		return found, errors.New("a token for several services")
	}
	if err := token.Claims(&found); err != nil {
		return found, err
	}
	// It would take a token five minutes before its time.
	if time.Until(time.Unix(found.NotBefore, 0)) > 30*time.Second {
		return found, errors.New("a token that is not valid yet")
	}
	if found.ClientID == "" || found.TokenType != "service" {
		return found, errors.New("not a service token")
	}
	return found, nil
}

// requireToken lets in who has a good token with all of the scopes.
func requireToken(next func(http.ResponseWriter, *http.Request, caller)) http.HandlerFunc {
	return func(response http.ResponseWriter, request *http.Request) {
		values := request.Header.Values("Authorization")
		if len(values) != 1 || len(values[0]) < 8 || !strings.EqualFold(values[0][:7], "bearer ") {
			response.Header().Set("WWW-Authenticate", "Bearer")
			http.Error(response, "a token is needed", http.StatusUnauthorized)
			return
		}
		found, err := verified(request.Context(), values[0][7:])
		if err != nil {
			response.Header().Set("WWW-Authenticate", `Bearer error="invalid_token"`)
			http.Error(response, "the token does not count here", http.StatusUnauthorized)
			return
		}
		held := strings.Fields(found.Scope)
		for _, scope := range scopes {
			if !slices.Contains(held, scope) {
				needed := strings.Join(scopes, " ")
				challenge := `Bearer error="insufficient_scope", scope="` + needed + `"`
				response.Header().Set("WWW-Authenticate", challenge)
				http.Error(response, "the token lacks a scope", http.StatusForbidden)
				return
			}
		}
		next(response, request, found)
	}
}

func main() {
	http.HandleFunc("/", requireToken(func(response http.ResponseWriter, _ *http.Request, found caller) {
		response.Header().Set("Content-Type", "application/json")
		json.NewEncoder(response).Encode(map[string]string{"caller": found.ClientID})
	}))
	port := os.Getenv("PORT")
	if port == "" {
		port = "8000"
	}
	log.Fatal(http.ListenAndServe("127.0.0.1:"+port, nil))
}
