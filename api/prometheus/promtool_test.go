package prometheus_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"cairn/api/prometheus"
	"cairn/metrics/metricstest"
)

// tool finds a program of Prometheus, without which a test is skipped; in CI it has to be there.
func tool(t *testing.T, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err == nil {
		return path
	}
	if os.Getenv("CI") != "" {
		t.Fatal(err)
	}
	t.Skip(err)
	return ""
}

// scraped is what /metrics says once the numbers are there.
func (s *served) scraped(t *testing.T) string {
	t.Helper()
	for range 600 {
		w := httptest.NewRecorder()
		begin := time.Now()
		s.ServeHTTP(w, httptest.NewRequest("GET", "/metrics", nil))
		if w.Code != http.StatusOK {
			t.Fatal(w.Code, w.Body)
		}
		if strings.Contains(w.Body.String(), "cairn_lead_time_seconds") {
			return w.Body.String()
		}
		if took := time.Since(begin); took > 5*time.Second {
			t.Errorf("a scrape took %s", took)
		}
	}
	t.Fatal("no numbers on /metrics")
	return ""
}

// running is the small organisation with /metrics at work, served at an address.
func running(t *testing.T) (*served, string) {
	t.Helper()
	s := small(t, prometheus.DefaultConfig(), metricstest.SmallNow)
	ctx, stop := context.WithCancel(t.Context())
	var working sync.WaitGroup
	working.Go(func() {
		if err := s.exposition.Run(ctx); err != nil {
			t.Error(err)
		}
	})
	server := httptest.NewServer(s)
	t.Cleanup(func() { server.Close(); stop(); working.Wait() })
	return s, server.URL
}

func TestPromtoolFindsNothingWrongInMetrics(t *testing.T) {
	promtool := tool(t, "promtool")
	s, _ := running(t)
	s.exposition.Webhooks([]string{"forge"}, []string{"told"})
	s.exposition.Mails([]string{"sent"})
	s.exposition.Journal(func() (int64, int64) { return 0, 0 })
	if err := metricstest.Sources(t.Context(), s.store, metricstest.SmallNow()); err != nil {
		t.Fatal(err)
	}
	c := exec.CommandContext(t.Context(), promtool, "check", "metrics")
	c.Stdin = strings.NewReader(s.scraped(t))
	if out, err := c.CombinedOutput(); err != nil || len(out) > 0 {
		t.Errorf("%v\n%s", err, out)
	}
}

// What promtool reads through the query API is what the API says.
func TestPromtoolReadsWhatTheAPISays(t *testing.T) {
	promtool := tool(t, "promtool")
	s, base := running(t)
	run := func(args ...string) string {
		t.Helper()
		out, err := exec.CommandContext(t.Context(), promtool, append([]string{"query"}, args...)...).Output()
		if err != nil {
			t.Fatalf("%v: %v %s", args, err, out)
		}
		return strings.TrimSpace(string(out))
	}
	server := base + "/prometheus"
	now := metricstest.SmallNow()
	api := func(days int, at time.Time) string {
		return s.api(t, "lead_time", url.Values{"from": {at.AddDate(0, 0, -days).Format(time.RFC3339)}, "to": {at.Format(time.RFC3339)}, "service": {"shop"}}, 3600)
	}
	const expr = `cairn_lead_time_seconds{service="shop",window="28d",statistic="p50"}`
	var got []struct{ Value [2]any }
	if err := json.Unmarshal([]byte(run("instant", "--format=json", "--time="+now.Format(time.RFC3339), server, expr)), &got); err != nil || len(got) != 1 || got[0].Value[1] != api(28, now) {
		t.Errorf("instant: got %v, %v; want %s", got, err, api(28, now))
	}
	var ranged []struct{ Values [][2]any }
	text := run("range", "--format=json", "--start="+now.AddDate(0, 0, -70).Format(time.RFC3339), "--end="+now.Format(time.RFC3339), "--step=168h", server, expr)
	if err := json.Unmarshal([]byte(text), &ranged); err != nil {
		t.Fatal(err)
	}
	want := map[float64]string{}
	for i := range 11 {
		at := now.AddDate(0, 0, 7*(i-10))
		if v := api(28, at); v != "" {
			want[float64(at.Unix())] = v
		}
	}
	read := map[float64]string{}
	for _, series := range ranged {
		for _, v := range series.Values {
			read[v[0].(float64)] = v[1].(string)
		}
	}
	if !maps.Equal(want, read) || len(want) < 3 {
		t.Errorf("range: got %v, want %v", read, want)
	}
	if got, want := run("series", "--match=cairn_service_owner_info", server), "auth"; !strings.Contains(got, want) || strings.Count(got, "cairn_service_owner_info") != 3 {
		t.Errorf("series: got %s", got)
	}
	if got := run("labels", server, "team"); got != "checkout\nmobile\nplatform\nproduct" {
		t.Errorf("labels: got %q", got)
	}
}

