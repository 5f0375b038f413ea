package dashboards

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"log/slog"
	"math"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/google/go-cmp/cmp"
)

// unfed are pages without an engine: what needs no numbers works.
func unfed(t *testing.T) *Pages {
	t.Helper()
	p, err := New(DefaultConfig(), Deps{
		OpenAPI: []byte(`{}`), Docs: fstest.MapFS{"README.md": {Data: []byte("# Documentation\n\nAll of it.\n")}},
		Now: time.Now, Log: slog.New(slog.DiscardHandler), Version: "test",
	})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func fetch(h http.Handler, method, target string, header ...string) *httptest.ResponseRecorder {
	w, r := httptest.NewRecorder(), httptest.NewRequest(method, target, nil)
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	h.ServeHTTP(w, r)
	return w
}

// Each file is served under its name and version with its type, whole and packed, and a browser that has it is told so.
func TestAssetsAreServed(t *testing.T) {
	p := unfed(t)
	types := map[string]string{".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
	if len(p.assets) < 6 {
		t.Fatalf("got %d files, want at least six", len(p.assets))
	}
	for name, file := range p.assets {
		address, err := p.assets.address(name)
		if err != nil {
			t.Fatal(err)
		}
		w := fetch(p, "GET", address)
		if w.Code != 200 || !bytes.Equal(w.Body.Bytes(), file.content) || w.Header().Get("Content-Encoding") != "" {
			t.Errorf("%s: got %d and %d bytes, want the %d of the file", address, w.Code, w.Body.Len(), len(file.content))
		}
		ending := name[strings.LastIndex(name, "."):]
		if got, _, _ := strings.Cut(w.Header().Get("Content-Type"), ";"); got != types[ending] {
			t.Errorf("%s: got type %q, want %q", address, got, types[ending])
		}
		if got := w.Header().Get("X-Content-Type-Options"); got != "nosniff" {
			t.Errorf("%s: got X-Content-Type-Options %q, want nosniff", address, got)
		}

		packed := fetch(p, "GET", address, "Accept-Encoding", "br, gzip")
		r, err := gzip.NewReader(packed.Body)
		if err != nil {
			t.Fatalf("%s packed: %v", address, err)
		}
		if got, err := io.ReadAll(r); err != nil || !bytes.Equal(got, file.content) || packed.Header().Get("Content-Encoding") != "gzip" || packed.Header().Get("Vary") != "Accept-Encoding" {
			t.Errorf("%s packed: got %d bytes (%v), headers %v", address, len(got), err, packed.Header())
		}

		again := fetch(p, "GET", address, "If-None-Match", w.Header().Get("ETag"))
		if again.Code != http.StatusNotModified || again.Body.Len() != 0 {
			t.Errorf("%s again: got %d and %d bytes, want 304 and none", address, again.Code, again.Body.Len())
		}
		if w := fetch(p, "GET", address, "If-None-Match", `"another"`); w.Code != 200 {
			t.Errorf("%s of another version: got %d, want 200", address, w.Code)
		}
		if w := fetch(p, "HEAD", address); w.Code != 200 {
			t.Errorf("HEAD %s: got %d, want 200", address, w.Code)
		}
	}
}

// A browser keeps a file for good under the address that names its content, and asks again under every other.
func TestOnlyAVersionedAddressIsKept(t *testing.T) {
	p := unfed(t)
	version := p.assets["style.css"].version
	for query, want := range map[string]string{
		"?v=" + version: "public, max-age=31536000, immutable", "": "no-cache", "?v=": "no-cache", "?v=" + version[1:]: "no-cache", "?v=0": "no-cache",
	} {
		if got := fetch(p, "GET", "/assets/style.css"+query).Header().Get("Cache-Control"); got != want {
			t.Errorf("style.css%s: got %q, want %q", query, got, want)
		}
	}
}

func TestUnknownAssetsAreNotFound(t *testing.T) {
	p := unfed(t)
	for _, target := range []string{"/assets/none.css", "/assets/", "/assets/echarts/echarts.common.min.js", "/assets/..%2Fassets.go", "/assets/LICENSE"} {
		if w := fetch(p, "GET", target); w.Code != http.StatusNotFound {
			t.Errorf("%s: got %d, want 404", target, w.Code)
		}
	}
	if _, err := p.assets.address("none.css"); err == nil {
		t.Error("a template may name a file that does not exist")
	}
	if w := fetch(p, "GET", "/favicon.ico"); w.Code != 200 || !strings.HasPrefix(w.Header().Get("Content-Type"), "image/svg+xml") {
		t.Errorf("/favicon.ico: got %d %s", w.Code, w.Header().Get("Content-Type"))
	}
}

// The library that draws charts is the one that its README names.
func TestEChartsIsTheNamedFile(t *testing.T) {
	readme, err := os.ReadFile("assets/echarts/README.md")
	if err != nil {
		t.Fatal(err)
	}
	file, err := os.ReadFile("assets/echarts/echarts.common.min.js")
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(file)
	if want := "`" + hex.EncodeToString(sum[:]) + "`"; !bytes.Contains(readme, []byte(want)) {
		t.Errorf("README.md does not name the file's sha256 %s", want)
	}
	version := regexp.MustCompile(`version="(\d+\.\d+\.\d+)"`).FindSubmatch(file)
	if version == nil || !bytes.Contains(readme, append([]byte("Version "), version[1]...)) {
		t.Errorf("README.md does not name the file's version %q", version)
	}
}

// themes are the stylesheet's properties by theme and name; a property that no dark block sets is the light one's.
func themes(t *testing.T) map[string]map[string]string {
	t.Helper()
	text, err := os.ReadFile("assets/style.css")
	if err != nil {
		t.Fatal(err)
	}
	css := regexp.MustCompile(`(?s)/\*.*?\*/`).ReplaceAllString(string(text), "")
	all := map[string]map[string]string{}
	property := regexp.MustCompile(`(--[a-z0-9-]+):\s*([^;}]+)`)
	for name, selector := range map[string]string{"light": `:root {`, "dark, chosen": `:root[data-theme="dark"] {`, "dark, of the system": `:root:not([data-theme="light"]) {`} {
		_, rest, found := strings.Cut(css, selector)
		block, _, closed := strings.Cut(rest, "}")
		if !found || !closed {
			t.Fatalf("style.css has no %s", selector)
		}
		all[name] = map[string]string{}
		for _, m := range property.FindAllStringSubmatch(block, -1) {
			all[name][m[1]] = strings.TrimSpace(m[2])
		}
	}
	return all
}

// The dark theme is the same whether the system or the reader chose it, and has every colour that the light one has.
func TestThemesAreWhole(t *testing.T) {
	all := themes(t)
	if diff := cmp.Diff(all["dark, chosen"], all["dark, of the system"]); diff != "" {
		t.Errorf("dark themes differ (-chosen +of the system):\n%s", diff)
	}
	for name := range all["light"] {
		if all["dark, chosen"][name] == "" {
			t.Errorf("the dark theme has no %s", name)
		}
	}
}

// Words can be read on every ground that they stand on: contrast as WCAG 2 computes it.
func TestContrast(t *testing.T) {
	for theme, colours := range themes(t) {
		for _, ground := range []string{"--ground", "--raised", "--sunken", "--accent-soft"} {
			for _, ink := range []string{"--ink", "--ink-soft", "--accent", "--better", "--worse"} {
				a, b := luminance(t, colours[ink]), luminance(t, colours[ground])
				if got := (max(a, b) + 0.05) / (min(a, b) + 0.05); got < 4.5 {
					t.Errorf("%s: %s on %s has a contrast of %.2f, want 4.5", theme, ink, ground, got)
				}
			}
		}
	}
}

func luminance(t *testing.T, colour string) float64 {
	t.Helper()
	rgb, err := strconv.ParseUint(strings.TrimPrefix(colour, "#"), 16, 32)
	if err != nil || len(colour) != 7 {
		t.Fatalf("got colour %q, want #rrggbb", colour)
	}
	sum := 0.0
	for i, weight := range []float64{0.0722, 0.7152, 0.2126} {
		c := float64(rgb>>(8*i)&255) / 255
		if c <= 0.04045 {
			sum += weight * c / 12.92
			continue
		}
		sum += weight * math.Pow((c+0.055)/1.055, 2.4)
	}
	return sum
}

// What is hidden from the eye alone is there for who listens.
func TestHiddenWordsAreReadOut(t *testing.T) {
	_, rule, _ := strings.Cut(stylesheet(t), "\n.hidden {")
	if rule, _, _ = strings.Cut(rule, "}"); rule == "" || strings.Contains(rule, "display") || strings.Contains(rule, "visibility") {
		t.Errorf("got the rule %q", rule)
	}
}

// One stylesheet, small enough to be read.
func TestTheStylesheetIsSmall(t *testing.T) {
	css := unfed(t).assets["style.css"]
	if len(css.content) >= 30_000 {
		t.Errorf("style.css has %d bytes, want less than 30000", len(css.content))
	}
	known := themes(t)["light"]
	for _, m := range regexp.MustCompile(`var\((--[a-z0-9-]+)\)`).FindAllSubmatch(css.content, -1) {
		if known[string(m[1])] == "" {
			t.Errorf("style.css uses %s, which it does not define", m[1])
		}
	}
}
