// Package signature tells whether a webhook comes from who it says: it checks what the sender made of the raw bytes of
// the body and a secret that both sides know. It stands in front of everything that parses a webhook.
//
// Every scheme takes several secrets, of which any may fit, so that a secret can be replaced without losing a webhook:
// set the new one beside the old, change it at the sender, then take the old one away.
package signature

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/subtle"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"hash"
	"net/http"
	"net/textproto"
	"strconv"
	"strings"
	"time"

	"cairn/internal/fault"
)

// Tolerance is how far the timestamp of a signature may be from now, in both directions, where a scheme has one.
const Tolerance = 5 * time.Minute

// Scheme is one way of signing, with the secrets of one sender. It is safe for use from several goroutines.
type Scheme struct {
	verify func(h http.Header, body []byte, now time.Time) error
}

// Verify returns nil when a webhook with these headers and exactly these bytes of body was signed with one of the
// secrets. Otherwise the error is fault.Denied; it says what is wrong, never what would be right.
func (s *Scheme) Verify(h http.Header, body []byte, now time.Time) error {
	return s.verify(h, body, now)
}

// GitHub is `X-Hub-Signature-256: sha256=<hex>`, as GitHub and Gitea send it. The older X-Hub-Signature, with SHA-1, is
// not looked at.
func GitHub(secrets ...string) (*Scheme, error) { return Hex("X-Hub-Signature-256", secrets...) }

// Bitbucket is `X-Hub-Signature: sha256=<hex>`.
func Bitbucket(secrets ...string) (*Scheme, error) { return Hex("X-Hub-Signature", secrets...) }

// Flux is `X-Signature: sha256=<hex>`.
func Flux(secrets ...string) (*Scheme, error) { return Hex("X-Signature", secrets...) }

// PagerDuty is `X-PagerDuty-Signature: v1=<hex>,v1=<hex>…`, of which any may fit.
func PagerDuty(secrets ...string) (*Scheme, error) {
	return HexList("X-PagerDuty-Signature", secrets...)
}

// CircleCI is `circleci-signature: v1=<hex>,…`, of which any may fit.
func CircleCI(secrets ...string) (*Scheme, error) { return HexList("Circleci-Signature", secrets...) }

// Hex is HMAC-SHA256 of the body in a header, `sha256=<hex>`.
func Hex(header string, secrets ...string) (*Scheme, error) {
	return keyed(secrets, plainKey, func(h http.Header, body []byte, _ time.Time, keys [][]byte) error {
		text, err := one(h, header)
		if err != nil {
			return err
		}
		mac, found := strings.CutPrefix(text, "sha256=")
		got, err := hex.DecodeString(mac)
		if !found || err != nil {
			return malformed(header, "sha256= and 64 hexadecimal digits")
		}
		return fits(header, [][]byte{got}, sums(sha256.New, keys, body))
	})
}

// HexList is HMAC-SHA256 of the body in a header that lists signatures, `v1=<hex>` with commas between; any may fit, and
// those of other versions are passed over.
func HexList(header string, secrets ...string) (*Scheme, error) {
	return keyed(secrets, plainKey, func(h http.Header, body []byte, _ time.Time, keys [][]byte) error {
		values := h.Values(header)
		if len(values) == 0 {
			return missing(header)
		}
		var got [][]byte
		for text := range strings.SplitSeq(strings.Join(values, ","), ",") {
			mac, found := strings.CutPrefix(strings.TrimSpace(text), "v1=")
			if sum, err := hex.DecodeString(mac); found && err == nil {
				got = append(got, sum)
			}
		}
		if len(got) == 0 {
			return malformed(header, "v1= and 64 hexadecimal digits")
		}
		return fits(header, got, sums(sha256.New, keys, body))
	})
}

// Gitea is GitHub's header, and of older versions `X-Gitea-Signature: <hex>` alone: the same sum without a prefix.
func Gitea(secrets ...string) (*Scheme, error) {
	const header = "X-Gitea-Signature"
	github, err := GitHub(secrets...)
	if err != nil {
		return nil, err
	}
	bare, err := keyed(secrets, plainKey, func(h http.Header, body []byte, _ time.Time, keys [][]byte) error {
		text, err := one(h, header)
		if err != nil {
			return err
		}
		got, err := hex.DecodeString(text)
		if err != nil {
			return malformed(header, "64 hexadecimal digits")
		}
		return fits(header, [][]byte{got}, sums(sha256.New, keys, body))
	})
	if err != nil {
		return nil, err
	}
	return Any(github, bare), nil
}

// Terraform is `X-TFE-Notification-Signature: <hex>`, HMAC-SHA512 of the body, as HCP Terraform sends it.
func Terraform(secrets ...string) (*Scheme, error) {
	const header = "X-Tfe-Notification-Signature"
	return keyed(secrets, plainKey, func(h http.Header, body []byte, _ time.Time, keys [][]byte) error {
		text, err := one(h, header)
		if err != nil {
			return err
		}
		got, err := hex.DecodeString(text)
		if err != nil {
			return malformed(header, "128 hexadecimal digits")
		}
		return fits(header, [][]byte{got}, sums(sha512.New, keys, body))
	})
}

