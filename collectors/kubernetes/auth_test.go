package kubernetes_test

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"cairn/collectors"
	"cairn/collectors/kubernetes"
	"cairn/internal/fault"
	"cairn/internal/rules"
)

func TestMistakesInSettingsAreNamed(t *testing.T) {
	c := newCluster(t)
	good := c.Kubeconfig()
	for name, tt := range map[string]struct {
		change func(*kubernetes.Config)
		want   string
	}{
		"no credential":       {func(cfg *kubernetes.Config) { cfg.Kubeconfig = "" }, "set kubeconfig"},
		"the audit log alone": {func(cfg *kubernetes.Config) { cfg.Kubeconfig, cfg.AuditTokens = "", []string{"x"} }, "only who asked"},
		"two credentials":     {func(cfg *kubernetes.Config) { cfg.InCluster = true }, "both set"},
		"no pod":              {func(cfg *kubernetes.Config) { cfg.Kubeconfig, cfg.InCluster = "", true }, "does not run in a pod"},
		"no kubeconfig":       {func(cfg *kubernetes.Config) { cfg.Kubeconfig = "not: [one" }, "kubeconfig cannot be read"},
		"an empty kubeconfig": {func(cfg *kubernetes.Config) { cfg.Kubeconfig = "{}" }, "kubeconfig is of no use"},
		"no such context":     {func(cfg *kubernetes.Config) { cfg.Context = "other" }, `no context "other"`},
		"a file that is not there": {func(cfg *kubernetes.Config) {
			cfg.Kubeconfig = strings.Replace(good, `"insecure-skip-tls-verify":true`, `"certificate-authority":"/nowhere/ca.crt"`, 1)
		}, "/nowhere/ca.crt"},
		"no name":      {func(cfg *kubernetes.Config) { cfg.Name = " " }, "name is empty"},
		"a wrong rule": {func(cfg *kubernetes.Config) { cfg.Teams = []rules.TeamName{{Match: "x", Team: ""}} }, "teams[0].team"},
	} {
		t.Run(name, func(t *testing.T) {
			cfg := kubernetes.DefaultConfig()
			cfg.Kubeconfig = good
			tt.change(&cfg)
			_, err := collectors.Kinds()["kubernetes"].Link(&cfg, collectors.Deps{Transport: collectors.DefaultTransportConfig()})
			if fault.KindOf(err) != fault.Invalid || err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want %q", err, tt.want)
			}
			if err != nil && strings.Contains(err.Error(), "a-token-of-the-cluster") {
				t.Errorf("the token is told: %v", err)
			}
		})
	}
}

func TestATokenInAFileIsReadAgain(t *testing.T) {
	c := newCluster(t)
	file := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(file, []byte("a-token-of-the-cluster"), 0o600); err != nil {
		t.Fatal(err)
	}
	r := newReader(t, c, func(cfg *kubernetes.Config) {
		cfg.Kubeconfig = strings.Replace(c.Kubeconfig(), `"token":"a-token-of-the-cluster"`, `"tokenFile":"`+file+`"`, 1)
	})
	r.read()
	if len(r.link.Connection.Streams()) != 4 {
		t.Errorf("got %v", r.link.Connection.Streams())
	}
}

func TestTheCredentialGoesNowhereElse(t *testing.T) {
	c := newCluster(t)
	stolen := ""
	other := httptest.NewTLSServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { stolen += r.Header.Get("Authorization") }))
	defer other.Close()
	r := newReader(t, c)
	c.Answer(func(w http.ResponseWriter, r *http.Request) bool {
		http.Redirect(w, r, other.URL+r.URL.Path, http.StatusFound)
		return true
	})
	err := r.turn(r.stream("definitions"))
	if stolen != "" || fault.KindOf(err) != fault.Denied {
		t.Errorf("the other host was shown %q; got %v, want a fault: denied", stolen, err)
	}
}
