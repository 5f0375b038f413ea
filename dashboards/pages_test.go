package dashboards

import (
	"html"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"

	nethtml "golang.org/x/net/html"

	"cairn/internal/store/storetest"
)

// Every address answers what is right and refuses what is wrong: each time with a page that says so in words, and never
// with what somebody wrote as part of the page.
func TestEveryAddress(t *testing.T) {
	p := site(t, acme()...)
	for _, c := range []struct {
		target string
		status int
		says   []string // text of the page, as it is read
	}{
		{"/", 200, []string{"Acme & sons shipped", "Commerce <b>&</b>", `Checkout "1"`, "Deployment frequency", "Developer satisfaction", "as of 20 May 2026 12:00:00 UTC", "v0 <test>"}},
		{"/?last=4w", 200, []string{"in the last 4 weeks", "23 Apr to 20 May 2026 · UTC"}},
		{"/?last=12m&bucket=quarter&tz=Asia/Kolkata", 200, []string{"Asia/Kolkata"}},
		{"/?from=2026-05-01&to=2026-05-08", 200, []string{"from 1 May to 7 May 2026"}},
		{"/?environment=staging", 200, []string{"· staging ·"}},
		{"/?environment=" + url.QueryEscape(hostile), 200, []string{hostile}},
		{"/?from=1970-01-01&to=1970-02-01", 200, []string{"Nothing was in production in this window"}},
		{"/?from=2100-01-01&to=2100-02-01", 200, []string{"Acme & sons"}},
		{"/?last=3w", 400, []string{`Last is "3w": expected one of 4w, 12w, 26w, 12m`}},
		{"/?last=4w&last=12w", 400, []string{`The parameter "last" is given 2 times`}},
		{"/?last=4w&from=2026-01-01", 400, []string{"not by both"}},
		{"/?tz=Mars/Olympus", 400, []string{`Time zone is "Mars/Olympus": expected an IANA name`}},
		{"/?tz=" + url.QueryEscape("../../etc/passwd"), 400, []string{"expected an IANA name"}},
		{"/?bucket=moon", 400, []string{`Bucket is "moon"`}},
		{"/?from=tomorrow", 400, []string{`From is "tomorrow"`}},
		{"/?to=2026-01-01", 400, []string{"From is missing"}},
		{"/?from=2026-02-01&to=2026-01-01", 400, []string{"must be before"}},
		{"/?from=2000-01-01&to=2026-01-01&bucket=day", 400, []string{"more than 5000 buckets"}},
		{"/?team=shop", 400, []string{`There is no parameter "team" here`}},
		{"/?" + url.QueryEscape(hostile) + "=1", 400, []string{"There is no parameter"}},
		{"/?last=" + url.QueryEscape(hostile), 400, []string{"Last is"}},

		{"/teams", 200, []string{"Commerce <b>&</b>", `Checkout "1"`, "Europe/Berlin"}},
		{"/teams?cursor=x", 400, []string{`"cursor"`}},
		{"/teams/commerce", 200, []string{"Commerce <b>&</b> shipped", "Includes"}},
		{"/teams/checkout?last=4w", 200, []string{`Checkout "1" shipped`, "part of commerce", "1 change is merged and not live", "Open failures"}},
		{"/teams/gone", 200, []string{"Gone", "The team owns no service now"}},
		{place("/teams", hostile)[1:], 200, []string{"<img src=x onerror=alert(2)>"}},
		{"/teams/chekout", 404, []string{`no team "chekout"`}},
		{place("/teams", "<b>")[1:], 404, []string{`no team "<b>"`}},
		{"/teams/", 404, []string{"There is no"}},
		{"/teams/checkout/services", 404, []string{`no team "checkout/services"`}},
		{"/teams/checkout?service=shop", 400, []string{`"service"`}},

		{"/services", 200, []string{"7 services", "Shop", "<b>Evil</b>", slashed, percent, long, "never", "known", "nobody"}},
		{"/services?q=never", 200, []string{"checkout production never no data no data"}},
		{"/services?retired=true", 200, []string{"8 services", "retired"}},
		{"/services?q=sho", 200, []string{"1 service.", "Shop"}},
		{"/services?q=nothing+fits", 200, []string{"No service fits"}},
		{"/services?q=" + url.QueryEscape(`"><script>`), 200, []string{"1 service."}},
		{"/services?owner=checkout&lifecycle=production&golden_path=partial", 200, []string{"1 service."}},
		{"/services?tier=" + url.QueryEscape("<tier>"), 200, []string{"1 service."}},
		{"/services?part=results&q=shop", 200, nil},
		{"/services?owner=chekout", 404, []string{`"chekout"`}},
		{"/services?golden_path=bronze", 400, []string{"expected full, partial or none"}},
		{"/services?cursor=x", 400, []string{`Cursor is "x"`}},
		{"/services?retired=perhaps", 400, []string{`Retired is "perhaps"`}},
		{"/services?part=everything", 400, []string{`Part is "everything"`}},

		{"/services/shop", 200, []string{"Shop shipped", "<b>Baskets</b> are lost", "still open", "rollback", "redeploy", "baseline", "not live", "re-release", "Merged and not live", "v1.12", "argocd", "by ada", "escape hatch"}},
		{"/services/shop?last=4w&tz=Asia/Kolkata", 200, []string{"19 May 2026 18:30"}},
		{place("/services", hostile)[1:], 200, []string{"<b>Evil</b> shipped once", "<img src=x onerror=alert(3)>", "<tier>", `"><script>alert(4)</script>`, "<alias>", "<path>", "<template>", hostile}},
		{place("/services", slashed)[1:], 200, []string{"A/b c shipped once"}},
		{place("/services", percent)[1:], 200, []string{"100%41 shipped once"}},
		{place("/services", long)[1:], 200, []string{long}},
		{"/services/never", 200, []string{"It has never been deployed to production, since it was created on 1 May 2026."}},
		{"/services/known", 200, []string{"known by its deployments alone", "Nobody is known to own it"}},
		{"/services/retired", 200, []string{"retired on 1 Feb 2026"}},
		{"/services/shap", 404, []string{`no service "shap"`}},
		{"/services/", 404, []string{"There is no"}},
		{"/services/shop?cursor=x", 400, []string{`Cursor is "x"`}},
		{"/services/shop?environment=staging", 200, []string{"shipped"}},

		{"/metrics/lead_time", 200, []string{"Lead time for changes", "Over time", "How it spreads", "By team", "By service", "Evidence", "Show as table"}},
		{"/metrics/lead_time?service=shop&statistic=p90&stage=review&include_bots=true&last=4w", 200, []string{"Lead time for changes, shop"}},
		{"/metrics/lead_time?stage=review", 200, []string{"No data: no change of this window went through this stage"}},
		{"/metrics/lead_time?team=checkout", 200, []string{"Lead time for changes, checkout"}},
		{"/metrics/lead_time?offset=5", 200, []string{"First page"}},
		{"/metrics/lead_time?offset=100000", 200, []string{"There is no more of it. First page"}},
		{"/metrics/adoption_rate?capability=cicd", 200, []string{"Capability"}},
		{"/metrics/csat?from=2026-01-01&to=2026-05-01", 200, []string{"Developer satisfaction"}},
		{"/metrics/csat?from=2026-01-01&to=2026-05-01&team=checkout", 200, []string{"Hidden: fewer people than keep each of them anonymous"}},
		{"/metrics/survey_cells?from=2026-01-01&to=2026-05-01", 200, []string{"Not one number but several"}},
		{"/metrics/pain_points?from=2026-01-01&to=2026-05-01", 200, []string{"Not one number but several"}},
		{"/metrics/deploy_days_per_week?bucket=day", 200, []string{"Deploy days per week"}},
		{"/metrics/lead_time?service=" + url.QueryEscape(hostile), 200, []string{hostile}},
		{"/metrics/deployment_count?service=" + url.QueryEscape(hostile), 200, []string{"<i>1</i>"}},
		{"/metrics/leadtime", 404, []string{`no metric "leadtime"`}},
		{place("/metrics", hostile)[1:], 404, []string{"There is no metric"}},
		{"/metrics/", 404, []string{"There is no"}},
		{"/metrics", 404, []string{"There is no page /metrics"}},
		{"/metrics/lead_time?service=shap", 404, []string{`"shap"`}},
		{"/metrics/lead_time?team=chekout", 404, []string{`"chekout"`}},
		{"/metrics/lead_time?service=shop&team=checkout", 400, []string{"One of service, team and organisation was expected, not several"}},
		{"/metrics/lead_time?statistic=mean", 400, []string{`"mean"`}},
		{"/metrics/deployment_count?statistic=p50", 400, []string{"no statistics"}},
		{"/metrics/lead_time?stage=lunch", 400, []string{`"lunch"`}},
		{"/metrics/lead_time?include_bots=maybe", 400, []string{`Include_bots is "maybe": expected true or false`}},
		{"/metrics/lead_time?offset=-1", 400, []string{`Offset is "-1"`}},
		{"/metrics/lead_time?offset=x", 400, []string{`Offset is "x"`}},
		{"/metrics/csat?survey=2031Q1", 404, []string{"2031Q1"}},
		{"/metrics/csat?service=shop", 400, []string{"people"}},
		{"/metrics/lead_time?group_by=team", 400, []string{`"group_by"`}},

		{"/deployments/shop/shop-12", 200, []string{"v1.12", "1 change first shipped by it", "still open", "known by INC-2", "checkout", "on every target 13 May 2026 12:00 UTC"}},
		{"/deployments/shop/shop-0", 200, []string{"the first that is known", "It shipped nothing new"}},
		{"/deployments/shop/shop-back", 200, []string{"rollback"}},
		{"/deployments/shop/shop-again", 200, []string{"redeploy"}},
		{"/deployments/shop/shop-broken", 200, []string{"not live", "failed"}},
		{"/deployments/shop/stage-1?environment=staging", 200, []string{"staging"}},
		{"/deployments/shop/shop-12?tz=Asia/Kolkata", 200, []string{"13 May 2026 17:30 Asia/Kolkata"}},
		{"/deployments/shop/stage-1", 404, []string{`no deployment "stage-1"`}},
		{"/deployments" + place("", hostile)[1:] + place("", "<i>1</i>")[1:], 200, []string{"<i>v1</i>", hostile}},
		{"/deployments" + place("", slashed)[1:] + place("", "r/1 %41")[1:], 200, []string{"r/1 %41"}},
		{"/deployments" + place("", percent)[1:] + place("", percent)[1:], 200, []string{percent}},
		{"/deployments/shop/none", 404, []string{`no deployment "none" of the service "shop"`}},
		{"/deployments/shap/1", 404, []string{`"shap"`}},
		{"/deployments/shop", 404, []string{"There is no page /deployments/shop"}},
		{"/deployments/shop/", 404, []string{"There is no"}},
		{"/deployments/shop/shop-1?cursor=x", 400, []string{`Cursor is "x"`}},

		{"/doctor", 200, []string{"Why is a number missing?", "Lead time for changes"}},
		{"/doctor?metric=lead_time&service=never", 200, []string{"for never", "deployment runs told"}},
		{"/doctor?service=" + url.QueryEscape(hostile), 200, []string{"for " + hostile}},
		{"/doctor?metric=leadtime", 404, []string{"leadtime"}},
		{"/doctor?team=chekout", 404, []string{"chekout"}},
		{"/doctor?service=shop&team=checkout", 400, []string{"One of service, team and organisation was expected, not several"}},

		{"/sources", 200, []string{"No source is configured", "cairn connect github --organisation NAME"}},
		{"/sources?subject=x", 400, []string{`There is no parameter "subject" here`}},
		{"/sources/github", 404, []string{`There is no source "github": nothing was read or heard yet`}},
		{"/sources/", 404, []string{"There is no"}},

		{"/docs", 200, []string{"Documentation", "Events"}},
		{"/docs/", 200, []string{"Documentation", "Events"}},
		{"/docs/metrics", 200, []string{"Metrics"}},
		{"/docs/metrics/lead_time?last=4w", 200, []string{"The numbers"}},
		{"/docs/metrics/leadtime", 404, []string{"There is no page /docs/metrics/leadtime in the documentation"}},
		{"/docs/api", 200, []string{"Numbers for <programs>.", "GET /api/v1/metrics/{metric}", "Required.", "such as lead_time", "default UTC", "day, week", "The request makes no sense.", "/healthz"}},
		{"/docs/events.md", 301, nil},
		{"/docs/metrics/README.md", 301, nil},
		{"/docs/api.md", 200, []string{"API"}},

		{"/nothing", 404, []string{"There is no page /nothing"}},
		{"/" + url.PathEscape(hostile), 404, []string{"There is no page /" + hostile}},
		{"/index.php?id=1", 404, []string{"There is no page /index.php"}},
	} {
		w := fetch(p, "GET", c.target)
		if w.Code != c.status {
			t.Errorf("%s: got %d, want %d: %s", c.target, w.Code, c.status, firstLine(read(t, w)))
			continue
		}
		if c.status == http.StatusMovedPermanently {
			continue
		}
		text := read(t, w)
		for _, say := range c.says {
			if !strings.Contains(text, say) {
				t.Errorf("%s: the page does not say %q: %.300s", c.target, say, text)
			}
		}
		harmless(t, c.target, w)
		if !strings.Contains(c.target, "part=results") {
			sound(t, c.target, w.Body.String())
		}
	}
}

