package ingest

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"cairn/internal/event"
	"cairn/internal/signature"
	"cairn/internal/source"
	"cairn/internal/store/storetest"
)

const (
	hookClients = 64
	hookSecret  = "It's a Secret to Everybody"
)

// runForge is a receiver that reads pipeline runs, as those of forges do.
type runForge struct{ *signature.Scheme }

func (runForge) Describe(h http.Header, _ []byte) source.Delivery {
	kept := http.Header{}
	for _, name := range []string{"Content-Type", "User-Agent", "X-Github-Event"} {
		kept.Set(name, h.Get(name))
	}
	return source.Delivery{ID: h.Get("X-Github-Delivery"), Event: h.Get("X-Github-Event"), Header: kept}
}

func (runForge) Hear(d source.Delivery) (source.Heard, error) {
	var body struct {
		Run struct {
			ID         int64     `json:"id"`
			Attempt    int64     `json:"run_attempt"`
			Name       string    `json:"name"`
			SHA        string    `json:"head_sha"`
			Branch     string    `json:"head_branch"`
			Created    time.Time `json:"created_at"`
			Started    time.Time `json:"run_started_at"`
			Updated    time.Time `json:"updated_at"`
			Conclusion string    `json:"conclusion"`
		} `json:"workflow_run"`
		Repository struct {
			FullName string `json:"full_name"`
		} `json:"repository"`
	}
	if err := json.Unmarshal(d.Body, &body); err != nil {
		return source.Heard{}, err
	}
	status := "succeeded"
	if body.Run.Conclusion != "success" {
		status = "failed"
	}
	return source.Heard{Facts: []event.Event{&event.PipelineRun{
		Telling:    event.Telling{Source: d.Source, UpdatedAt: body.Run.Updated},
		Repository: body.Repository.FullName, ID: fmt.Sprint(body.Run.ID), Attempt: body.Run.Attempt, Name: body.Run.Name,
		SHA: body.Run.SHA, Ref: "refs/heads/" + body.Run.Branch, Status: status,
		QueuedAt: body.Run.Created, StartedAt: body.Run.Started, FinishedAt: body.Run.Updated,
	}}}, nil
}

// hookBody is a webhook of about 8 to 20 kB, most of it links, as those of forges are.
func hookBody(n int) []byte {
	repository := fmt.Sprintf("acme/shop%d", n%200)
	links := func(of string, count int) map[string]any {
		all := map[string]any{"id": n * 7919, "node_id": fmt.Sprintf("MDEwOlJlcG9zaXRvcnk%x", sha256.Sum256(fmt.Append(nil, of, n)))}
		for i := range count {
			all[fmt.Sprintf("%s_%d_url", of, i)] = fmt.Sprintf("https://api.forge.example/repos/%s/%s/%d{/number}", repository, of, i)
		}
		return all
	}
	full := links("repository", 45)
	full["full_name"] = repository
	run := links("runs", 12)
	at := time.Date(2026, 3, 1, 0, 0, n%86400, 0, time.UTC)
	sum := sha256.Sum256(fmt.Append(nil, n))
	for name, value := range map[string]any{
		"id": n, "run_attempt": 1, "name": "deploy", "head_sha": hex.EncodeToString(sum[:20]), "head_branch": "main", "status": "completed",
		"conclusion": "success", "created_at": at, "run_started_at": at.Add(time.Second), "updated_at": at.Add(10 * time.Minute),
		"head_commit": map[string]any{"message": fmt.Sprintf("cart: keep the basket when the session ends (#%d)", n), "author": map[string]any{"email": "ada@example.org"}},
		"repository":  links("repository", 40), "head_repository": links("head", 40*(n%3)), "actor": links("users", 12),
	} {
		run[name] = value
	}
	body, err := json.Marshal(map[string]any{"action": "completed", "workflow_run": run, "repository": full, "sender": links("users", 12), "organization": links("orgs", 8)})
	if err != nil {
		panic(err)
	}
	return body
}

