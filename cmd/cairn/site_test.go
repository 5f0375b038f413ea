package main

import (
	"bytes"
	"context"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/net/html"
)

// website is the demonstration organisation, loaded and served by the program for all tests of this package that look
// at pages.
type website struct {
	base string
	dir  string
	stop func() error // ends the server and says what went wrong in it
	err  error
}

var demonstration struct {
	once sync.Once
	website
}

// visit returns the address of the served demonstration organisation.
func visit(t testing.TB) *website {
	t.Helper()
	demonstration.once.Do(func() { demonstration.err = demonstration.start() })
	if demonstration.err != nil {
		t.Fatal(demonstration.err)
	}
	return &demonstration.website
}

func (w *website) start() error {
	dir, err := os.MkdirTemp("", "cairn-site")
	if err != nil {
		return err
	}
	w.dir = dir
	root, err := filepath.Abs("../..")
	if err != nil {
		return err
	}
	if err := os.Symlink(filepath.Join(root, ".cache"), filepath.Join(dir, ".cache")); err != nil {
		return err
	}
	load := command(context.Background(), dir, "demo")
	if out, err := load.CombinedOutput(); err != nil {
		return fmt.Errorf("cairn demo: %w\n%s", err, out)
	}
	told := command(context.Background(), dir, "data")
	told.Env = append(told.Env, asProgram+"=sources")
	if out, err := told.CombinedOutput(); err != nil {
		return fmt.Errorf("%w\n%s", err, out)
	}
	if err := os.WriteFile(filepath.Join(dir, "secret"), []byte("whisper"), 0o600); err != nil {
		return err
	}
	config := "sources:\n  pagerduty:\n    name: pager\n    webhook_secrets: [file:secret]\n"
	if err := os.WriteFile(filepath.Join(dir, "cairn.yaml"), []byte(config), 0o600); err != nil {
		return err
	}
	var log bytes.Buffer
	serve := command(context.Background(), dir, "serve", "--listen", "127.0.0.1:0", "--title", "Linden")
	serve.Stderr = &log
	if err := serve.Start(); err != nil {
		return err
	}
	w.stop = func() error {
		_ = serve.Process.Signal(os.Interrupt)
		err := serve.Wait()
		if err != nil || log.Len() > 0 {
			err = fmt.Errorf("serve: %v\n%s", err, &log)
		}
		return err
	}
	var plate doorplate
	for range 600 {
		text, err := os.ReadFile(filepath.Join(dir, "data", "server.json"))
		if err == nil && json.Unmarshal(text, &plate) == nil {
			w.base = plate.URL
			return nil
		}
		time.Sleep(50 * time.Millisecond)
	}
	return fmt.Errorf("the server did not come up\n%s", &log)
}

// close ends the server and says what went wrong in it, and forgets the data.
func (w *website) close() error {
	if w.stop == nil {
		return nil
	}
	err := w.stop()
	_ = os.RemoveAll(w.dir)
	return err
}

func (w *website) get(t testing.TB, address string) (status int, header http.Header, body string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, w.base+address, nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, resp.Header, string(text)
}

// elements are those of a page for which which holds.
func elements(t testing.TB, page string, which func(*html.Node) bool) []*html.Node {
	t.Helper()
	doc, err := html.Parse(strings.NewReader(page))
	if err != nil {
		t.Fatal(err)
	}
	var found []*html.Node
	for n := range doc.Descendants() {
		if n.Type == html.ElementNode && which(n) {
			found = append(found, n)
		}
	}
	return found
}

func attribute(n *html.Node, name string) string {
	for _, a := range n.Attr {
		if a.Key == name {
			return a.Val
		}
	}
	return ""
}

// Every link of every page leads somewhere, and nothing on a page comes from another machine. Pages of one kind with
// the same parameters are tried a few times each.
func TestEveryLinkLeadsSomewhere(t *testing.T) {
	const each = 4
	w := visit(t)
	waiting, known, tried := []string{"/"}, map[string]bool{"/": true}, map[string]int{}
	pages, anchors := map[string]string{}, map[string]string{}
	for len(waiting) > 0 {
		address := waiting[0]
		waiting = waiting[1:]
		status, header, body := w.get(t, address)
		if status != http.StatusOK {
			t.Errorf("%s: %d, linked from %s", address, status, anchors[address])
			continue
		}
		if !strings.HasPrefix(header.Get("Content-Type"), "text/html") {
			continue
		}
		pages[address] = body
		for _, n := range elements(t, body, func(*html.Node) bool { return true }) {
			for _, name := range []string{"src", "href", "action"} {
				to := attribute(n, name)
				if to == "" {
					continue
				}
				u, err := url.Parse(to)
				if err != nil {
					t.Errorf("%s: <%s %s=%q>: %v", address, n.Data, name, to, err)
					continue
				}
				if u.Host != "" {
					if n.Data != "a" {
						t.Errorf("%s: <%s %s=%q> loads from another machine", address, n.Data, name, to)
					}
					continue
				}
				if u.Fragment != "" && u.Path == "" {
					if !strings.Contains(body, `id="`+u.Fragment+`"`) {
						t.Errorf("%s: there is no place %q", address, to)
					}
					continue
				}
				u.Fragment = ""
				if u.Path == "" || known[u.String()] {
					continue
				}
				known[u.String()], anchors[u.String()] = true, address
				if s := shape(u); tried[s] < each {
					tried[s]++
					waiting = append(waiting, u.String())
				}
			}
		}
	}
	if len(pages) < 40 {
		t.Errorf("only %d pages were found", len(pages))
	}
	t.Logf("%d pages, %d links", len(pages), len(known))
}

