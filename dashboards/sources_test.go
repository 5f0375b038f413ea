package dashboards

import (
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"cairn/internal/store"
	"cairn/internal/store/storetest"
	"cairn/metrics"
	"cairn/metrics/metricstest"
)

// row is a stream of acme/shop of GitHub, read 12 minutes before noon, unless it says something else.
type row map[string]any

func put(t testing.TB, st *store.Store, rows ...row) {
	t.Helper()
	for _, r := range rows {
		whole := row{
			"source": "github", "system": "github", "subject": "acme/shop", "kind": "changes", "outcome": "fresh", "error": "", "started_at": "2026-05-20 10:00:00", "attempted_at": "2026-05-20 11:48:00",
			"succeeded_at": "2026-05-20 11:48:00", "next_at": "2026-05-20 12:08:00", "facts": 1200, "requests": 2, "done": 0, "total": 0, "reached_back": nil, "complete": true, "rules": "{}",
		}
		for name, value := range r {
			whole[name] = value
		}
		if whole["stream"] == nil {
			whole["stream"] = fmt.Sprint(whole["subject"], "/", whole["kind"])
		}
		metricstest.Insert(t, st, "source_streams", whole)
	}
}

func hear(t testing.TB, st *store.Store, source, event, outcome, reason string, n int) {
	t.Helper()
	metricstest.Insert(t, st, "deliveries", map[string]any{"source": source, "day": "2026-05-20", "event": event, "outcome": outcome, "reason": reason, "n": n, "latest": "2026-05-20 11:59:20"})
}

// What /sources tells of systems that are well, behind, failing and only heard, with names that nobody should choose.
func TestSourcesAreToldOf(t *testing.T) {
	st := storetest.New(t)
	behind := row{"outcome": "behind", "complete": false, "done": 25, "total": 100, "reached_back": "2025-03-03 00:00:00", "kind": "runs", "rules": `{"no rule fits":{"n":2,"example":"<i>CI</i> of acme/shop"}}`}
	put(t, st,
		row{}, behind, row{"stream": "repositories", "subject": "", "kind": "repositories"},
		row{"subject": hostile, "outcome": "denied", "error": hostile + ": <b>403</b> of " + hostile}, row{"subject": strings.Repeat("x", 300), "outcome": "denied", "error": "y: <b>403</b> of y"},
		row{"subject": "acme/gone", "outcome": "gone", "error": strings.Repeat("z", 3000), "next_at": nil},
	)
	for i := range subjectsOfOne {
		put(t, st, row{"source": "other", "system": "gitlab", "subject": fmt.Sprintf("group/%03d", i)}, row{"source": "other", "system": "gitlab", "subject": fmt.Sprintf("group/%03d", i), "kind": "runs", "outcome": "limited"})
	}
	put(t, st, row{"source": "other", "system": "gitlab", "subject": "group/last", "outcome": "failed", "error": "boom"})
	hear(t, st, "gitlab", "Push Hook", "woken", "", 7)
	hear(t, st, "gitlab", hostile, "refused", hostile, 3)
	metricstest.Insert(t, st, "source_budgets", map[string]any{"source": "github", "resource": "core", "allowance": 5000, "remaining": 4000, "reset_at": "2026-05-20 12:30:00"})
	p := siteOver(t, st, fact{"type": "team", "id": "checkout"})
	for _, c := range []struct {
		target string
		status int
		says   []string
	}{
		{"/sources", 200, []string{
			"GitHub is up to date: the news of 4 repositories was read within the last 12 minutes.", "GitLab is heard by its webhooks alone; the latest came 40 seconds ago.",
			"other is up to date", "History is told back to 3 March 2025; the rest takes about 6 hours.", "3 streams of 3 repositories cannot be read.", "1 stream of one repository cannot be read: boom.",
			"<b>403</b> of", "1 stream is gone, not tried again", "tried again at 12:08", "4,000 of 5,000 until 12:30", "3 webhooks refused.", "had something read again", "25 % told, 2 of 3 streams told whole", "51 repositories, 15 shown.", "All repositories",
			"25 %", "waits", "3 Mar 2025", "7,200 facts with 12 requests", "github 12 min ago · gitlab 40 s ago · other 12 min ago · 4 streams fail",
		}},
		{"/sources/github", 200, []string{"GitHub is up to date", "Lists of the whole source", "Repositories", "only with problems"}},
		{"/sources/github?q=GONE", 200, []string{"1 repository."}},
		{"/sources/github?problems=true", 200, []string{"3 repositories."}},
		{"/sources/github?q=nothing", 200, []string{"No repository fits. Show all."}},
		{"/sources/github?subject=acme/shop", 200, []string{"acme/shop", "Its news was read within the last 12 minutes. Runs have history left, before 3 Mar 2025: at the pace so far it takes 6 h.", "history is left", "25 of 100", "6 h", "no rule fits", "<i>CI</i> of acme/shop"}},
		{"/sources/github?subject=" + url.QueryEscape(hostile), 200, []string{hostile, "Changes cannot be read.", "may not be read"}},
		{"/sources/github?subject=acme/shap", 404, []string{`Github reads no "acme/shap"`}},
		{"/sources/gitlab", 200, []string{"GitLab is heard by its webhooks alone"}},
		{"/sources/other", 200, []string{"51 repositories, 50 shown.", "Next page"}},
		{"/sources/unmatched", 200, []string{"Nothing was told yet."}},
		{"/sources/githup", 404, []string{"there are: github, gitlab, other"}},
		{"/sources/github?problems=some", 400, []string{`Problems is "some"`}},
		{"/sources/github?cursor=x", 400, []string{`Cursor is "x"`}},
		{"/teams", 200, []string{"github 12 min ago"}},
		{"/doctor", 200, []string{"What the rules decided", `rules.deployments: {repository: "acme/shop", from: workflow, name: "<i>CI</i>"}`}},
	} {
		w := fetch(p, "GET", c.target)
		if w.Code != c.status {
			t.Errorf("%s: got %d, want %d: %s", c.target, w.Code, c.status, firstLine(read(t, w)))
			continue
		}
		text := read(t, w)
		for _, say := range c.says {
			if !strings.Contains(text, say) {
				t.Errorf("%s: the page does not say %q: %.3000s", c.target, say, text)
			}
		}
		if strings.Contains(text, strings.Repeat("z", 700)) {
			t.Errorf("%s: a long error is told whole", c.target)
		}
		harmless(t, c.target, w)
		sound(t, c.target, w.Body.String())
	}
}