// BenchmarkHooks measures webhooks by 64 clients over the loopback, each signed and waiting for its answer, which comes when
// the webhook is synced in the journal, until the last one and its fact are stored durably: hooks/s, and the ratio to inserting the same rows straight into the engine,
// by columns, in batches of a thousand.
func BenchmarkHooks(b *testing.B) {
	st := storetest.New(b)
	i, err := New(DefaultConfig(), st)
	if err != nil {
		b.Fatal(err)
	}
	scheme, err := signature.GitHub(hookSecret)
	if err != nil {
		b.Fatal(err)
	}
	h, err := NewHooks(DefaultHooksConfig(), b.TempDir(), i, st, map[string]Receiver{"forge": runForge{scheme}}, time.Now)
	if err != nil {
		b.Fatal(err)
	}
	const different = 2000
	bodies, signatures := make([][]byte, different), make([]string, different)
	total := 0
	for n := range bodies {
		bodies[n] = hookBody(n)
		total += len(bodies[n])
		mac := hmac.New(sha256.New, []byte(hookSecret))
		mac.Write(bodies[n])
		signatures[n] = "sha256=" + hex.EncodeToString(mac.Sum(nil))
	}
	server := httptest.NewServer(h)
	defer server.Close()
	clients := http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: hookClients}}
	defer clients.CloseIdleConnections()
	ctx, stop := context.WithCancel(b.Context())
	var counting sync.WaitGroup
	counting.Go(func() {
		if err := h.Run(ctx); err != nil {
			b.Error(err)
		}
	})

	b.SetBytes(int64(total / different))
	b.ResetTimer()
	used, begin := cpuTime(b), time.Now()
	var next atomic.Int64
	var all sync.WaitGroup
	for range hookClients {
		all.Go(func() {
			for n := int(next.Add(1)) - 1; n < b.N; n = int(next.Add(1)) - 1 {
				req, err := http.NewRequest(http.MethodPost, server.URL+HooksPath+"forge", bytes.NewReader(bodies[n%different]))
				if err != nil {
					b.Error(err)
					return
				}
				req.Header = http.Header{
					"X-Hub-Signature-256": {signatures[n%different]}, "X-Github-Delivery": {fmt.Sprintf("72d3162e-cc78-11e3-81ab-%012d", n)},
					"X-Github-Event": {"workflow_run"}, "Content-Type": {"application/json"}, "User-Agent": {"GitHub-Hookshot/044aadd"},
				}
				resp, err := clients.Do(req)
				if err != nil {
					b.Error(err)
					return
				}
				text, _ := io.ReadAll(resp.Body)
				_ = resp.Body.Close()
				if resp.StatusCode != http.StatusOK {
					b.Errorf("%s: %s", resp.Status, text)
				}
			}
		})
	}
	all.Wait()
	answered := time.Since(begin)
	if err := h.Flush(b.Context()); err != nil {
		b.Error(err)
	}
	took := time.Since(begin)
	used = cpuTime(b) - used
	b.StopTimer()
	stop()
	counting.Wait()
	h.Close()
	var kept uint64
	if err := st.QueryRow(context.Background(), "SELECT count() FROM payloads", nil).Scan(&kept); err != nil || kept != uint64(b.N) {
		b.Errorf("%d payloads of %d are kept: %v", kept, b.N, err)
	}
	straight := straightHooks(b, h, bodies)
	b.ReportMetric(float64(b.N)/took.Seconds(), "hooks/s")
	b.ReportMetric(float64(b.N)/answered.Seconds(), "answered/s")
	b.ReportMetric(float64(used.Microseconds())/float64(b.N), "cpu-µs/hook")
	b.ReportMetric(float64(b.N)/straight.Seconds(), "straight-hooks/s")
	b.ReportMetric(straight.Seconds()/took.Seconds(), "ratio")
}

// straightHooks inserts b.N payloads and facts that are ready, a thousand at a time, and returns how long that took.
func straightHooks(b *testing.B, h *Hooks, bodies [][]byte) time.Duration {
	const together = 1000
	runs, payloads := make([]event.PipelineRun, together), make([]payload, together)
	now := time.Now()
	for n := range together {
		d := source.Delivery{Source: "forge", ID: fmt.Sprint(n), Event: "workflow_run", ReceivedAt: now, Body: bodies[n]}
		heard, err := runForge{}.Hear(d)
		if err != nil {
			b.Fatal(err)
		}
		runs[n] = *heard.Facts[0].(*event.PipelineRun)
		payloads[n] = payload{source: d.Source, receivedAt: now, delivery: d.ID, event: d.Event, headers: map[string]string{"Content-Type": "application/json"},
			body: string(d.Body), outcome: OutcomeTold, facts: 1, expiresAt: now.Add(time.Hour)}
	}
	facts, keeping := pipelineRunTable(), payloadTable()
	begin := time.Now()
	for left := b.N; left > 0; left -= together {
		n := min(left, together)
		r := newRows(runs[:n])
		if err := facts.insert(context.Background(), h.store, []rows[event.PipelineRun]{r}, n); err != nil {
			b.Fatal(err)
		}
		if err := keeping.insert(context.Background(), h.store, []rows[payload]{{events: payloads[:n]}}, n); err != nil {
			b.Fatal(err)
		}
	}
	return time.Since(begin)
}