func firstLine(text string) string { return text[:min(len(text), 300)] }

// read is the text of a page with one space between words.
func read(t *testing.T, w *httptest.ResponseRecorder) string {
	t.Helper()
	var words []string
	for n := range parse(t, w.Body.String()).Descendants() {
		if n.Type == nethtml.TextNode && (n.Parent == nil || n.Parent.Data != "script" && n.Parent.Data != "title") {
			words = append(words, n.Data)
		}
	}
	return strings.Join(strings.Fields(strings.Join(words, "")), " ")
}

func parse(t *testing.T, page string) *nethtml.Node {
	t.Helper()
	doc, err := nethtml.Parse(strings.NewReader(page))
	if err != nil {
		t.Fatal(err)
	}
	return doc
}

func attribute(n *nethtml.Node, name string) string {
	i := slices.IndexFunc(n.Attr, func(a nethtml.Attribute) bool { return a.Key == name })
	if i < 0 {
		return ""
	}
	return n.Attr[i].Val
}

// harmless says what of an answer would be run, or loaded, that is not the program's own.
func harmless(t *testing.T, target string, w *httptest.ResponseRecorder) {
	t.Helper()
	if got := w.Header().Get("Content-Type"); got != "text/html; charset=UTF-8" {
		t.Errorf("%s: got type %q", target, got)
	}
	if got := w.Header().Get("Content-Security-Policy"); !strings.Contains(got, "default-src 'none'") || !strings.Contains(got, "script-src 'self';") {
		t.Errorf("%s: got policy %q", target, got)
	}
	if got := w.Header().Get("Cache-Control"); w.Code == 200 && got != "no-cache" || w.Code != 200 && got != "no-store" {
		t.Errorf("%s: got Cache-Control %q", target, got)
	}
	for n := range parse(t, w.Body.String()).Descendants() {
		if n.Type != nethtml.ElementNode {
			continue
		}
		if src := attribute(n, "src"); n.Data == "script" && attribute(n, "type") != "application/json" && !strings.HasPrefix(src, "/assets/") {
			t.Errorf("%s: a script of %q", target, src)
		}
		if slices.Contains([]string{"u", "s", "tier", "repo", "path", "alias", "template", "iframe", "style", "object", "embed"}, n.Data) && n.Namespace == "" {
			t.Errorf("%s: an element <%s>", target, n.Data)
		}
		if n.Data == "img" && !strings.HasPrefix(attribute(n, "src"), "/assets/") {
			t.Errorf("%s: a picture of %q", target, attribute(n, "src"))
		}
		for _, a := range n.Attr {
			if strings.HasPrefix(a.Key, "on") || a.Key == "style" {
				t.Errorf("%s: <%s %s=%q>", target, n.Data, a.Key, a.Val)
			}
			if a.Key == "href" || a.Key == "src" || a.Key == "action" {
				if u, err := url.Parse(a.Val); err != nil || u.Scheme != "" && u.Scheme != "https" && u.Scheme != "http" {
					t.Errorf("%s: <%s %s=%q>", target, n.Data, a.Key, a.Val)
				}
			}
		}
	}
}