// Without a source nothing stands in the foot.
func TestNoSourceIsNotFresh(t *testing.T) {
	w := fetch(site(t), "GET", "/teams")
	if text := read(t, w); w.Code != 200 || strings.Contains(text, " ago") {
		t.Errorf("got %d %s", w.Code, text)
	}
}

// What a row of the table says of a repository's rest: the least that holds for all of its lists, and nothing that is not
// known.
func TestRestOfARepository(t *testing.T) {
	v, err := readView(url.Values{}, "UTC", noon)
	if err != nil {
		t.Fatal(err)
	}
	march, may := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC), time.Date(2026, 5, 1, 0, 0, 0, 0, time.UTC)
	hour, day := int64(3600), int64(86400)
	whole, lost, none := metrics.StreamRecord{Complete: true}, metrics.StreamRecord{Outcome: "denied"}, metrics.StreamRecord{Outcome: "failed"}
	for _, c := range []struct {
		name       string
		list       []metrics.StreamRecord
		back, left string
	}{
		{"all told", []metrics.StreamRecord{whole, whole}, "all", ""},
		{"one may not be read", []metrics.StreamRecord{whole, lost}, "not known", ""},
		{"nothing of one", []metrics.StreamRecord{whole, none}, "not yet", ""},
		{"the later instant, the longer rest", []metrics.StreamRecord{whole, {ReachedBack: &march, SecondsLeft: &day}, {ReachedBack: &may, SecondsLeft: &hour}}, "1 May 2026", "24 h"},
		{"the rest of one is not known", []metrics.StreamRecord{{ReachedBack: &march, SecondsLeft: &day}, {ReachedBack: &may}}, "1 May 2026", "not known"},
		{"what may not be read holds the others not up", []metrics.StreamRecord{lost, {ReachedBack: &may, SecondsLeft: &hour}}, "1 May 2026", "60 min"},
	} {
		if back, left := restOf(v, c.list); back != c.back || left != c.left {
			t.Errorf("%s: got %q and %q, want %q and %q", c.name, back, left, c.back, c.left)
		}
	}
}

func TestProgressOfHistory(t *testing.T) {
	total := int64(1000)
	for _, c := range []struct {
		source metrics.SourceRecord
		want   progress
	}{
		{metrics.SourceRecord{Streams: 3, Complete: true, StreamsComplete: 3}, progress{}},
		{metrics.SourceRecord{}, progress{}},
		{metrics.SourceRecord{Streams: 3, Outcomes: map[string]int64{"denied": 3}}, progress{}},
		{metrics.SourceRecord{Streams: 3, StreamsComplete: 1, StreamsUncounted: 2}, progress{1, 3, "1 of 3 streams told whole"}},
		{metrics.SourceRecord{Streams: 4, Outcomes: map[string]int64{"gone": 1}, StreamsComplete: 1, Done: 999, Total: &total}, progress{999, 1000, "99 % told, 1 of 3 streams told whole"}},
		{metrics.SourceRecord{Streams: 3, StreamsUncounted: 1, Done: 1, Total: &total}, progress{1, 1000, "less than 1 % told, 0 of 3 streams told whole; of 1 stream nobody knows how long"}},
	} {
		if diff := cmp.Diff(c.want, historyOf(c.source)); diff != "" {
			t.Errorf("%+v (-want +got):\n%s", c.source, diff)
		}
	}
}

