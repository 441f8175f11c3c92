// Verifies X-Account-Assertion in Go, with the standard library alone.
//
//	KEYS=jwks.json ISSUER=sallyport AUDIENCE=deployments go run verify.go < LINES
//
// reads lines of an assertion and, where it may be bound, the method and the URI of the request.
// The file is read anew when it changes: `curl` it every five minutes, or fetch it in Keys.read.
package main

import (
	"bufio"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"os"
	"strings"
	"sync"
	"time"
)

const leeway = 5 * time.Second

// Caller is who calls, as the gate vouches for it.
type Caller struct {
	Issuer       string   `json:"iss"`
	Audience     string   `json:"aud"`
	Account      string   `json:"sub"`
	Name         string   `json:"name"`
	Role         string   `json:"role"`
	Teams        []string `json:"teams"`
	Application  string   `json:"application"`
	Applications []string `json:"applications"`
	Method       *string  `json:"htm"`
	URI          *string  `json:"htu"`
	NotBefore    int64    `json:"nbf"`
	Expires      int64    `json:"exp"`
	ID           string   `json:"jti"`
}

// Keys are the public keys of the gate, by their names.
type Keys struct {
	file  string
	mutex sync.Mutex
	read  time.Time
	known map[string]*ecdsa.PublicKey
}

func (keys *Keys) get(kid string) (*ecdsa.PublicKey, error) {
	keys.mutex.Lock()
	defer keys.mutex.Unlock()
	info, err := os.Stat(keys.file)
	if err != nil {
		return nil, err
	}
	if keys.known == nil || !info.ModTime().Equal(keys.read) {
		known, err := keysIn(keys.file)
		if err != nil {
			return nil, err
		}
		keys.known, keys.read = known, info.ModTime()
	}
	key, found := keys.known[kid]
	if !found {
		return nil, errors.New("signed with a key that is not known")
	}
	return key, nil
}

func keysIn(file string) (map[string]*ecdsa.PublicKey, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	var set struct {
		Keys []struct{ Kty, Crv, X, Y, Kid string }
	}
	if err := json.Unmarshal(text, &set); err != nil {
		return nil, err
	}
	known := map[string]*ecdsa.PublicKey{}
	for _, key := range set.Keys {
		x, errX := number(key.X)
		y, errY := number(key.Y)
		if key.Kty == "EC" && key.Crv == "P-256" && errX == nil && errY == nil {
			known[key.Kid] = &ecdsa.PublicKey{Curve: elliptic.P256(), X: x, Y: y}
		}
	}
	return known, nil
}

func number(text string) (*big.Int, error) {
	bytes, err := base64.RawURLEncoding.DecodeString(text)
	return new(big.Int).SetBytes(bytes), err
}

// CallerOf verifies an assertion. method and uri are those of the request, without query, as the
// service got it.
func CallerOf(keys *Keys, issuer, audience, assertion, method, uri string) (*Caller, error) {
	parts := strings.Split(assertion, ".")
	if len(parts) != 3 {
		return nil, errors.New("not an assertion")
	}
	var head struct{ Alg, Kid string }
	if err := decode(parts[0], &head); err != nil {
		return nil, err
	}
	if head.Alg != "ES256" {
		return nil, errors.New("another algorithm than ES256")
	}
	key, err := keys.get(head.Kid)
	if err != nil {
		return nil, err
	}
	signature, err := base64.RawURLEncoding.DecodeString(parts[2])
	if err != nil || len(signature) != 64 {
		return nil, errors.New("not a signature")
	}
	digest := sha256.Sum256([]byte(parts[0] + "." + parts[1]))
	r, s := new(big.Int).SetBytes(signature[:32]), new(big.Int).SetBytes(signature[32:])
	if !ecdsa.Verify(key, digest[:], r, s) {
		return nil, errors.New("the signature is not by this key")
	}
	var caller Caller
	if err := decode(parts[1], &caller); err != nil {
		return nil, err
	}
	return &caller, caller.check(issuer, audience, method, uri, time.Now())
}

func (caller *Caller) check(issuer, audience, method, uri string, now time.Time) error {
	switch {
	case caller.Issuer != issuer || caller.Audience != audience || caller.Account == "":
		return errors.New("by another gate, or for another service")
	case now.Add(-leeway).Unix() >= caller.Expires:
		return errors.New("expired")
	case now.Add(leeway).Unix() < caller.NotBefore:
		return errors.New("not valid yet")
	case caller.Method != nil && *caller.Method != method, caller.URI != nil && *caller.URI != uri:
		return errors.New("for another request")
	}
	return nil
}

func decode(text string, into any) error {
	bytes, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil {
		return err
	}
	return json.Unmarshal(bytes, into)
}

func main() {
	keys := &Keys{file: os.Getenv("KEYS")}
	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(nil, 64*1024)
	for lines.Scan() {
		said := append(strings.Fields(lines.Text()), "", "", "")
		caller, err := CallerOf(keys, os.Getenv("ISSUER"), os.Getenv("AUDIENCE"), said[0], said[1], said[2])
		if err != nil {
			fmt.Println("refused:", err)
			continue
		}
		text, _ := json.Marshal(caller)
		fmt.Println(string(text))
	}
}