// shape is what addresses of one kind have in common: the folder and the names of the parameters.
func shape(u *url.URL) string {
	parts := strings.Split(u.Path, "/")
	for i := range parts {
		if i > 1 && parts[1] != "docs" && parts[1] != "api" {
			parts[i] = "*"
		}
	}
	names := []string{}
	for name := range u.Query() {
		names = append(names, name)
	}
	return strings.Join(parts, "/") + "?" + fmt.Sprint(len(names))
}

// card is a number as a page shows it.
type shown struct{ metric, exact, page string }

func cards(t testing.TB, page string) []shown {
	t.Helper()
	var list []shown
	for _, n := range elements(t, page, func(n *html.Node) bool { return n.Data == "article" && attribute(n, "data-metric") != "" }) {
		s := shown{metric: attribute(n, "data-metric")}
		for d := range n.Descendants() {
			if d.Type == html.ElementNode && attribute(d, "data-exact") != "" {
				s.exact = attribute(d, "data-exact")
			}
			if d.Type == html.ElementNode && d.Data == "a" && s.page == "" && strings.HasPrefix(attribute(d, "href"), "/metrics/") {
				s.page = attribute(d, "href")
			}
		}
		list = append(list, s)
	}
	return list
}

// A number on a page, the API, CSV and the terminal agree to the last digit, as of the same instant.
func TestNumbersOnPagesAreThoseOfTheAPI(t *testing.T) {
	w := visit(t)
	compared := 0
	for _, page := range []string{
		"/", "/?last=4w&tz=Asia/Kolkata", "/teams/payments?last=26w", "/teams/commerce", "/services/payments-api", "/services/ledger?last=12m&tz=America/New_York",
		"/?environment=staging",
	} {
		_, _, body := w.get(t, page)
		list := cards(t, body)
		if len(list) < 5 {
			t.Fatalf("%s has %d numbers", page, len(list))
		}
		for _, c := range list {
			_, _, deep := w.get(t, c.page)
			api := elements(t, deep, func(n *html.Node) bool { return n.Data == "a" && hasAttribute(n, "data-api") })
			if len(api) != 1 {
				t.Fatalf("%s: %d links to the API", c.page, len(api))
			}
			asOf := elements(t, body, func(n *html.Node) bool {
				return attribute(n, "data-metric") == c.metric && attribute(n, "data-as-of") != ""
			})
			if len(asOf) == 0 {
				t.Fatalf("%s: %s does not say as of when", page, c.metric)
			}
			call := attribute(api[0], "href") + "&as_of=" + url.QueryEscape(attribute(asOf[0], "data-as-of"))
			_, _, answer := w.get(t, call)
			var res struct {
				Value any    `json:"value"`
				Unit  string `json:"unit"`
			}
			if err := json.Unmarshal([]byte(answer), &res); err != nil {
				t.Fatalf("%s: %v: %s", call, err, answer)
			}
			want := ""
			if v, ok := res.Value.(float64); ok {
				want = fmt.Sprintf("%v %s", v, res.Unit)
			}
			if c.exact != want {
				t.Errorf("%s: %s is %q on the page and %q from %s", page, c.metric, c.exact, want, call)
			}
			compared++
			if res.Unit != "hours" || want == "" {
				continue
			}
			_, _, table := w.get(t, call+"&format=csv")
			rows, err := csv.NewReader(strings.NewReader(table)).ReadAll()
			if err != nil || len(rows) < 2 {
				t.Fatalf("%s as CSV: %v %v", call, err, rows)
			}
			terminal := w.query(t, call)
			if terminal != res.Value {
				t.Errorf("%s: the terminal says %v, the API %v", call, terminal, res.Value)
			}
		}
	}
	t.Logf("%d numbers compared", compared)
}

func hasAttribute(n *html.Node, name string) bool {
	for _, a := range n.Attr {
		if a.Key == name {
			return true
		}
	}
	return false
}

// query asks in the terminal what a call of the API asks.
func (w *website) query(t testing.TB, call string) any {
	t.Helper()
	u, err := url.Parse(call)
	if err != nil {
		t.Fatal(err)
	}
	args := []string{"query", strings.TrimPrefix(u.Path, "/api/v1/metrics/"), "--json", "--server", w.base}
	for name, values := range u.Query() {
		args = append(args, "--"+strings.ReplaceAll(name, "_", "-"), values[0])
	}
	var res struct {
		Value any `json:"value"`
	}
	if err := json.Unmarshal([]byte(must(t, w.dir, args...)), &res); err != nil {
		t.Fatal(err)
	}
	return res.Value
}

var inlineScript = regexp.MustCompile(`(?is)<script(?:\s[^>]*)?>|\son[a-z]+=|javascript:`)

// No page has a script of its own, or a style: the policy that is sent with it would not let them run.
func TestPagesKeepTheirPolicy(t *testing.T) {
	w := visit(t)
	for _, page := range []string{"/", "/teams", "/teams/payments", "/services", "/services/payments-api", "/metrics/lead_time", "/sources", "/sources/github", "/doctor", "/docs", "/docs/api", "/nowhere"} {
		_, header, body := w.get(t, page)
		if policy := header.Get("Content-Security-Policy"); !strings.Contains(policy, "script-src 'self';") || strings.Contains(policy, "unsafe") {
			t.Errorf("%s: policy %q", page, policy)
		}
		for _, found := range inlineScript.FindAllString(body, -1) {
			if !strings.Contains(found, `src="/assets/`) && !strings.Contains(found, `type="application/json"`) {
				t.Errorf("%s: %s", page, found)
			}
		}
		if styled := elements(t, body, func(n *html.Node) bool { return hasAttribute(n, "style") || n.Data == "style" }); len(styled) > 0 {
			t.Errorf("%s: <%s> has a style of its own", page, styled[0].Data)
		}
	}
}