// What /sources/unmatched tells of names that nobody should choose, and of deployments without a commit.
func TestWhatIsUnmatchedIsTold(t *testing.T) {
	st := storetest.New(t)
	var twice []fact
	for day := range 3 {
		for i, source := range []string{hostile, "ci"} {
			twice = append(twice, fact{"type": "deployment", "service": "cart", "id": fmt.Sprintf("%s %d", source, day), "environment": hostile, "tier": "production", "status": "failed", "finished_at": fmt.Sprintf("2026-05-%02dT10:%02d:00Z", day+10, i), "source": source})
		}
	}
	p := siteOver(t, st, append(twice, fact{"type": "service", "id": "shop", "aliases": []string{"basket"}}, fact{"type": "service", "id": "cart", "aliases": []string{"basket"}},
		fact{"type": "deployment", "service": "shop-prod", "id": "d1", "environment": "production", "status": "succeeded", "finished_at": "2026-05-19T10:00:00Z", "images": []string{"ghcr.io/acme/shop:v7"}, "source": "argocd"},
		fact{"type": "deployment", "service": hostile, "id": hostile, "environment": "production", "status": "succeeded", "finished_at": "2026-05-18T10:00:00Z", "revisions": []fact{{"repository": "acme/shop", "sha": strings.Repeat("a", 40)}}, "source": hostile})...)
	if w := fetch(p, "GET", "/sources"); w.Code != 200 || !strings.Contains(read(t, w), "Who tells what") || !strings.Contains(read(t, w), hostile+"deployments") {
		t.Errorf("%d, does not say who tells what:\n%s", w.Code, read(t, w))
	} else {
		harmless(t, "/sources", w)
		sound(t, "/sources", w.Body.String())
	}
	w := fetch(p, "GET", "/sources/unmatched")
	text := read(t, w)
	for _, says := range []string{
		"2 names of facts are none of a service. 1 name belongs to several services. Two sources tell the same deployments of 1 service. Of 2 deployments, 1 is without a known commit.", "aliases: ['shop-prod'] # of the service shop, where it is described",
		hostile, "image ghcr.io/acme/shop:v7", "told with the deployment 1", "take the alias 'basket' from shop, if cart is meant",
		"3, 0 with a commit", "tell the deployments of cart from",
	} {
		if w.Code != 200 || !strings.Contains(text, says) {
			t.Errorf("%d, does not say %q:\n%s", w.Code, says, text)
		}
	}
	harmless(t, "/sources/unmatched", w)
	sound(t, "/sources/unmatched", w.Body.String())
}

// What /provisioning tells of requests with names that nobody should choose, and of none.
func TestWhatWasAskedOfThePlatformIsShown(t *testing.T) {
	p := siteOver(t, storetest.New(t), fact{"type": "service", "id": "shop"}, fact{"type": "team", "id": hostile},
		fact{"type": "provisioning_request", "id": "r1", "team": hostile, "service": "shop", "resource_type": hostile, "way": "crossplane_claim", "on_platform": true, "status": "ready", "requested_at": "2026-05-19T10:00:00Z", "ready_at": "2026-05-19T10:30:00Z", "source": "kubernetes"},
		fact{"type": "provisioning_request", "id": "r2", "service": "shop", "resource_type": "bucket", "way": "ticket", "status": "in_progress", "requested_at": "2026-05-18T10:00:00Z", "approved_at": "2026-05-18T16:00:00Z", "source": "desk"})
	for target, says := range map[string][]string{
		"/provisioning":                     {"2 requests, 1 without a person in between. 1 became ready, 1 is open.", hostile, "crossplane claim", "30 min", "n = 1", "bucket"},
		"/provisioning?way=ticket":          {"1 request, 0 without a person in between.", "All that was asked", "bucket"},
		"/provisioning?service=shop":        {"Asked of the platform: shop"},
		"/provisioning?status=failed":       {"Nothing was asked of the platform in this window."},
		"/services/shop":                    {"What was asked of the platform for it"},
		"/teams/" + url.PathEscape(hostile): {"What it asked of the platform"},
	} {
		w := fetch(p, "GET", target)
		text := read(t, w)
		for _, say := range says {
			if w.Code != 200 || !strings.Contains(text, say) {
				t.Errorf("%s: %d, does not say %q:\n%.2000s", target, w.Code, say, text)
			}
		}
		harmless(t, target, w)
		sound(t, target, w.Body.String())
	}
}
