package main

import (
	"encoding/json"
	"fmt"
	"html"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

// grafanaBoard is what of a dashboard's file has to do with the data source and with links.
type grafanaBoard struct {
	Title string
	Time  struct{ From string }
	Links []struct{ Type, URL string }

	Annotations struct {
		List []struct {
			Name   string
			Target struct{ Expr string }
		}
	}
	Templating struct {
		List []struct {
			Type, Name string
			Query      json.RawMessage
			Current    struct{ Value json.RawMessage }
		}
	}
	Panels []struct {
		Type, Title, Description, Interval string
		Links                              []struct{ URL string }
		Targets                            []struct {
			Expr    string
			Instant bool
		}
		FieldConfig struct {
			Defaults  struct{ Links []struct{ URL string } }
			Overrides []struct {
				Properties []struct {
					ID    string
					Value json.RawMessage
				}
			}
		}
	}
}

// dataSource asks cairn as Grafana's data source does.
type dataSource struct{ base string }

func (d dataSource) ask(t *testing.T, path string, values url.Values, into any) {
	t.Helper()
	resp, err := http.PostForm(d.base+"/prometheus/api/v1/"+path, values)
	if strings.HasPrefix(path, "label/") {
		resp, err = http.Get(d.base + "/prometheus/api/v1/" + path + "?" + values.Encode())
	}
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	var a struct {
		Error string
		Data  json.RawMessage
	}
	if err := json.Unmarshal(text, &a); err != nil || resp.StatusCode != http.StatusOK {
		t.Errorf("%s %v: %d %s", path, values, resp.StatusCode, a.Error)
		return
	}
	if err := json.Unmarshal(a.Data, into); err != nil {
		t.Errorf("%s %v: %v", path, values, err)
	}
}

// samples counts those of an expression; NaN does not count as one where others are there.
func (d dataSource) samples(t *testing.T, path string, values url.Values) (n int) {
	t.Helper()
	var data struct{ Result []struct{ Values []any } }
	d.ask(t, path, values, &data)
	for _, series := range data.Result {
		n += max(1, len(series.Values))
	}
	return n
}

var (
	labelValues = regexp.MustCompile(`^label_values\((.+), (\w+)\)$`)
	anyVariable = regexp.MustCompile(`\$\{?\w`)
	inMarkdown  = regexp.MustCompile(`\]\(([^)]+)\)`)
)

// TestDashboardsAreAnswered asks everything that the dashboards ask of the demonstration organisation, and follows every
// link from them.
func TestDashboardsAreAnswered(t *testing.T) {
	w := visit(t)
	source := dataSource{w.base}
	files, err := filepath.Glob("../../grafana/dashboards/*.json")
	if err != nil || len(files) < 6 {
		t.Fatal(files, err)
	}
	w.get(t, "/api/v1/metrics/lead_time") // something is computed
	now := time.Now()
	followed := map[string]bool{}
	titles := map[string]bool{}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var d grafanaBoard
		if err := json.Unmarshal(text, &d); err != nil {
			t.Fatal(err)
		}
		titles["cairn-"+strings.TrimSuffix(filepath.Base(file), ".json")] = true
	}
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".json")
		t.Run(name, func(t *testing.T) {
			text, _ := os.ReadFile(file)
			var d grafanaBoard
			if err := json.Unmarshal(text, &d); err != nil {
				t.Fatal(err)
			}
			from := map[string]time.Time{"now-6M": now.AddDate(0, -6, 0), "now-1y": now.AddDate(-1, 0, 0), "now-2y": now.AddDate(-2, 0, 0), "now-1h": now.Add(-time.Hour)}[d.Time.From]
			if from.IsZero() {
				t.Fatalf("the time begins %q", d.Time.From)
			}
			values := map[string]string{}
			fill := func(s string) string { return substituted(s, values, from, now) }
			for _, v := range d.Templating.List {
				var asked struct{ Query string }
				switch v.Type {
				case "query":
					if err := json.Unmarshal(v.Query, &asked); err != nil {
						t.Fatal(err)
					}
				default:
					_ = json.Unmarshal(v.Current.Value, &asked.Query)
					values[v.Name] = asked.Query
					continue
				}
				m := labelValues.FindStringSubmatch(fill(asked.Query))
				if m == nil {
					t.Fatalf("variable %s: %s", v.Name, asked.Query)
				}
				var list []string
				source.ask(t, "label/"+m[2]+"/values", url.Values{"match[]": {m[1]}, "start": {fmt.Sprint(from.Unix())}, "end": {fmt.Sprint(now.Unix())}}, &list)
				if len(list) == 0 {
					t.Fatalf("variable %s: %s has no values", v.Name, m[0])
				}
				values[v.Name] = list[0]
				for _, usual := range []string{"production", "payments"} {
					if slices.Contains(list, usual) {
						values[v.Name] = usual
					}
				}
				if v.Name == "services" { // all of them
					values[v.Name] = strings.Join(list, "|")
				}
				if v.Name == "service" {
					values[v.Name] = busiest(t, source)
				}
			}
			values["cairn"] = w.base

			step := 24 * time.Hour
			if name == "health" {
				step = 30 * time.Second
			}
			ranged := func(expr string, step time.Duration) url.Values {
				values["__interval"] = fmt.Sprint(int(step.Seconds()), "s")
				return url.Values{"query": {fill(expr)}, "start": {fmt.Sprint(from.Unix())}, "end": {fmt.Sprint(time.Now().Unix())}, "step": {fmt.Sprint(step.Seconds())}}
			}
			for _, a := range d.Annotations.List {
				if n := source.samples(t, "query_range", ranged(a.Target.Expr+" > 0", 24*time.Hour)); n == 0 {
					t.Errorf("annotation %s marks nothing: %s", a.Name, fill(a.Target.Expr))
				}
			}
			var links []string
			for _, p := range d.Panels {
				if p.Type == "row" {
					continue
				}
				if len(p.Targets) == 0 {
					t.Errorf("%s asks nothing", p.Title)
				}
				for _, target := range p.Targets {
					path, asked := "query_range", ranged(target.Expr, step)
					if target.Instant {
						path, asked = "query", url.Values{"query": {fill(target.Expr)}, "time": {fmt.Sprint(now.Unix())}}
					}
					if left := anyVariable.FindString(asked.Get("query")); left != "" {
						t.Errorf("%s: %s is left in %s", p.Title, left, asked.Get("query"))
					}
					n := source.samples(t, path, asked)
					for range 30 { // rates need two samples
						if n > 0 || name != "health" {
							break
						}
						time.Sleep(time.Second)
						if target.Instant {
							asked.Set("time", fmt.Sprint(time.Now().Unix()))
						} else {
							asked.Set("end", fmt.Sprint(time.Now().Unix()))
						}
						n = source.samples(t, path, asked)
					}
					if n == 0 {
						t.Errorf("%s has no data: %s", p.Title, asked.Get("query"))
					}
				}
				for _, m := range inMarkdown.FindAllStringSubmatch(p.Description, -1) {
					links = append(links, m[1])
				}
				for _, l := range append(p.Links, p.FieldConfig.Defaults.Links...) {
					links = append(links, l.URL)
				}
				for _, o := range p.FieldConfig.Overrides {
					for _, property := range o.Properties {
						var list []struct{ URL string }
						if property.ID == "links" && json.Unmarshal(property.Value, &list) == nil {
							for _, l := range list {
								links = append(links, l.URL)
							}
						}
					}
				}
			}
			for _, l := range d.Links {
				if l.Type == "link" {
					links = append(links, l.URL)
				}
			}
			values["__data.fields.Team"], values["__data.fields.Service"] = "payments", busiest(t, source)
			for _, l := range links {
				if board, ok := strings.CutPrefix(l, "/d/"); ok {
					if id, _, _ := strings.Cut(board, "?"); !titles[id] {
						t.Errorf("%s leads to no dashboard", l)
					}
					continue
				}
				address := fill(html.UnescapeString(l))
				to, ours := strings.CutPrefix(address, w.base)
				if !ours || anyVariable.MatchString(to) {
					t.Errorf("%s becomes %s: expected a page of cairn", l, address)
					continue
				}
				if followed[to] {
					continue
				}
				followed[to] = true
				if status, _, _ := w.get(t, to); status != http.StatusOK {
					t.Errorf("%s: %d", to, status)
				}
			}
		})
	}
	if len(followed) < 30 {
		t.Errorf("%d links were followed: too few", len(followed))
	}
}

