package signature_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"cairn/internal/fault"
	"cairn/internal/sharedtest"
	"cairn/internal/signature"
)

var now = time.Date(2026, 3, 1, 10, 0, 0, 0, time.UTC)

func mac256(key, message string) []byte {
	m := hmac.New(sha256.New, []byte(key))
	m.Write([]byte(message))
	return m.Sum(nil)
}

func mac512(key, message string) []byte {
	m := hmac.New(sha512.New, []byte(key))
	m.Write([]byte(message))
	return m.Sum(nil)
}

var b64 = base64.StdEncoding.EncodeToString

// whsec is a secret of Standard Webhooks for a plain one.
func whsec(secret string) string { return "whsec_" + b64([]byte(secret)) }

func seconds(t time.Time) string { return strconv.FormatInt(t.Unix(), 10) }

// schemes have, for each constructor, what a sender with the secret sends with the body. A new scheme is one line here.
var schemes = map[string]struct {
	make func(secrets ...string) (*signature.Scheme, error)
	sign func(secret, body string) http.Header
	// bodyless says that the body is not part of what is checked.
	bodyless bool
}{
	"GitHub":    {signature.GitHub, hexHeader("X-Hub-Signature-256"), false},
	"Bitbucket": {signature.Bitbucket, hexHeader("X-Hub-Signature"), false},
	"Flux":      {signature.Flux, hexHeader("X-Signature"), false},
	"PagerDuty": {signature.PagerDuty, func(secret, body string) http.Header {
		return header("X-PagerDuty-Signature", "v2=00, v1="+hex.EncodeToString(mac256("another", body))+", v1="+hex.EncodeToString(mac256(secret, body)))
	}, false},
	"CircleCI": {signature.CircleCI, func(secret, body string) http.Header {
		return header("circleci-signature", "v1="+hex.EncodeToString(mac256(secret, body)))
	}, false},
	"Terraform": {signature.Terraform, func(secret, body string) http.Header {
		return header("X-TFE-Notification-Signature", hex.EncodeToString(mac512(secret, body)))
	}, false},
	"Typeform": {signature.Typeform, func(secret, body string) http.Header {
		return header("Typeform-Signature", "sha256="+b64(mac256(secret, body)))
	}, false},
	"Port": {signature.Port, func(secret, body string) http.Header {
		return header("X-Port-Signature", "v1,"+b64(mac256(secret, seconds(now)+"."+body)), "X-Port-Timestamp", seconds(now))
	}, false},
	"Standard": {func(secrets ...string) (*signature.Scheme, error) {
		packed := make([]string, len(secrets))
		for i, secret := range secrets {
			packed[i] = whsec(secret)
		}
		return signature.Standard(packed...)
	}, func(secret, body string) http.Header {
		return header("webhook-id", "msg_1", "webhook-timestamp", seconds(now),
			"webhook-signature", "v1a,AAAA v1,"+b64(mac256("another", body))+" v1,"+b64(mac256(secret, "msg_1."+seconds(now)+"."+body)))
	}, false},
	"GitLab": {signature.GitLab, func(secret, _ string) http.Header { return header("X-Gitlab-Token", secret) }, true},
	"Bearer": {signature.Bearer, func(secret, _ string) http.Header { return header("Authorization", "bearer "+secret) }, true},
	"Basic": {func(secrets ...string) (*signature.Scheme, error) { return signature.Basic("prometheus", secrets...) },
		func(secret, _ string) http.Header {
			return header("Authorization", "Basic "+b64([]byte("prometheus:"+secret)))
		}, true},
}

func hexHeader(name string) func(secret, body string) http.Header {
	return func(secret, body string) http.Header {
		return header(name, "sha256="+hex.EncodeToString(mac256(secret, body)))
	}
}

func header(pairs ...string) http.Header {
	h := http.Header{}
	for i := 0; i < len(pairs); i += 2 {
		h.Add(pairs[i], pairs[i+1])
	}
	return h
}

// wantDenied also holds that the error tells nothing that would help to sign.
func wantDenied(t *testing.T, err error, never ...string) {
	t.Helper()
	if fault.KindOf(err) != fault.Denied {
		t.Errorf("got %v, want it denied", err)
		return
	}
	for _, secret := range never {
		if strings.Contains(err.Error(), secret) {
			t.Errorf("the error tells %q: %v", secret, err)
		}
	}
}