// Typeform is `Typeform-Signature: sha256=<base64>`, HMAC-SHA256 of the body.
func Typeform(secrets ...string) (*Scheme, error) {
	const header = "Typeform-Signature"
	return keyed(secrets, plainKey, func(h http.Header, body []byte, _ time.Time, keys [][]byte) error {
		text, err := one(h, header)
		if err != nil {
			return err
		}
		mac, found := strings.CutPrefix(text, "sha256=")
		got, err := base64.StdEncoding.Strict().DecodeString(mac)
		if !found || err != nil {
			return malformed(header, "sha256= and a hash in base64")
		}
		return fits(header, [][]byte{got}, sums(sha256.New, keys, body))
	})
}

// Port is `X-Port-Signature: v1,<base64>`, HMAC-SHA256 of `timestamp.body` with the client secret; the timestamp, in
// seconds, stands in X-Port-Timestamp and may be Tolerance away.
func Port(secrets ...string) (*Scheme, error) {
	const header, stamp = "X-Port-Signature", "X-Port-Timestamp"
	return keyed(secrets, plainKey, func(h http.Header, body []byte, now time.Time, keys [][]byte) error {
		text, err := one(h, header)
		if err != nil {
			return err
		}
		at, err := timely(h, stamp, now)
		if err != nil {
			return err
		}
		return fitsVersions(header, text, sums(sha256.New, keys, []byte(at), dot, body))
	})
}

// Standard is the scheme of Standard Webhooks, which GitLab's signing tokens and incident.io follow: Webhook-Signature
// lists `v1,<base64>` with spaces between, each HMAC-SHA256 of `id.timestamp.body`, where Webhook-Id has the id and
// Webhook-Timestamp the seconds, which may be Tolerance away. A secret is `whsec_` and a key in base64. The same headers
// are taken as Svix names them, Svix-Signature and so on, where the others are not there.
func Standard(secrets ...string) (*Scheme, error) {
	return keyed(secrets, packedKey, func(h http.Header, body []byte, now time.Time, keys [][]byte) error {
		header, name, stamp := "Webhook-Signature", "Webhook-Id", "Webhook-Timestamp"
		if len(h.Values(header)) == 0 && len(h.Values("Svix-Signature")) > 0 {
			header, name, stamp = "Svix-Signature", "Svix-Id", "Svix-Timestamp"
		}
		text, err := one(h, header)
		if err != nil {
			return err
		}
		id, err := one(h, name)
		if err != nil {
			return err
		}
		at, err := timely(h, stamp, now)
		if err != nil {
			return err
		}
		return fitsVersions(header, text, sums(sha256.New, keys, []byte(id), dot, []byte(at), dot, body))
	})
}

// GitLab is the plain `X-Gitlab-Token`. GitLab's signing tokens are Standard; Any takes both.
func GitLab(secrets ...string) (*Scheme, error) { return Token("X-Gitlab-Token", secrets...) }

// Token is a secret that stands in a header as it is. It says who sends and nothing of the body.
func Token(header string, secrets ...string) (*Scheme, error) { return shown(header, "", secrets) }

// Bearer is `Authorization: Bearer <secret>`.
func Bearer(secrets ...string) (*Scheme, error) { return shown("Authorization", "Bearer ", secrets) }

// Basic is `Authorization: Basic`, a user with one of several passwords.
func Basic(user string, passwords ...string) (*Scheme, error) {
	if err := check(passwords); err != nil {
		return nil, err
	}
	packed := make([]string, len(passwords))
	for i, password := range passwords {
		packed[i] = base64.StdEncoding.EncodeToString([]byte(user + ":" + password))
	}
	return shown("Authorization", "Basic ", packed)
}

// Any is satisfied by any of the schemes. Where none is, the error is that of the last one whose header is there.
func Any(first *Scheme, others ...*Scheme) *Scheme {
	return &Scheme{func(h http.Header, body []byte, now time.Time) error {
		best := first.verify(h, body, now)
		for _, s := range others {
			if best == nil {
				return nil
			}
			if err := s.verify(h, body, now); err == nil || !isMissing(err) || isMissing(best) {
				best = err
			}
		}
		return best
	}}
}

var dot = []byte{'.'}

// keyed makes a scheme of a check that is given the keys behind the secrets.
func keyed(secrets []string, keyOf func(string) ([]byte, error), verify func(http.Header, []byte, time.Time, [][]byte) error) (*Scheme, error) {
	if err := check(secrets); err != nil {
		return nil, err
	}
	keys := make([][]byte, len(secrets))
	for i, secret := range secrets {
		key, err := keyOf(secret)
		if err != nil {
			return nil, err
		}
		keys[i] = key
	}
	return &Scheme{func(h http.Header, body []byte, now time.Time) error { return verify(h, body, now, keys) }}, nil
}

