package metrics_test

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"cairn/ingest"
	"cairn/internal/event"
	"cairn/internal/store"
	"cairn/internal/store/storetest"
	"cairn/metrics"
)

// TestStories has every story answered twice: from a store into which its facts came two times, so that a missing
// deduplication shows, and, but for -short, from one into which they came in reverse order, with attribution at work in
// between. Answers are worked out by hand; nothing here writes them.
func TestStories(t *testing.T) {
	known := knownMetrics(t)
	for _, path := range storyFiles(t) {
		name := strings.TrimSuffix(filepath.Base(path), ".txt")
		t.Run(name, func(t *testing.T) {
			s := readStory(t, path, known)
			twice := &teller{t: t, st: storetest.New(t)}
			twice.write(s.facts)
			twice.write(s.facts)
			var backwards *teller
			if !testing.Short() {
				backwards = &teller{t: t, st: storetest.New(t)}
				backwards.tell(s)
			}
			for _, a := range s.asks {
				first := twice.answer(a)
				want, got := compare(a, first)
				if diff := cmp.Diff(want, got); diff != "" {
					t.Errorf("%s:%d: %s\n(-want +got):\n%s", path, a.line, a.heading, diff)
				}
				if backwards == nil {
					continue
				}
				if diff := cmp.Diff(first, backwards.answer(a)); diff != "" {
					t.Errorf("%s:%d: %s\nanother order of facts has another answer (-told twice +told backwards):\n%s", path, a.line, a.heading, diff)
				}
			}
		})
	}
}

// Each query in this folder has a story of its name, each metric is asked for by some story, and each story is named
// after a query or metric that it asks for.
func TestEveryQueryAndMetricHasAStory(t *testing.T) {
	known := knownMetrics(t)
	queries, err := filepath.Glob("*.sql")
	if err != nil || len(queries) == 0 {
		t.Fatal(queries, err)
	}
	subjects := map[string]string{} // to the query, or "" for metrics without one
	for name := range known {
		subjects[name] = ""
	}
	for _, q := range queries {
		name, _, _ := strings.Cut(q, ".")
		subjects[name] = q
	}
	named, asked := map[string]bool{}, map[string]bool{}
	for _, path := range storyFiles(t) {
		base := strings.TrimSuffix(filepath.Base(path), ".txt")
		subject := "" // the longest that the file's name begins with: deployment_count_all_x is no story of deployment_count
		for name := range subjects {
			if strings.HasPrefix(base, name+"_") && len(name) > len(subject) {
				subject = name
			}
		}
		asks := readStory(t, path, known).asks
		switch {
		case subject == "":
			t.Errorf("%s is named after no query and no metric", path)
		case known[subject] && !slices.ContainsFunc(asks, func(a ask) bool { return a.request.Metric == subject }):
			t.Errorf("%s does not ask for %s", path, subject)
		}
		named[subject] = true
		for _, a := range asks {
			asked[a.request.Metric] = true
		}
	}
	for name, query := range subjects {
		switch {
		case query != "" && !named[name]:
			t.Errorf("%s has no story testdata/%s_*.txt", query, name)
		case known[name] && !asked[name]:
			t.Errorf("no story asks for %s", name)
		}
	}
}

func storyFiles(t *testing.T) []string {
	t.Helper()
	paths, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(paths) == 0 {
		t.Fatalf("got %d stories, %v", len(paths), err)
	}
	return paths
}

func readStory(t *testing.T, path string, known map[string]bool) *story {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	s, err := parseStory(string(text), known)
	if err != nil {
		t.Fatalf("%s:%v", path, err)
	}
	return s
}

