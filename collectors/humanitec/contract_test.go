package humanitec_test

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"cairn/collectors/humanitec"
	"cairn/internal/prismtest"
	"cairn/internal/sharedtest"
	"cairn/internal/source"
)

// identified adds the header by which the second version's description, which is the inner one, knows who asks.
type identified struct{ next http.RoundTripper }

func (i identified) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.Header.Set("From", "01234567-89ab-cdef-0123-456789abcdef")
	return i.next.RoundTrip(r)
}

// The collector asks Humanitec for nothing that Humanitec's own descriptions refuse.
func TestNoRequestIsRefusedByTheDescriptions(t *testing.T) {
	if testing.Short() {
		t.Skip("starts servers that answer from Humanitec's descriptions")
	}
	const id = "01234567-89ab-cdef-0123-456789abcdef"
	for _, tt := range []struct {
		version      string
		descriptions []string
		applications string // position of their list
		subject      string
		asked        []string // that has to be asked for
	}{
		{
			humanitec.V1, []string{"openapi-v1.json"}, `{"v":1,"applications":[{"id":"my-app"}]}`, "my-env/d1",
			[]string{"/apps", "/apps/my-app/envs", "/apps/my-app/envs/my-env", "/deploys", "/deploys/d1", "/sets/", "/artefact-versions", "/artefacts"},
		},
		{
			humanitec.V2, []string{"platform-orchestrator-v2-dp.openapi.yaml", "platform-orchestrator-v2-cp.openapi.yaml"}, `{"v":1,"applications":[{"id":"my-project"}]}`, id,
			[]string{"/projects", "/envs", "/deployments", "/last-deployments", "/deployments/" + id},
		},
	} {
		t.Run(tt.version, func(t *testing.T) {
			var servers []*url.URL
			for _, description := range tt.descriptions {
				servers = append(servers, prismtest.Start(t, sharedtest.Path(t, "payloads", "humanitec", description)))
			}
			referee := &prismtest.Referee{Rewrite: func(path string) (*url.URL, string) {
				if strings.HasSuffix(path, "/projects") || strings.HasSuffix(path, "/envs") {
					return servers[len(servers)-1], path
				}
				return servers[0], path
			}}
			cfg := settings(tt.version)
			cfg.Token = "token"
			c, err := humanitec.New(cfg, &http.Client{Transport: identified{referee}})
			if err != nil {
				t.Fatal(err)
			}
			if _, err := c.Check(t.Context()); err != nil {
				t.Logf("check: %v", err)
			}
			read := func(turn *humanitec.Turn, err error) {
				if err != nil {
					t.Errorf("a turn: %v", err)
					return
				}
				for _, err := range turn.Events(t.Context()) {
					if err != nil {
						t.Logf("%s: %v", turn.Stream(), err) // an example may contradict itself; whether the request was right is seen below
					}
				}
			}
			read(c.Turn(source.Stream{Name: source.Workspaces, Kind: source.Workspaces}, "", ten))
			if err := c.Recall(source.Workspaces, tt.applications); err != nil {
				t.Fatal(err)
			}
			for _, s := range c.Streams()[1:] {
				read(c.Turn(s, "", ten))
				read(c.Refresh(source.Wake{Stream: s.Name, Subject: tt.subject}, ten))
			}
			for _, refused := range referee.Refused() {
				t.Errorf("the description refuses %s", refused)
			}
			for _, want := range tt.asked {
				if !slices.ContainsFunc(referee.Asked(), func(asked string) bool { return strings.Contains(asked, want) }) {
					t.Errorf("nothing was asked of %s; asked were %v", want, referee.Asked())
				}
			}
		})
	}
}