// shown is a secret that stands in a header behind a prefix. Hashes are compared, so that not even the length of the
// secret shows in how long that takes.
func shown(header, prefix string, secrets []string) (*Scheme, error) {
	if err := check(secrets); err != nil {
		return nil, err
	}
	wants := make([][]byte, len(secrets))
	for i, secret := range secrets {
		sum := sha256.Sum256([]byte(secret))
		wants[i] = sum[:]
	}
	return &Scheme{func(h http.Header, _ []byte, _ time.Time) error {
		text, err := one(h, header)
		if err != nil {
			return err
		}
		if len(text) < len(prefix) || !strings.EqualFold(text[:len(prefix)], prefix) {
			return malformed(header, prefix+"and a secret")
		}
		got := sha256.Sum256([]byte(text[len(prefix):]))
		return fits(header, [][]byte{got[:]}, wants)
	}}, nil
}

func check(secrets []string) error {
	if len(secrets) == 0 {
		return fault.New(fault.Invalid, "a secret is needed: without one anybody could send webhooks")
	}
	for _, secret := range secrets {
		if strings.TrimSpace(secret) == "" {
			return fault.New(fault.Invalid, "a secret is empty: without one anybody could send webhooks")
		}
	}
	return nil
}

func plainKey(secret string) ([]byte, error) { return []byte(secret), nil }

// packedKey is the key in a secret of Standard Webhooks.
func packedKey(secret string) ([]byte, error) {
	text := strings.TrimRight(strings.TrimPrefix(secret, "whsec_"), "=")
	key, err := base64.RawStdEncoding.DecodeString(text)
	if err != nil || len(key) == 0 {
		return nil, fault.New(fault.Invalid, "a signing secret is whsec_ and a key in base64, as the sender shows it; this one is not")
	}
	return key, nil
}

// one is the value of a header that is there once: of two nobody could say which was meant.
func one(h http.Header, name string) (string, error) {
	switch values := h.Values(name); len(values) {
	case 0:
		return "", missing(name)
	case 1:
		return strings.TrimSpace(values[0]), nil
	}
	return "", fault.New(fault.Denied, "the header %s is there more than once", textproto.CanonicalMIMEHeaderKey(name))
}

// timely is the text of a timestamp that is near enough to now.
func timely(h http.Header, name string, now time.Time) (string, error) {
	text, err := one(h, name)
	if err != nil {
		return "", err
	}
	seconds, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return "", malformed(name, "seconds since 1970")
	}
	if away := now.Sub(time.Unix(seconds, 0)); away > Tolerance || away < -Tolerance {
		return "", fault.New(fault.Denied, "the timestamp in the header %s is more than 5 minutes away from the clock of this machine", name)
	}
	return text, nil
}

// sums returns, for each key, the HMAC of the parts behind each other.
func sums(algorithm func() hash.Hash, keys [][]byte, parts ...[]byte) [][]byte {
	all := make([][]byte, len(keys))
	for i, key := range keys {
		mac := hmac.New(algorithm, key)
		for _, part := range parts {
			mac.Write(part)
		}
		all[i] = mac.Sum(nil)
	}
	return all
}

// fitsVersions is fits for a list of `v1,<base64>` with spaces between; those of other versions are passed over.
func fitsVersions(header, text string, wants [][]byte) error {
	var got [][]byte
	for _, one := range strings.Fields(text) {
		mac, found := strings.CutPrefix(one, "v1,")
		if sum, err := base64.StdEncoding.Strict().DecodeString(mac); found && err == nil {
			got = append(got, sum)
		}
	}
	if len(got) == 0 {
		return malformed(header, "v1, and a hash in base64")
	}
	return fits(header, got, wants)
}

// fits compares each with each, all of them, whatever it finds.
func fits(header string, got, wants [][]byte) error {
	found := 0
	for _, g := range got {
		for _, want := range wants {
			found |= subtle.ConstantTimeCompare(g, want)
		}
	}
	if found == 1 {
		return nil
	}
	return fault.New(fault.Denied, "what the header %s says fits none of the secrets: the sender has another secret, or somebody changed the body", header)
}

// missingError marks a header that is not there, for Any.
type missingError struct{ header string }

func (e *missingError) Error() string {
	return "the header " + e.header + " is missing: has the sender a secret?"
}

func missing(header string) error {
	return fault.New(fault.Denied, "%w", &missingError{textproto.CanonicalMIMEHeaderKey(header)})
}

func isMissing(err error) bool {
	_, is := errors.AsType[*missingError](err)
	return is
}

func malformed(header, form string) error {
	return fault.New(fault.Denied, "the header %s is not of the form %s", header, form)
}