func knownMetrics(t *testing.T) map[string]bool {
	t.Helper()
	e, err := metrics.New(metrics.DefaultConfig(), nil, time.Now, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	known := map[string]bool{}
	for _, d := range e.Catalogue() {
		known[d.ID] = true
	}
	return known
}

// teller has one store with the facts of a story.
type teller struct {
	t      *testing.T
	st     *store.Store
	intake *ingest.Intake
	engine *metrics.Engine
	config string
}

func (w *teller) write(facts []event.Event) {
	w.t.Helper()
	if w.intake == nil {
		var err error
		if w.intake, err = ingest.New(ingest.DefaultConfig(), w.st); err != nil {
			w.t.Fatal(err)
		}
	}
	if len(facts) == 0 {
		return
	}
	var b event.Batch
	b.Append(facts...)
	if err := w.intake.Write(context.Background(), &b); err != nil {
		w.t.Fatal(err)
	}
}

// tell stores the facts from the last to the first, in three parts, and lets attribution catch up after each.
func (w *teller) tell(s *story) {
	w.t.Helper()
	reversed := slices.Clone(s.facts)
	slices.Reverse(reversed)
	w.use(s.asks[0])
	for part := range slices.Chunk(reversed, max(1, (len(reversed)+2)/3)) {
		w.write(part)
		if err := w.engine.CatchUp(context.Background()); err != nil {
			w.t.Fatal(err)
		}
	}
}

// use makes the engine one with the settings of a question.
func (w *teller) use(a ask) {
	w.t.Helper()
	config := fmt.Sprintf("%+v %s", a.settings, a.now)
	if config == w.config {
		return
	}
	e, err := metrics.New(a.settings, w.st, func() time.Time { return a.now }, slog.New(slog.DiscardHandler))
	if err != nil {
		w.t.Fatal(err)
	}
	w.engine, w.config = e, config
	if err := e.Rebuild(context.Background()); err != nil {
		w.t.Fatal(err)
	}
}

// answer is what a question came to: the answer, with what stands behind it where the story tells that, or a refusal.
type answer struct {
	metrics.Evidence
	Refused string
}

func (w *teller) answer(a ask) answer {
	w.t.Helper()
	w.use(a)
	asks := func(kinds ...string) bool {
		return slices.ContainsFunc(a.want, func(x expected) bool { return slices.Contains(kinds, x.kind) })
	}
	a.request.NoPrevious = !asks("previous")
	var ev metrics.Evidence
	var err error
	if asks("explain", "left out") {
		ev, err = w.engine.Explain(context.Background(), a.request, metrics.Page{Limit: 1000})
	} else {
		ev.Result, err = w.engine.Query(context.Background(), a.request)
	}
	if err != nil {
		return answer{Refused: err.Error()}
	}
	return answer{Evidence: ev}
}

// compare writes the expected answer and the one that was given as lines. A number that is as expected is written as
// the story writes it.
func compare(a ask, got answer) (want, lines []string) {
	for _, x := range a.want {
		want = append(want, x.String())
	}
	c := comparison{a: a, got: got}
	if got.Refused != "" {
		refused := got.Refused
		for _, x := range a.want {
			if x.kind == "refused" && strings.Contains(refused, x.columns[0]) {
				refused = x.columns[0]
			}
		}
		return want, []string{"refused  " + refused}
	}
	lists := map[string]int{} // how many lines of each list have been compared
	for _, x := range a.want {
		lines = append(lines, c.line(x, lists[x.kind]))
		lists[x.kind]++
	}
	return want, append(lines, c.rest(lists)...)
}

type comparison struct {
	a   ask
	got answer
}

// line is what was given where the story expects x, the n-th line of its kind.
func (c *comparison) line(x expected, n int) string {
	r := c.got.Result
	y := expected{kind: x.kind}
	switch x.kind {
	case "whole":
		y.columns = []string{shown(x.columns[0], r.Value), shown(x.columns[1], r.N)}
	case "bucket":
		if n < len(r.Series) {
			y.columns = bucketColumns(r.Series[n], x.columns)
		}
	case "previous":
		y.columns = []string{"none", "none"}
		if r.Previous != nil {
			y.columns = []string{shown(x.columns[0], r.Previous.Value), shown(x.columns[1], r.Previous.N)}
		}
	case "interval":
		y.columns = []string{"null", "null"}
		if r.Interval != nil {
			y.columns = []string{rounded(x.columns[0], r.Interval[0]), rounded(x.columns[1], r.Interval[1])}
		}
	case "flags":
		y.columns = r.Flags
		if slices.Equal(slices.Sorted(slices.Values(r.Flags)), slices.Sorted(slices.Values(x.columns))) {
			y.columns = x.columns
		}
	case "parts":
		y.columns = c.parts(x.columns)
	case "cell":
		cells, _ := r.Value.(map[string]any)
		v, ok := cells[x.columns[0]]
		if y.columns = []string{x.columns[0], "absent"}; ok {
			y.columns[1] = shown(x.columns[1], v)
		}
	case "option":
		if points, _ := r.Value.([]metrics.PainPoint); n < len(points) {
			y.columns = []string{points[n].Option, shown(x.columns[1], points[n].Share)}
		}
	case "explain":
		if n < len(c.got.Items) {
			y.columns = itemColumns(c.got.Items[n])
		}
	case "left out":
		if n < len(c.got.LeftOut) {
			y.columns = leftOutColumns(c.got.LeftOut[n])
		}
	}
	return y.String()
}

// rest is what was given beyond the lists that the story spells out.
func (c *comparison) rest(lists map[string]int) []string {
	var lines []string
	add := func(kind string, columns []string) {
		lines = append(lines, expected{kind: kind, columns: columns}.String())
	}
	more := func(kind string, n int) int { // how many of n lines stand in the story, which has all of them or none
		if lists[kind] == 0 {
			return n
		}
		return min(n, lists[kind])
	}
	series := c.got.Result.Series
	for _, p := range series[min(len(series), lists["bucket"]):] {
		add("bucket", bucketColumns(p, nil))
	}
	for _, it := range c.got.Items[more("explain", len(c.got.Items)):] {
		add("explain", itemColumns(it))
	}
	for _, l := range c.got.LeftOut[more("left out", len(c.got.LeftOut)):] {
		add("left out", leftOutColumns(l))
	}
	switch v := c.got.Result.Value.(type) {
	case map[string]any:
		for _, name := range slices.Sorted(maps.Keys(v)) {
			if !slices.ContainsFunc(c.a.want, func(x expected) bool { return x.kind == "cell" && x.columns[0] == name }) {
				add("cell", []string{name, shown("", v[name])})
			}
		}
	case []metrics.PainPoint:
		for _, p := range v[min(len(v), lists["option"]):] {
			add("option", []string{p.Option, shown("", p.Share)})
		}
	}
	return lines
}

func bucketColumns(p metrics.Point, want []string) []string {
	if len(want) < 3 {
		want = make([]string, 3)
	}
	columns := []string{p.Label, shown(want[1], p.Value), shown(want[2], p.N)}
	if p.Partial {
		columns = append(columns, "partial")
	}
	return columns
}

func itemColumns(it metrics.Item) []string {
	if it.Counted {
		return []string{it.ID, "counted", orDash(it.Rule)}
	}
	return []string{it.ID, "left out", orDash(it.Reason)}
}

func leftOutColumns(l metrics.LeftOut) []string {
	ids := strings.Join(l.Examples, ",")
	if more := int(l.N) - len(l.Examples); more > 0 {
		ids += fmt.Sprintf(" and %d more", more)
	}
	return []string{ids, l.Reason}
}

// parts writes the parts that the story names, of the whole window or of the bucket in the first column.
func (c *comparison) parts(want []string) []string {
	parts, columns := c.got.Result.Parts, []string{want[0]}
	if want[0] != "" {
		i := slices.IndexFunc(c.got.Result.Series, func(p metrics.Point) bool { return p.Label == want[0] })
		if i < 0 {
			return []string{want[0], "no such bucket"}
		}
		parts = c.got.Result.Series[i].Parts
	}
	for _, w := range want[1:] {
		name, value, _ := strings.Cut(w, "=")
		if v, ok := parts[name]; ok {
			columns = append(columns, name+"="+shown(value, v))
		} else {
			columns = append(columns, name+"=absent")
		}
	}
	return columns
}

// shown writes a value; as the story does where it is what the story expects.
func shown(want string, v any) string {
	switch v := v.(type) {
	case nil:
		return "null"
	case string:
		return v
	case bool:
		return strconv.FormatBool(v)
	case int64:
		return strconv.FormatInt(v, 10)
	case float64:
		if w, err := number(want); err == nil && math.Abs(v-w) <= 1e-9*max(1, math.Abs(w)) {
			return want
		}
		return strconv.FormatFloat(v, 'g', -1, 64)
	case map[string]any, []metrics.PainPoint:
		return "list"
	}
	return fmt.Sprint(v)
}

// number reads a decimal or a fraction.
func number(text string) (float64, error) {
	above, below, fraction := strings.Cut(text, "/")
	v, err := strconv.ParseFloat(above, 64)
	if err != nil || !fraction {
		return v, err
	}
	d, err := strconv.ParseFloat(below, 64)
	return v / d, err
}

// rounded writes v; as the story does where v rounds to what the story writes.
func rounded(want string, v float64) string {
	_, decimals, _ := strings.Cut(want, ".")
	if w, err := strconv.ParseFloat(want, 64); err == nil && math.Abs(v-w) <= 0.5000001*math.Pow10(-len(decimals)) {
		return want
	}
	return strconv.FormatFloat(v, 'g', -1, 64)
}

func orDash(text string) string {
	if text == "" {
		return "-"
	}
	return text
}
