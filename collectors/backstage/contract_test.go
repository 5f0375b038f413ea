package backstage_test

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"cairn/collectors/backstage"
	"cairn/internal/prismtest"
	"cairn/internal/rules"
	"cairn/internal/sharedtest"
	"cairn/internal/source"
)

// Nothing is asked that the descriptions of Backstage's interfaces do not allow, and what they say is answered is understood.
func TestNoRequestIsRefusedByTheDescriptionsOfBackstage(t *testing.T) {
	if testing.Short() {
		t.Skip("starts servers that answer from Backstage's descriptions")
	}
	catalog := prismtest.Start(t, sharedtest.Path(t, "payloads", "backstage", "openapi", "catalog.openapi.json"))
	scaffolder := prismtest.Start(t, sharedtest.Path(t, "payloads", "backstage", "openapi", "scaffolder.openapi.json"))
	referee := &prismtest.Referee{Rewrite: func(path string) (*url.URL, string) {
		if rest, ok := strings.CutPrefix(path, "/api/catalog"); ok {
			return catalog, rest
		}
		return scaffolder, strings.TrimPrefix(path, "/api/scaffolder")
	}}
	cfg := backstage.DefaultConfig()
	cfg.URL, cfg.Token, cfg.People = "http://backstage.example", "secret", true
	r, err := rules.New(rules.DefaultConfig())
	if err != nil {
		t.Fatal(err)
	}
	credential, err := backstage.NewCredential(cfg, referee)
	if err != nil {
		t.Fatal(err)
	}
	c, err := backstage.New(cfg, r, &http.Client{Transport: credential})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Check(t.Context()); err != nil {
		t.Error(err)
	}
	asOf := at("2026-11-22T19:00:00Z")
	// An earlier life knew a service, which the examples do not have: it is asked for by itself. And a run goes on.
	for stream, position := range map[string]string{
		source.Catalogue: `{"v":1,"sweep":1,"read":true,"phase":"gone","seen":1,"known":{"component:default/shop":{"id":"shop","svc":true,"told":true,"sweep":0}}}`,
		source.Requests:  `{"v":1,"back":"2026-01-01T00:00:00Z","older":3,"open":{"t1":1}}`,
	} {
		for _, from := range []string{"", position} {
			for range 4 {
				turn, err := c.Turn(source.Stream{Name: stream, Kind: stream}, from, asOf)
				if err != nil {
					t.Fatal(err)
				}
				for _, err := range turn.Events(t.Context()) {
					if err != nil {
						t.Logf("%s: %v", stream, err) // an example may contradict itself: its next page is itself
						break
					}
				}
				from, asOf = turn.Position(), asOf.Add(time.Hour)
			}
		}
	}
	for _, refused := range referee.Refused() {
		t.Errorf("refused: %s", refused)
	}
	asked := referee.Asked()
	for _, want := range []string{"GET /entities/by-query", "POST /entities/by-refs", "GET /v2/tasks", "GET /v2/tasks/t1"} {
		if !slices.Contains(asked, want) {
			t.Errorf("%s was not asked; asked were %v", want, asked)
		}
	}
	// And the referee does see what is wrong.
	request, _ := http.NewRequestWithContext(t.Context(), http.MethodGet, cfg.URL+"/api/scaffolder/v2/tasks?limit=many", nil)
	before := len(referee.Refused())
	if answer, err := referee.RoundTrip(request); err == nil {
		answer.Body.Close()
	}
	if len(referee.Refused()) == before {
		t.Error("a request with a wrong parameter was not refused")
	}
}
