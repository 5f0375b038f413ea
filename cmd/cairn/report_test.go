package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/emersion/go-smtp"
)

// inbox is a mail server that counts what it takes.
type inbox struct {
	mu    sync.Mutex
	n     int
	taken func() // called with each mail, before the answer
}

func (b *inbox) count() int { b.mu.Lock(); defer b.mu.Unlock(); return b.n }

type delivery struct{ box *inbox }

func (delivery) Mail(string, *smtp.MailOptions) error { return nil }
func (delivery) Rcpt(string, *smtp.RcptOptions) error { return nil }
func (delivery) Reset()                               {}
func (delivery) Logout() error                        { return nil }

func (d delivery) Data(r io.Reader) error {
	if _, err := io.Copy(io.Discard, r); err != nil {
		return err
	}
	d.box.mu.Lock()
	d.box.n++
	taken := d.box.taken
	d.box.mu.Unlock()
	if taken != nil {
		taken()
	}
	return nil
}

// A cairn that is killed when the server has a mail, before that is recorded, does not send it again when it is back.
func TestAMailIsNotSentTwiceAfterAKill(t *testing.T) {
	dir := folder(t)
	box := &inbox{}
	server := smtp.NewServer(smtp.BackendFunc(func(*smtp.Conn) (smtp.Session, error) { return delivery{box}, nil }))
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go server.Serve(l)
	defer server.Close()
	day := strings.ToLower(time.Now().UTC().Weekday().String())
	write(t, dir, "cairn.yaml", fmt.Sprintf(`listen: 127.0.0.1:0
reports:
  base_url: https://cairn.example.com
  from: cairn@example.com
  weekday: %s
  hour: 0
  smtp: {host: 127.0.0.1, port: %d, tls: none}
  recipients: {organisation: [ada@example.com]}
`, day, l.Addr().(*net.TCPAddr).Port))

	var c *exec.Cmd
	died := make(chan struct{})
	box.taken = sync.OnceFunc(func() {
		_ = c.Process.Kill()
		_, _ = c.Process.Wait()
		close(died)
	})
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	c = command(ctx, dir, "serve")
	c.Stderr = t.Output()
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	select {
	case <-died:
	case <-ctx.Done():
		t.Fatal("no mail came")
	}
	if n := box.count(); n != 1 {
		t.Fatalf("%d mails, want 1", n)
	}
	again, end := context.WithCancel(ctx)
	defer end()
	c2 := command(again, dir, "serve")
	var out strings.Builder
	c2.Stdout, c2.Stderr = &out, &out
	c2.Cancel = func() error { return c2.Process.Signal(os.Interrupt) }
	if err := c2.Start(); err != nil {
		t.Fatal(err)
	}
	time.Sleep(15 * time.Second) // it looks for what is due as soon as it serves
	end()
	if err := c2.Wait(); err != nil {
		t.Log(err)
	}
	if !strings.Contains(out.String(), "cairn serves") {
		t.Errorf("the second did not serve:\n%s", out.String())
	}
	if n := box.count(); n != 1 {
		t.Errorf("after the second start: %d mails, want 1\n%s", n, out.String())
	}
}

// The report command writes each form.
func TestReportIsWritten(t *testing.T) {
	dir := folder(t)
	write(t, dir, "events.ndjson", shop())
	must(t, dir, "ingest", "events.ndjson")
	for form, want := range map[string]string{"txt": "The numbers", "md": "**The numbers**", "html": "<!doctype html>"} {
		if text := must(t, dir, "report", "--week", "2026-W02", "--format", form); !strings.Contains(text, want) {
			t.Errorf("%s: no %q in\n%s", form, want, text)
		}
	}
	for _, args := range [][]string{{"--week", "2026-W60"}, {"--format", "pdf"}, {"--to", "a@example.com"}, {"--week", "2026-W02", "--send"}} {
		if a := cairn(t, dir, append([]string{"report"}, args...)...); a.code != 2 {
			t.Errorf("%v: got code %d and %s", args, a.code, a.stderr)
		}
	}
}