// A Prometheus that scrapes has nothing to complain about, and its numbers are ours.
func TestAPrometheusThatScrapesHasOurNumbers(t *testing.T) {
	if testing.Short() {
		t.Skip("takes half a minute")
	}
	program := tool(t, "prometheus")
	s, base := running(t)
	s.scraped(t)
	dir := t.TempDir()
	config := fmt.Sprintf("global: {scrape_interval: 2s}\nscrape_configs: [{job_name: cairn, static_configs: [{targets: [%q]}]}]\n", strings.TrimPrefix(base, "http://"))
	if err := os.WriteFile(filepath.Join(dir, "prometheus.yml"), []byte(config), 0o644); err != nil {
		t.Fatal(err)
	}
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := free.Addr().String()
	free.Close()
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	c := exec.CommandContext(ctx, program, "--config.file="+filepath.Join(dir, "prometheus.yml"), "--storage.tsdb.path="+filepath.Join(dir, "data"), "--web.listen-address="+address)
	c.Cancel = func() error { return c.Process.Signal(os.Interrupt) }
	var log bytes.Buffer
	c.Stderr = &log
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	ask := func(expr string) string {
		res, err := http.Get("http://" + address + "/api/v1/query?" + url.Values{"query": {expr}}.Encode())
		if err != nil {
			return ""
		}
		defer res.Body.Close()
		text, _ := io.ReadAll(res.Body)
		var a struct{ Data struct{ Result []sample } }
		if json.Unmarshal(text, &a) != nil {
			return ""
		}
		for i := range a.Data.Result {
			delete(a.Data.Result[i].Metric, "instance")
			delete(a.Data.Result[i].Metric, "job")
		}
		lines := strings.Split(written(a.Data.Result), "\n")
		slices.Sort(lines)
		return strings.Join(lines, "\n")
	}
	const expr = `{__name__=~"cairn_.*(_seconds|_ratio|_samples|deployments|_week)",service="",window!=""}`
	_, list := s.instant(t, expr, metricstest.SmallNow())
	lines := strings.Split(written(list), "\n")
	slices.Sort(lines)
	want := strings.Join(lines, "\n")
	got := ""
	deadline := time.Now().Add(60 * time.Second)
	for begin := time.Now(); time.Now().Before(deadline) && (got != want || time.Since(begin) < 20*time.Second); time.Sleep(time.Second) {
		got = ask(expr)
	}
	if got != want || len(lines) < 50 {
		t.Errorf("%d series; got\n%s\nwant\n%s", len(lines), got, want)
	}
	if up := ask(`min_over_time(up[1h])`); up != "{} 1" {
		t.Errorf("up: got %q, want 1 all the time", up)
	}
	stop()
	_ = c.Wait() // it was interrupted
	for line := range strings.Lines(log.String()) {
		if strings.Contains(line, "level=warn") && !strings.Contains(line, "exiting gracefully") || strings.Contains(line, "level=error") {
			t.Error(line)
		}
	}
}
