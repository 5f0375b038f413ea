package humanitec_test

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"cairn/collectors/humanitec"
	"cairn/internal/prismtest"
	"cairn/internal/sharedtest"
	"cairn/internal/source"
)

// judged has a referee judge each request, and the fake answer it: the examples of the descriptions are empty, or lead
// nowhere.
type judged struct {
	referee *prismtest.Referee
	fake    string
}

func (j judged) RoundTrip(r *http.Request) (*http.Response, error) {
	shown := r.Clone(r.Context())
	shown.Header.Set("From", "01234567-89ab-cdef-0123-456789abcdef") // the second version's description is the inner one, which knows who asks by this
	resp, err := j.referee.RoundTrip(shown)
	if err != nil {
		return nil, err
	}
	resp.Body.Close()
	at, err := url.Parse(j.fake)
	if err != nil {
		return nil, err
	}
	answered := r.Clone(r.Context())
	answered.URL.Scheme, answered.URL.Host, answered.Host = at.Scheme, at.Host, at.Host
	answered.Header.Set("Authorization", "Bearer token")
	return http.DefaultTransport.RoundTrip(answered)
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
		subject      string
		asked        []string // that has to be asked for
	}{
		{
			humanitec.V1, []string{"openapi-v1.json"}, "my-env/" + id,
			[]string{"/apps", "/apps/my-app/envs", "/apps/my-app/envs/my-env", "/deploys", "/deploys/" + id, "/sets/s1", "/artefact-versions", "/artefacts"},
		},
		{
			humanitec.V2, []string{"platform-orchestrator-v2-dp.openapi.yaml", "platform-orchestrator-v2-cp.openapi.yaml"}, id,
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
			o := newOrchestrator(t)
			o.size = 1 // so that next pages are asked for
			o.apps["my-app"] = map[string]string{"my-env": "production", "other": "development"}
			o.sets["s1"] = setOf(map[string]string{"web": "ghcr.io/acme/shop:1"})
			for app := range o.apps {
				for i, deploy := range []string{id, "11234567-89ab-cdef-0123-456789abcdef"} {
					o.deploys = append(o.deploys, dep{app: app, env: "my-env", id: deploy, status: "succeeded", mode: "deploy", created: ten.Add(time.Duration(i) * time.Minute), changed: ten.Add(time.Hour), set: "s1", image: "shop:1"})
				}
			}
			cfg := settings(tt.version)
			cfg.Token = "token"
			c, err := humanitec.New(cfg, &http.Client{Transport: judged{referee, o.URL}})
			if err != nil {
				t.Fatal(err)
			}
			if _, err := c.Check(t.Context()); err != nil {
				t.Error(err)
			}
			read := func(turn *humanitec.Turn, err error) string {
				if err != nil {
					t.Fatalf("a turn: %v", err)
				}
				for _, err := range turn.Events(t.Context()) {
					if err != nil {
						t.Errorf("%s: %v", turn.Stream(), err)
					}
				}
				return turn.Position()
			}
			read(c.Turn(source.Stream{Name: source.Workspaces, Kind: source.Workspaces}, "", ten))
			for _, s := range c.Streams()[1:] {
				position := read(c.Turn(s, "", ten))
				for i := range o.deploys { // something happens
					o.deploys[i].status = "failed"
				}
				read(c.Turn(s, position, ten.Add(time.Hour)))
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
			// And the referee does see what is wrong.
			before := len(referee.Refused())
			r, _ := http.NewRequestWithContext(t.Context(), http.MethodGet, o.URL+"/orgs/acme/nowhere", nil)
			if resp, err := referee.RoundTrip(r); err == nil {
				resp.Body.Close()
			}
			if len(referee.Refused()) == before {
				t.Error("a request for what there is not was not refused")
			}
		})
	}
}
