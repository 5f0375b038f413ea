package ingest_test

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"cairn/ingest"
	"cairn/internal/signature"
	"cairn/internal/store"
	"cairn/internal/store/storetest"
)

// openHooks opens the receiving end over a data folder.
func openHooks(folder string) (*ingest.Hooks, *store.Store, error) {
	st, err := store.New(store.Config{Data: folder})
	if err != nil {
		return nil, nil, err
	}
	in, err := ingest.New(ingest.DefaultConfig(), st)
	if err != nil {
		return nil, nil, err
	}
	scheme, err := signature.GitHub(hookSecret)
	if err != nil {
		return nil, nil, err
	}
	h, err := ingest.NewHooks(ingest.DefaultHooksConfig(), filepath.Join(folder, "journal"), in, st, map[string]ingest.Receiver{"forge": &forge{Scheme: scheme}}, time.Now)
	if err != nil {
		return nil, nil, err
	}
	h.Failed = func(_ *http.Request, err error) { fmt.Fprintln(os.Stderr, err) }
	return h, st, st.Open(context.Background())
}

func hearUntilKilled(folder string) error {
	h, _, err := openHooks(folder)
	if err != nil {
		return err
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	go func() { _ = h.Run(context.Background()) }()
	fmt.Println(l.Addr())
	return http.Serve(l, h)
}

// tellWhatIsKnown says which webhooks are kept and which people are known, when what was left is carried.
func tellWhatIsKnown(folder string) error {
	h, st, err := openHooks(folder)
	if err != nil {
		return err
	}
	if err := h.Flush(context.Background()); err != nil {
		return err
	}
	var kept, known string
	if err := st.QueryRow(context.Background(), "SELECT arrayStringConcat(groupArray(delivery), ' ') FROM payloads FINAL WHERE outcome = 'told'", nil).Scan(&kept); err != nil {
		return err
	}
	if err := st.QueryRow(context.Background(), "SELECT arrayStringConcat(groupArray(id), ' ') FROM people FINAL", nil).Scan(&known); err != nil {
		return err
	}
	fmt.Println(kept)
	fmt.Println(known)
	h.Close()
	return st.Close()
}

func childOf(ctx context.Context, name, folder string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, os.Args[0], folder)
	cmd.Env = append(os.Environ(), childVariable+"="+name)
	cmd.Stderr = os.Stderr
	return cmd
}

// Killed with thousands of webhooks answered and dozens in flight, twice: each that was answered by 2xx is kept, and what it tells is known.
func TestWhatIsAnsweredSurvivesAKill(t *testing.T) {
	if testing.Short() {
		t.Skip("starts other processes")
	}
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	folder := t.TempDir()
	answered := map[string]bool{}
	for round := range 2 {
		server := childOf(ctx, "hear", folder)
		out, err := server.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := server.Start(); err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewScanner(out)
		if !lines.Scan() || strings.HasPrefix(lines.Text(), "error") {
			t.Fatalf("the server says %q", lines.Text())
		}
		url := "http://" + lines.Text() + ingest.HooksPath + "forge"
		var mu sync.Mutex
		var clients sync.WaitGroup
		client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 32}}
		for c := range 32 {
			clients.Go(func() {
				for i := 0; ; i++ {
					id := fmt.Sprintf("r%dc%dn%d", round, c, i)
					body := fmt.Appendf(nil, `{"people":[%q],"ignored":%q}`, id, strings.Repeat("x", 3000))
					req, err := http.NewRequest(http.MethodPost, url, bytes.NewReader(body))
					if err != nil {
						t.Error(err)
						return
					}
					req.Header = http.Header{"X-Delivery": {id}, "X-Event": {"said"}, "X-Hub-Signature-256": {sign(body)}}
					resp, err := client.Do(req)
					if err != nil {
						return // killed
					}
					_ = resp.Body.Close()
					mu.Lock()
					if resp.StatusCode == http.StatusOK {
						answered[id] = true
					}
					if len(answered) == 1500*(round+1) {
						_ = server.Process.Kill()
					}
					mu.Unlock()
				}
			})
		}
		clients.Wait()
		client.CloseIdleConnections()
		_ = server.Wait()
	}
	out, err := childOf(ctx, "know", folder).Output()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	texts := strings.Split(strings.TrimSpace(string(out)), "\n")
	if len(texts) != 2 {
		t.Fatalf("got %.500s", out)
	}
	for i, what := range []string{"kept", "known"} {
		there := map[string]bool{}
		for _, id := range strings.Fields(texts[i]) {
			there[id] = true
		}
		lost := 0
		for id := range answered {
			if !there[id] {
				lost++
			}
		}
		if lost > 0 {
			t.Errorf("%d of %d that were answered are not %s", lost, len(answered), what)
		}
	}
}

// A webhook that the store refuses for good is put aside, and those around it go on their way.
func TestAPoisonousWebhookDoesNotBlockTheOthers(t *testing.T) {
	h := newHooks(t, storetest.New(t), ingest.DefaultHooksConfig())
	if err := h.st.Exec(t.Context(), "ALTER TABLE payloads ADD CONSTRAINT wholesome CHECK delivery != '7'", nil); err != nil {
		t.Fatal(err)
	}
	for i := range 20 {
		h.tell(t, fmt.Sprint(i), told{People: []string{fmt.Sprint(i)}})
	}
	kept := h.kept(t)
	if _, is := kept["7"]; is || len(kept) != 19 || len(h.failed) != 1 || !strings.Contains(h.failed[0], "put aside") {
		t.Errorf("%d are kept, told %q", len(kept), h.failed)
	}
	aside, err := os.ReadFile(filepath.Join(h.folder, "refused"))
	if err != nil || !bytes.Contains(aside, []byte(`{"people":["7"]}`)) {
		t.Errorf("aside is %q, %v", aside, err)
	}
}