// sound says what of a page would puzzle who cannot see it.
func sound(t *testing.T, target, page string) {
	t.Helper()
	level, headings, mains := 0, 0, 0
	var heads []string
	written := strings.Contains(page, `<article class="doc">`) // Markdown has no scopes
	ids := map[string]bool{}
	labelled := map[string]bool{}
	doc := parse(t, page)
	for n := range doc.Descendants() {
		if n.Type == nethtml.ElementNode && n.Data == "label" && attribute(n, "for") != "" {
			labelled[attribute(n, "for")] = true
		}
	}
	for n := range doc.Descendants() {
		if n.Type != nethtml.ElementNode {
			continue
		}
		if id := attribute(n, "id"); id != "" {
			if ids[id] {
				t.Errorf("%s: two elements are called %q", target, id)
			}
			ids[id] = true
		}
		switch n.Data {
		case "h1", "h2", "h3", "h4", "h5", "h6":
			next := int(n.Data[1] - '0')
			if next > level+1 {
				t.Errorf("%s: <%s> %q follows <h%d>", target, n.Data, inner(n), level)
			}
			if level = next; next == 1 {
				headings++
			}
			if inner(n) == "" {
				t.Errorf("%s: an empty <%s>", target, n.Data)
			}
		case "main":
			mains++
		case "title":
			if inner(n) == "" || strings.HasPrefix(inner(n), "·") {
				t.Errorf("%s: the title is %q", target, inner(n))
			}
		case "a", "button", "summary":
			if inner(n) == "" && attribute(n, "aria-label") == "" {
				t.Errorf("%s: <%s href=%q> without words", target, n.Data, attribute(n, "href"))
			}
		case "th":
			if !written && (inner(n) == "" || attribute(n, "scope") == "") {
				heads = append(heads, inner(n))
			}
		case "input", "select":
			within := n.Parent != nil && n.Parent.Data == "label"
			if attribute(n, "type") != "hidden" && !within && !labelled[attribute(n, "id")] && attribute(n, "aria-label") == "" {
				t.Errorf("%s: <%s name=%q> without a label", target, n.Data, attribute(n, "name"))
			}
		case "svg":
			if attribute(n, "aria-hidden") == "" && attribute(n, "aria-label") == "" {
				t.Errorf("%s: a drawing without words", target)
			}
		case "img":
			if !slices.ContainsFunc(n.Attr, func(a nethtml.Attribute) bool { return a.Key == "alt" }) {
				t.Errorf("%s: a picture without words", target)
			}
		}
	}
	if len(heads) > 0 {
		t.Errorf("%s: of the heads %q some have no words, or do not say what they are the head of", target, heads)
	}
	if headings != 1 || mains != 1 || attribute(doc.FirstChild.NextSibling, "lang") != "en" {
		t.Errorf("%s: %d headings of the page, %d main parts, language %q", target, headings, mains, attribute(doc.FirstChild.NextSibling, "lang"))
	}
}