// substituted is a text with the values of variables, as Grafana puts them in.
func substituted(s string, values map[string]string, from, to time.Time) string {
	const iso = "2006-01-02T15:04:05.000Z"
	s = strings.NewReplacer("${__from:date:iso}", from.UTC().Format(iso), "${__to:date:iso}", to.UTC().Format(iso)).Replace(s)
	names := slices.SortedFunc(func(yield func(string) bool) {
		for name := range values {
			if !yield(name) {
				return
			}
		}
	}, func(a, b string) int { return len(b) - len(a) })
	for _, name := range names {
		v := values[name]
		s = strings.NewReplacer("${"+name+":percentencode}", url.PathEscape(v), "${"+name+":raw}", v, "${"+name+"}", v, "$"+name, v).Replace(s)
	}
	return s
}

// busiest is the service with most deployments of those that have objectives and incidents.
func busiest(t *testing.T, d dataSource) string {
	t.Helper()
	var data struct {
		Result []struct{ Metric struct{ Service string } }
	}
	const expr = `topk(1, cairn_deployments{service!="",window="28d",environment="production"} and on (service) cairn_slo_error_budget_remaining_ratio{window="28d"} and on (service) (cairn_incidents_total > 3) and on (service) cairn_recovery_time_seconds{window="28d"})`
	d.ask(t, "query", url.Values{"query": {expr}}, &data)
	if len(data.Result) == 0 {
		t.Fatal("no service has everything")
	}
	return data.Result[0].Metric.Service
}