func TestOnlyWhoKnowsASecretIsHeard(t *testing.T) {
	const secret, body = "correct-horse", "{\"a\":\"\xff\x00é\"}\n"
	for name, s := range schemes {
		t.Run(name, func(t *testing.T) {
			scheme, err := s.make("battery-staple", secret)
			if err != nil {
				t.Fatal(err)
			}
			for _, known := range []string{secret, "battery-staple"} {
				if err := scheme.Verify(s.sign(known, body), []byte(body), now); err != nil {
					t.Errorf("signed with %s: %v", known, err)
				}
			}
			signed := s.sign(secret, body)
			var right []string // what an error must not tell
			for _, values := range signed {
				right = append(right, values...)
			}
			wantDenied(t, scheme.Verify(s.sign("correct-horsf", body), []byte(body), now), append(right, secret)...)
			wantDenied(t, scheme.Verify(s.sign("correct", body), []byte(body), now), secret)
			wantDenied(t, scheme.Verify(s.sign("", body), []byte(body), now), secret)
			wantDenied(t, scheme.Verify(http.Header{}, []byte(body), now), secret)
			if !s.bodyless {
				wantDenied(t, scheme.Verify(signed, []byte(body[:len(body)-1]), now), right...)
				wantDenied(t, scheme.Verify(signed, []byte(strings.ReplaceAll(body, "a", "b")), now), right...)
				wantDenied(t, scheme.Verify(signed, nil, now), right...)
			}
			for name := range signed {
				for what, spoilt := range map[string][]string{"absent": nil, "empty": {""}, "nonsense": {"\x00=,é"}, "cut off": {signed[name][0][:len(signed[name][0])-2]}} {
					h := signed.Clone()
					h[name] = spoilt
					if scheme.Verify(h, []byte(body), now) == nil {
						t.Errorf("%s %s: it was taken", name, what)
					}
					wantDenied(t, scheme.Verify(h, []byte(body), now), secret)
				}
			}
		})
	}
}

func TestAHeaderThatIsThereTwiceIsRefused(t *testing.T) {
	const secret, body = "correct-horse", "{}"
	for _, name := range []string{"GitHub", "Terraform", "Typeform", "GitLab", "Standard", "Port"} {
		s := schemes[name]
		scheme, err := s.make(secret)
		if err != nil {
			t.Fatal(err)
		}
		signed := s.sign(secret, body)
		for header, values := range signed {
			h := signed.Clone()
			h[header] = append(values[:1:1], "something")
			wantDenied(t, scheme.Verify(h, []byte(body), now), secret)
		}
	}
}

func TestThereIsNoSchemeWithoutASecret(t *testing.T) {
	for name, s := range schemes {
		for what, secrets := range map[string][]string{"none": nil, "an empty one": {""}, "one empty of two": {"a", ""}, "blanks": {" \t\n"}} {
			if name == "Standard" && what == "blanks" {
				continue // they are packed there
			}
			if _, err := s.make(secrets...); fault.KindOf(err) != fault.Invalid {
				t.Errorf("%s with %s: got %v, want it invalid", name, what, err)
			}
		}
	}
	for _, secret := range []string{"whsec_", "whsec_no base64!", "", "whsec_===="} {
		if _, err := signature.Standard(secret); fault.KindOf(err) != fault.Invalid || strings.Contains(err.Error(), "no base64!") {
			t.Errorf("%q: got %v, want it invalid and the secret unsaid", secret, err)
		}
	}
}

func TestASignatureOfAnotherTimeIsRefused(t *testing.T) {
	const secret, body = "correct-horse", "{}"
	for _, name := range []string{"Port", "Standard"} {
		s := schemes[name]
		scheme, err := s.make(secret)
		if err != nil {
			t.Fatal(err)
		}
		for away, ok := range map[time.Duration]bool{
			0: true, 4 * time.Minute: true, -4 * time.Minute: true, 5 * time.Minute: true,
			5*time.Minute + time.Second: false, -5*time.Minute - time.Second: false, 100 * 365 * 24 * time.Hour: false,
		} {
			err := scheme.Verify(s.sign(secret, body), []byte(body), now.Add(away))
			if ok && err != nil {
				t.Errorf("%s, %s later: %v", name, away, err)
			}
			if !ok {
				wantDenied(t, err)
			}
		}
		stamp := map[string]string{"Port": "X-Port-Timestamp", "Standard": "Webhook-Timestamp"}[name]
		for _, text := range []string{"yesterday", "9223372036854775807", "-9223372036854775808", "1e9", ""} {
			h := s.sign(secret, body)
			h.Set(stamp, text)
			wantDenied(t, scheme.Verify(h, []byte(body), now))
		}
		h := s.sign(secret, body)
		h.Set(stamp, seconds(now.Add(time.Second)))
		wantDenied(t, scheme.Verify(h, []byte(body), now)) // the timestamp is signed, too
	}
}