func inner(n *nethtml.Node) string {
	var text strings.Builder
	for d := range n.Descendants() {
		if d.Type == nethtml.TextNode {
			text.WriteString(d.Data)
		}
	}
	return strings.TrimSpace(text.String())
}

// Nothing but looking is possible, and a head is the page without its body.
func TestPagesAreOnlyLookedAt(t *testing.T) {
	st := storetest.New(t)
	put(t, st, row{})
	p := siteOver(t, st, fact{"type": "team", "id": "checkout"}, fact{"type": "deployment", "service": "shop", "id": "shop-1", "environment": "production", "status": "succeeded", "finished_at": "2026-05-01T12:00:00Z"})
	server := httptest.NewServer(p)
	defer server.Close()
	for _, r := range p.routes() {
		target := strings.NewReplacer(":service", "shop", ":name", "github", "/metrics/:id", "/metrics/lead_time", "/teams/:id", "/teams/checkout", "/services/:id", "/services/shop", ":id", "shop-1", ":file", "style.css", "*", "events").Replace(r.path)
		for _, method := range []string{"POST", "PUT", "DELETE", "PATCH"} {
			w := fetch(p, method, target)
			if w.Code != http.StatusMethodNotAllowed || !strings.Contains(w.Body.String(), method+" is not possible here") {
				t.Errorf("%s %s: got %d, want 405 and why", method, target, w.Code)
			}
			if allow := w.Header().Get("Allow"); !strings.Contains(allow, "GET") {
				t.Errorf("%s %s: allows %q", method, target, allow)
			}
		}
		resp, err := http.Head(server.URL + target)
		if err != nil {
			t.Fatal(err)
		}
		if err := resp.Body.Close(); err != nil || resp.StatusCode != 200 || resp.Header.Get("Content-Type") == "" {
			t.Errorf("HEAD %s: got %d %v", target, resp.StatusCode, err)
		}
	}
}

