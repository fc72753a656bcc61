package main

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"strings"
	"time"
)

// checkRFC9068 checks of a token whose signature holds what libraries for ID tokens leave out: its
// type, and that it is for one service alone, has an end, a client and has begun (RFC 9068 §2, §4).
func checkRFC9068(token, tokenType, audience string) error {
	parts := strings.Split(token, ".")
	var header struct{ Typ string }
	var claims struct {
		Audience  any    `json:"aud"`
		ClientID  string `json:"client_id"`
		Expiry    int64  `json:"exp"`
		NotBefore int64  `json:"nbf"`
	}
	if err := errors.Join(decode(parts[0], &header), decode(parts[1], &claims)); err != nil {
		return err
	}
	switch {
	case header.Typ != tokenType:
		return errors.New("another type of token")
	case claims.Audience != audience:
		return errors.New("for more than this service")
	case claims.ClientID == "":
		return errors.New("no client_id")
	case claims.Expiry == 0:
		return errors.New("no end")
	case claims.NotBefore > time.Now().Add(time.Minute).Unix():
		return errors.New("not yet valid")
	}
	return nil
}

func decode(part string, into any) error {
	text, err := base64.RawURLEncoding.DecodeString(part)
	if err != nil {
		return err
	}
	return json.Unmarshal(text, into)
}