func TestAnyTakesEither(t *testing.T) {
	token, err := signature.GitLab("token")
	if err != nil {
		t.Fatal(err)
	}
	signing, err := signature.Standard(whsec("key"))
	if err != nil {
		t.Fatal(err)
	}
	either := signature.Any(signing, token)
	for name, h := range map[string]http.Header{"token": header("X-Gitlab-Token", "token"), "signed": schemes["Standard"].sign("key", "{}")} {
		if err := either.Verify(h, []byte("{}"), now); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	wantDenied(t, either.Verify(http.Header{}, []byte("{}"), now))
	for wrong, says := range map[string]http.Header{
		"X-Gitlab-Token":    header("X-Gitlab-Token", "tokem"),
		"Webhook-Signature": schemes["Standard"].sign("kez", "{}"),
	} {
		err := either.Verify(says, []byte("{}"), now)
		wantDenied(t, err)
		if err != nil && !strings.Contains(err.Error(), wrong) {
			t.Errorf("got %v, want it to speak of %s", err, wrong)
		}
	}
}

// What the senders' own documents and libraries give as examples.
func TestPublishedExamples(t *testing.T) {
	for _, tt := range []struct {
		make   func(...string) (*signature.Scheme, error)
		secret string
		header http.Header
		body   string
		at     int64
	}{
		{signature.GitHub, "It's a Secret to Everybody",
			header("X-Hub-Signature-256", "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"), "Hello, World!", 0},
		{signature.CircleCI, "secret", header("circleci-signature", "v1=734cc62f32841568f45715aeb9f4d7891324e6d948e4c6c60c0621cdac48623a"), "hello world", 0},
		{signature.Standard, "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", header("webhook-id", "msg_p5jXN8AQM9LWM0D4loKWxJek",
			"webhook-timestamp", "1614265330", "webhook-signature", "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="), `{"test": 2432232314}`, 1614265330},
	} {
		scheme, err := tt.make(tt.secret)
		if err != nil {
			t.Fatal(err)
		}
		if err := scheme.Verify(tt.header, []byte(tt.body), time.Unix(tt.at, 0)); err != nil {
			t.Errorf("%s: %v", tt.body, err)
		}
	}
}

func TestCollectedVectors(t *testing.T) {
	text, err := os.ReadFile(sharedtest.Path(t, "payloads", "signatures", "vectors.json"))
	if err != nil {
		t.Fatal(err)
	}
	var vectors []struct {
		System, Secret, Body, Expect string
		ID                           string `json:"webhook_id"`
		Timestamp                    string `json:"webhook_timestamp"`
	}
	if err := json.Unmarshal(text, &vectors); err != nil {
		t.Fatal(err)
	}
	if len(vectors) < 8 {
		t.Fatalf("only %d vectors", len(vectors))
	}
	for _, v := range vectors {
		var h http.Header
		var scheme *signature.Scheme
		var err error
		at := now
		switch system, _, _ := strings.Cut(v.System, " "); system {
		case "github":
			scheme, err = signature.GitHub(v.Secret)
			h = header("X-Hub-Signature-256", v.Expect)
		case "circleci":
			scheme, err = signature.CircleCI(v.Secret)
			h = header("circleci-signature", v.Expect)
		case "gitlab-signing-token":
			scheme, err = signature.Standard(v.Secret)
			h = header("webhook-signature", v.Expect, "webhook-id", v.ID, "webhook-timestamp", v.Timestamp)
			unix, _ := strconv.ParseInt(v.Timestamp, 10, 64)
			at = time.Unix(unix, 0)
		case "flux":
			scheme, err = signature.Flux(v.Secret)
			h = header("X-Signature", v.Expect)
		case "pagerduty":
			scheme, err = signature.PagerDuty(v.Secret)
			h = header("X-PagerDuty-Signature", v.Expect)
		default:
			t.Errorf("no scheme for %s", v.System)
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		if err := scheme.Verify(h, []byte(v.Body), at); err != nil {
			t.Errorf("%s: %v", v.System, err)
		}
		wantDenied(t, scheme.Verify(h, []byte(v.Body+" "), at), v.Expect)
	}
}

// FuzzVerify holds that nothing but the right signature is ever taken, and that no text upsets a scheme.
func FuzzVerify(f *testing.F) {
	for _, s := range schemes {
		for name, values := range s.sign("correct-horse", "{}") {
			f.Add(name, values[0], []byte("{}"))
		}
	}
	all := map[string]*signature.Scheme{}
	for name, s := range schemes {
		scheme, err := s.make("correct-horse")
		if err != nil {
			f.Fatal(err)
		}
		all[name] = scheme
	}
	f.Fuzz(func(t *testing.T, name, value string, body []byte) {
		for scheme, s := range all {
			signed := schemes[scheme].sign("correct-horse", string(body))
			if err := s.Verify(signed, body, now); err != nil {
				t.Fatalf("%s: the right signature: %v", scheme, err)
			}
			if _, ours := signed[http.CanonicalHeaderKey(name)]; !ours {
				continue
			}
			other := schemes[scheme].sign("battery-staple", string(body))
			other.Set(name, value)
			if err := s.Verify(other, body, now); err != nil {
				wantDenied(t, err)
			} else if right := signed.Get(name); !same(value, right) {
				t.Errorf("%s: %s: %q was taken for %q", scheme, name, value, right)
			}
		}
	})
}

// same holds of texts that differ in nothing that carries meaning; of a list one element is enough.
func same(got, want string) bool {
	for _, one := range strings.FieldsFunc(want, func(r rune) bool { return r == ',' || r == ' ' }) {
		if len(one) > 20 && strings.Contains(strings.ToLower(strings.NewReplacer("\r", "", "\n", "").Replace(got)), strings.ToLower(one)) {
			return true
		}
	}
	return strings.EqualFold(strings.TrimSpace(got), want)
}