// A page of an empty store says what to do, and shows no 0 for what nobody knows.
func TestNothingIsKnown(t *testing.T) {
	p := site(t)
	for target, say := range map[string]string{
		"/": "cairn collect git PATH-OR-URL --service NAME", "/teams": "No team is known yet. Tell who owns what", "/services": "cairn ingest events.ndjson",
		"/services?q=shop": "No service fits", "/doctor": "No deployment was told yet: collect a repository's release tags",
	} {
		w := fetch(p, "GET", target)
		if text := read(t, w); w.Code != 200 || !strings.Contains(text, say) {
			t.Errorf("%s: got %d, and not %q: %.300s", target, w.Code, say, text)
		}
		sound(t, target, w.Body.String())
	}
	figure := regexp.MustCompile(`<b title="([^"]*)"`)
	for _, def := range p.deps.Engine.Catalogue() {
		target := place("metrics", def.ID)
		w := fetch(p, "GET", target)
		if w.Code != 200 {
			t.Errorf("%s: got %d", target, w.Code)
			continue
		}
		if m := figure.FindStringSubmatch(w.Body.String()); m != nil {
			t.Errorf("%s: shows %q where nothing is known", target, html.UnescapeString(m[1]))
		}
		if text := read(t, w); !strings.Contains(text, "No data: ") && !strings.Contains(text, "Nothing was in production") {
			t.Errorf("%s: does not say that there is nothing: %.300s", target, text)
		}
		sound(t, target, w.Body.String())
	}
	if text := read(t, fetch(p, "GET", "/")); strings.Contains(text, "shipped") {
		t.Errorf("the page about nothing tells of something: %s", text)
	}
}
