package main

import (
	"context"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// A picture of each page that the browser was shown goes into the folder that the variable names. What the documentation
// shows is made that way, too: make pictures.
const pictures = "CAIRN_TEST_PICTURES"

// browser starts a browser for a test. Without one on the machine the test is skipped; where CI is set it fails.
func browser(t *testing.T) context.Context {
	t.Helper()
	path := ""
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if found, err := exec.LookPath(name); err == nil {
			path = found
			break
		}
	}
	if path == "" {
		if os.Getenv("CI") != "" {
			t.Fatal("no browser is installed")
		}
		t.Skip("no browser is installed")
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(path), chromedp.NoSandbox, chromedp.DisableGPU, chromedp.UserDataDir(t.TempDir()),
		chromedp.Flag("disable-background-networking", true), chromedp.Flag("disable-component-update", true), chromedp.Flag("disable-sync", true), chromedp.Flag("no-first-run", true),
		chromedp.WSURLReadTimeout(2*time.Minute),
	)
	ctx, cancel := chromedp.NewExecAllocator(t.Context(), options...)
	t.Cleanup(cancel)
	ctx, cancel = chromedp.NewContext(ctx)
	t.Cleanup(cancel)
	if err := chromedp.Do(ctx); err != nil {
		t.Fatal(err)
	}
	return ctx
}

// prefer has the browser prefer a theme, light or dark.
func prefer(theme string) chromedp.Action[chromedp.Void] {
	return call(emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: theme}}})
}

// call is a command of the protocol as an action.
func call[P any](c cdp.Command[P, cdp.Empty], params P) chromedp.Action[chromedp.Void] {
	return func(ctx context.Context, t *chromedp.Target) (chromedp.Void, error) {
		_, err := cdp.Call(ctx, t, c, params)
		return chromedp.Void{}, err
	}
}

// press presses a key as a keyboard does: what it would type is not typed where the page says so.
func press(key string) chromedp.Action[chromedp.Void] {
	return call(input.DispatchKeyEvent, input.DispatchKeyEventParams{Type: input.DispatchKeyEventTypeKeyDown, Key: key, Text: key})
}

// until waits for an expression to hold.
func until(expression string) chromedp.Action[chromedp.Void] {
	return func(ctx context.Context, t *chromedp.Target) (chromedp.Void, error) {
		_, err := chromedp.Poll[bool](expression)(ctx, t)
		return chromedp.Void{}, err
	}
}

// arrive waits for the address to begin with a prefix and reads it.
func arrive(prefix string) chromedp.Action[string] {
	return func(ctx context.Context, t *chromedp.Target) (string, error) {
		for {
			at, err := chromedp.Location()(ctx, t)
			if err == nil && strings.HasPrefix(at, prefix) {
				return at, nil
			}
			select {
			case <-ctx.Done():
				return "", fmt.Errorf("still at %s: %w", at, ctx.Err())
			case <-time.After(50 * time.Millisecond):
			}
		}
	}
}

// read keeps what an action answers.
func read[T any](to *T, a chromedp.Action[T]) chromedp.Action[chromedp.Void] {
	return func(ctx context.Context, t *chromedp.Target) (chromedp.Void, error) {
		v, err := a(ctx, t)
		*to = v
		return chromedp.Void{}, err
	}
}

// watched is what a browser complained of.
type watched struct {
	mu    sync.Mutex
	wrong []string
}

// watch listens for errors on the console, uncaught ones, and requests to other hosts than the one of base.
func watch(t *testing.T, ctx context.Context, base string) *watched {
	t.Helper()
	w := &watched{}
	host, _ := url.Parse(base)
	say := func(format string, args ...any) {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.wrong = append(w.wrong, fmt.Sprintf(format, args...))
	}
	err := chromedp.Listen(ctx, func(e any) {
		switch e := e.(type) {
		case *runtime.EventExceptionThrown:
			say("uncaught: %s", e.ExceptionDetails.Text)
		case *runtime.EventConsoleAPICalled:
			if e.Type == runtime.ConsoleAPICalledTypeError || e.Type == runtime.ConsoleAPICalledTypeWarning {
				var said []string
				for _, a := range e.Args {
					said = append(said, string(a.Value))
				}
				say("console: %s", strings.Join(said, " "))
			}
		case *log.EventEntryAdded:
			if e.Entry.Level == log.EntryLevelError || e.Entry.Level == log.EntryLevelWarning {
				say("log: %s %s", e.Entry.Text, e.Entry.URL)
			}
		case *network.EventRequestWillBeSent:
			if u, err := url.Parse(e.Request.URL); err == nil && u.Host != host.Host && u.Scheme != "data" && u.Scheme != "blob" {
				say("asks another host: %s", e.Request.URL)
			}
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	return w
}

func (w *watched) take() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	wrong := w.wrong
	w.wrong = nil
	return wrong
}

// look is what a test reads of a page that the browser shows.
type look struct {
	Charts, Drawn, Empty int
	Wider                int    // how far the page is wider than the window
	Widest               string // the element that makes it so
	Title                string
	Small                []string // links and buttons that have no name
}

const looking = `(() => {
	const charts = [...document.querySelectorAll(".chart")];
	const wider = document.documentElement.scrollWidth - innerWidth;
	let widest = "";
	if (wider > 0) for (const e of document.querySelectorAll("main *")) if (e.getBoundingClientRect().right > innerWidth + 1 && !e.closest(".scroll")) { widest = e.outerHTML.slice(0, 120); break; }
	return {
		Charts: charts.length,
		Drawn: charts.filter((c) => c.dataset.drawn && c.querySelectorAll("svg path").length > 2).length,
		Empty: document.querySelectorAll(".chart-none").length,
		Wider: wider, Widest: widest, Title: document.title,
		Small: [...document.querySelectorAll("a, button")].filter((e) => e.offsetParent && !(e.textContent.trim() || e.getAttribute("aria-label"))).map((e) => e.outerHTML.slice(0, 120)),
	};
})()`

// Every page works at the width of a telephone and of a large screen, in the dark and in the light: without a
// complaint of the browser, a request to another host, or anything wider than the window, and with its charts drawn.
func TestPagesInABrowser(t *testing.T) {
	w := visit(t)
	ctx := browser(t)
	complaints := watch(t, ctx, w.base)
	for _, c := range []struct {
		page   string
		charts int
	}{
		{"/", 0}, {"/?last=4w", 0}, {"/teams", 0}, {"/teams/payments", 1}, {"/teams/commerce?last=12m", 1}, {"/services", 0}, {"/services/payments-api", 1},
		{"/metrics/lead_time", 4}, {"/metrics/lead_time?team=payments&last=12m", 3}, {"/metrics/deployment_count?last=4w", 3}, {"/metrics/change_failure_rate", 3}, {"/metrics/adoption_rate?last=26w", 3},
		{"/metrics/csat?last=12m", 0}, {"/sources", 0}, {"/sources/unmatched", 0}, {"/sources/github", 0}, {"/sources/github?subject=linden/ledger", 0}, {"/sources/gitlab", 0}, {"/doctor", 0}, {"/docs", 0}, {"/docs/metrics/lead_time", 0}, {"/docs/api", 0}, {"/nowhere", 0},
	} {
		for _, width := range []int64{360, 1600} {
			theme := "light"
			if (len(c.page)+int(width))%3 == 0 {
				theme = "dark"
			}
			t.Run(fmt.Sprintf("%s %d %s", c.page, width, theme), func(t *testing.T) {
				var l look
				var picture []byte
				steps := []chromedp.Action[chromedp.Void]{
					chromedp.EmulateViewport(width, 900), prefer(theme), chromedp.Navigate(w.base + c.page), chromedp.WaitReady("footer"),
					read(&l, chromedp.Evaluate[look](looking)),
				}
				if os.Getenv(pictures) != "" {
					steps = append(steps, read(&picture, chromedp.FullScreenshot(100)))
				}
				limited, cancel := context.WithTimeout(ctx, time.Minute)
				defer cancel()
				if err := chromedp.Do(limited, steps...); err != nil {
					t.Fatal(err)
				}
				save(t, fmt.Sprintf("%s-%d-%s.png", fileName(c.page), width, theme), picture)
				for _, wrong := range complaints.take() {
					if !(c.page == "/nowhere" && strings.Contains(wrong, "404")) {
						t.Error(wrong)
					}
				}
				if l.Charts < c.charts || l.Drawn != l.Charts {
					t.Errorf("%d of %d charts drawn, %d without data; want %d", l.Drawn, l.Charts, l.Empty, c.charts)
				}
				if l.Wider > 0 {
					t.Errorf("the page is %d px wider than the window: %s", l.Wider, l.Widest)
				}
				if len(l.Small) > 0 {
					t.Errorf("without a name: %s", l.Small)
				}
				if !strings.HasSuffix(l.Title, "· cairn") {
					t.Errorf("title %q", l.Title)
				}
			})
		}
	}
}

// The pictures of the documentation show the demonstration organisation as it is.
func TestPicturesOfTheDocumentation(t *testing.T) {
	if os.Getenv(pictures) == "" {
		t.Skip("only where " + pictures + " names a folder")
	}
	w := visit(t)
	ctx := browser(t)
	for name, address := range map[string]string{"organisation": "/"} {
		var picture []byte
		limited, cancel := context.WithTimeout(ctx, time.Minute)
		err := chromedp.Do(limited, chromedp.EmulateViewport(1280, 860), prefer("light"), chromedp.Navigate(w.base+address), chromedp.WaitReady("footer"), read(&picture, chromedp.CaptureScreenshot()))
		cancel()
		if err != nil {
			t.Fatal(err)
		}
		save(t, name+".png", picture)
	}
}

func fileName(page string) string {
	name := strings.Trim(strings.NewReplacer("/", "-", "?", "-", "&", "-", "=", "-").Replace(page), "-")
	if name == "" {
		return "organisation"
	}
	return name
}

func save(t *testing.T, name string, picture []byte) {
	dir := os.Getenv(pictures)
	if dir == "" || len(picture) == 0 {
		return
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, name), picture, 0o644); err != nil {
		t.Fatal(err)
	}
}

// The catalogue is searched and opened by the keyboard alone, without a page being loaded until one is opened.
func TestTheCatalogueByKeyboard(t *testing.T) {
	w := visit(t)
	ctx := browser(t)
	complaints := watch(t, ctx, w.base)
	var loads atomic.Int64
	if err := chromedp.Listen(ctx, func(e any) {
		if _, ok := e.(*page.EventLoadEventFired); ok {
			loads.Add(1)
		}
	}); err != nil {
		t.Fatal(err)
	}
	var all, some int
	var opened string
	rows := `document.querySelectorAll("[data-row]").length`
	limited, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	if err := chromedp.Do(limited,
		chromedp.EmulateViewport(1200, 900), chromedp.Navigate(w.base+"/services"), chromedp.WaitReady("[data-row]"), read(&all, chromedp.Evaluate[int](rows)),
		press("/"), chromedp.KeyEvent("ledger"),
		until(`location.search.includes("q=ledger") && document.querySelectorAll("[data-row]").length < 20`),
		read(&some, chromedp.Evaluate[int](rows)),
	); err != nil {
		t.Fatal(err)
	}
	if loads := loads.Load(); loads != 1 {
		t.Errorf("%d pages were loaded by searching, want the first alone", loads)
	}
	if all < 50 || some == 0 || some >= all {
		t.Errorf("got %d of %d services", some, all)
	}
	if err := chromedp.Do(limited,
		chromedp.KeyEvent(kb.ArrowDown), chromedp.WaitReady(`[aria-selected="true"]`), chromedp.KeyEvent(kb.Enter),
		read(&opened, arrive(w.base+"/services/")),
	); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(opened, "ledger") {
		t.Errorf("opened %s", opened)
	}
	if wrong := complaints.take(); len(wrong) > 0 {
		t.Error(wrong)
	}
}

// A chosen theme stays, and the charts follow it.
func TestTheThemeIsKept(t *testing.T) {
	w := visit(t)
	ctx := browser(t)
	ground := `getComputedStyle(document.body).backgroundColor`
	line := `document.querySelector(".chart svg path[stroke]:not([stroke=none])")?.getAttribute("stroke") + document.querySelector(".chart svg text").getAttribute("fill")`
	var before, after, again, drawn, redrawn string
	limited, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	if err := chromedp.Do(limited,
		prefer("light"),
		chromedp.Navigate(w.base+"/metrics/lead_time"), chromedp.WaitReady(".chart svg text"), read(&before, chromedp.Evaluate[string](ground)), read(&drawn, chromedp.Evaluate[string](line)),
		chromedp.Click("[data-theme-switch]"), read(&after, chromedp.Evaluate[string](ground)), read(&redrawn, chromedp.Evaluate[string](line)),
		chromedp.Reload(), chromedp.WaitReady(".chart svg text"), read(&again, chromedp.Evaluate[string](ground)),
	); err != nil {
		t.Fatal(err)
	}
	if before == after || again != after {
		t.Errorf("the ground is %s, then %s, and %s when loaded again", before, after, again)
	}
	if drawn == redrawn {
		t.Errorf("the charts stay %s", drawn)
	}
}

// The pages can be read and the catalogue searched without scripts.
func TestPagesWithoutScripts(t *testing.T) {
	w := visit(t)
	ctx := browser(t)
	var rows []*chromedp.Node
	var text string
	limited, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	if err := chromedp.Do(limited,
		call(emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: true}), chromedp.Navigate(w.base+"/services?q=ledger"), chromedp.WaitReady("footer"),
		read(&text, chromedp.Text("#results")), read(&rows, chromedp.Nodes("[data-row]")),
	); err != nil {
		t.Fatal(err)
	}
	if len(rows) == 0 || !strings.Contains(strings.ToLower(text), "ledger") {
		t.Errorf("got %d rows: %s", len(rows), text)
	}
}
