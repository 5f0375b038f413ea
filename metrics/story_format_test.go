package metrics_test

import (
	"bytes"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"

	"gopkg.in/yaml.v3"

	"cairn/internal/event"
	"cairn/metrics"
)

// A story is a plain text that shows what a metric means. It begins with a paragraph of one sentence that says what it
// shows, and goes on in sections, each under a heading between dashes:
//
//	-- deployments --
//	id  sha  finished_at
//	d1  c1   2026-01-01T06:00
//	-- now 2026-03-01 --
//	-- settings anonymity_k=3 attribution.incident_window=1h --
//	-- deployment_count service=shop from=2026-01-01 to=2026-03-01 bucket=month --
//	2026-01  1  1
//	2026-02  0  0
//	# d1 finished in January.
//
// Facts are tables. The heading names the kind (see sectionKinds), the first line the fields as internal/event writes
// them in JSON, the lines below hold one fact each. Columns stand below each other, two or more spaces apart, and an
// empty cell is a dash or blank. Instants may end early: 2026-01-01 and 2026-01-01T06:00 are UTC. Elements of a list are
// separated by commas; what else a cell may hold stands beside cellsOf. Columns that a story leaves out have the values
// of defaults.
//
// now is the clock from there on (one is needed before the first question), settings are metrics.Config in the names of
// the configuration file, from there on.
//
// A question is the heading of a metric with service= or team= (the organisation without), from=, to=, and as needed
// tz=, bucket=, statistic=, stage=, environment=, capability=, survey=, question=, bots=. Its answer is below it:
//
//	8.5  2                          the whole window: value and n. null is no data, list one that is spelt out below
//	2026-01  8.5  2                 a bucket: label, value and n. With one bucket all have to be there
//	2026-02  null  0  partial       one that is still running
//	interval  0.12  0.49            of the whole window, to the digits that are written
//	previous  0  0                  value and n of the window before
//	flags: low_n partial            all of them
//	parts: p50=8.5 p90=null         of the parts, those that matter here
//	parts 2026-01: p50=8.5
//	cell  all  0.5                  of a value that is an object
//	option  slow builds  0.6        of a value that is a list
//	explain  d1  counted  rollback  what stands behind the value, with the rule, all of it in order
//	explain  d2  left out  reason
//	left out  d2,d3  reason         what else was left out, all of it
//	refused: buckets of a month     the question is answered with an error that says so
//
// Values may be fractions, 4/23. Lines that begin with # say why; each question has one.
type story struct {
	sentence string
	facts    []event.Event
	asks     []ask
}

// ask is one question of a story with the answer that it expects.
type ask struct {
	line     int
	heading  string
	settings metrics.Config
	now      time.Time
	request  metrics.Request
	want     []expected
	why      bool
}

// expected is one line of an answer: its kind and its columns.
type expected struct {
	line    int
	kind    string // whole, bucket, interval, previous, flags, parts, cell, option, explain, left out, refused
	columns []string
}

func (x expected) String() string { return x.kind + "  " + strings.Join(x.columns, "  ") }

// storyReader goes through the lines of a story.
type storyReader struct {
	story    story
	table    *table
	tables   []*table
	settings metrics.Config
	now      time.Time
	metrics  map[string]bool
}

var heading = regexp.MustCompile(`^-- (\S(?:.*\S)?) --$`)

// parseStory reads a story. Errors begin with the number of the line. known are the metrics that may be asked for.
func parseStory(text string, known map[string]bool) (*story, error) {
	r := &storyReader{settings: metrics.DefaultConfig(), metrics: known}
	opening := true
	for i, line := range strings.Split(strings.TrimSuffix(text, "\n"), "\n") {
		var err error
		switch m := heading.FindStringSubmatch(line); {
		case strings.ContainsAny(line, "\t\r"):
			err = fmt.Errorf("a tab or carriage return: columns are made of spaces")
		case strings.TrimRight(line, " ") != line:
			err = fmt.Errorf("spaces at the end")
		case opening && line == "":
			opening = false
		case opening && m == nil:
			r.story.sentence = strings.TrimSpace(r.story.sentence + " " + line)
		case m != nil:
			opening = false
			err = r.section(i+1, m[1])
		case strings.HasPrefix(line, "--"):
			err = fmt.Errorf("%q is no heading: expected -- name --", line)
		case line == "":
		case strings.HasPrefix(line, "# "):
			if n := len(r.story.asks); n > 0 {
				r.story.asks[n-1].why = true
			}
		case r.table != nil:
			err = r.table.add(i+1, line)
		case len(r.story.asks) > 0:
			a := &r.story.asks[len(r.story.asks)-1]
			err = a.expect(i+1, line)
		default:
			err = fmt.Errorf("%q stands below no heading", line)
		}
		if err != nil {
			return nil, fmt.Errorf("%d: %w", i+1, err)
		}
	}
	return &r.story, r.finish()
}

func (r *storyReader) finish() error {
	if s := r.story.sentence; !strings.HasSuffix(s, ".") || strings.Contains(s, ". ") {
		return fmt.Errorf("1: the first paragraph is %q: expected one sentence that says what the story shows", s)
	}
	if len(r.story.asks) == 0 {
		return fmt.Errorf("1: the story asks nothing")
	}
	for _, a := range r.story.asks {
		if !a.why {
			return fmt.Errorf("%d: nothing says why: expected a line that begins with #", a.line)
		}
		if len(a.want) == 0 {
			return fmt.Errorf("%d: the question has no answer", a.line)
		}
	}
	only := repositoriesOf(r.tables)
	for _, t := range r.tables {
		facts, err := t.facts(only)
		if err != nil {
			return err
		}
		r.story.facts = append(r.story.facts, facts...)
	}
	return nil
}

// section begins what a heading names.
func (r *storyReader) section(line int, text string) error {
	words := strings.Fields(text)
	r.table = nil
	kind, isTable := sectionKinds[words[0]]
	switch {
	case isTable && len(words) > 1:
		return fmt.Errorf("-- %s -- takes nothing, got %q", words[0], words[1:])
	case isTable && len(r.story.asks) > 0:
		return fmt.Errorf("facts come before the questions")
	case isTable:
		r.table = &table{kind: kind, line: line}
		r.tables = append(r.tables, r.table)
		return nil
	case words[0] == "now" && len(words) == 2:
		at, err := instant(words[1])
		r.now = at
		return err
	case words[0] == "settings":
		return r.configure(words[1:])
	case r.metrics[words[0]]:
		return r.ask(line, text, words)
	}
	return fmt.Errorf("there is no section %q: expected a kind of fact, now, settings or a metric", words[0])
}

// configure reads key=value as the configuration file would, sections joined to the name with a dot.
func (r *storyReader) configure(words []string) error {
	r.settings = metrics.DefaultConfig()
	var b bytes.Buffer
	for _, w := range words {
		key, value, ok := strings.Cut(w, "=")
		if !ok {
			return fmt.Errorf("settings: %q is no key=value", w)
		}
		if section, name, nested := strings.Cut(key, "."); nested {
			key, value = section, "{"+name+": "+value+"}"
		}
		fmt.Fprintf(&b, "%s: %s\n", key, value)
	}
	if b.Len() == 0 {
		return nil
	}
	d := yaml.NewDecoder(&b)
	d.KnownFields(true)
	if err := d.Decode(&r.settings); err != nil {
		return fmt.Errorf("settings: %w", err)
	}
	return r.settings.Validate()
}

func (r *storyReader) ask(line int, text string, words []string) error {
	a := ask{line: line, heading: text, settings: r.settings, now: r.now, request: metrics.Request{Metric: words[0]}}
	if a.now.IsZero() {
		return fmt.Errorf("no -- now -- before the first question")
	}
	ends := map[string]string{}
	q := &a.request
	for _, w := range words[1:] {
		key, value, ok := strings.Cut(w, "=")
		if !ok || value == "" {
			return fmt.Errorf("%q is no key=value", w)
		}
		var err error
		switch key {
		case "service":
			q.Scope.Service = value
		case "team":
			q.Scope.Team = value
		case "from", "to", "tz":
			ends[key] = value
		case "bucket":
			q.Bucket, err = metrics.ParseBucket(value)
		case "statistic":
			q.Statistic = value
		case "stage":
			q.Stage = value
		case "target":
			q.Target = value
		case "environment":
			q.Environment = value
		case "capability":
			q.Capability = value
		case "survey":
			q.Survey = value
		case "question":
			q.Question = value
		case "bots":
			var bots bool
			bots, err = strconv.ParseBool(value)
			q.IncludeBots = &bots
		default:
			err = fmt.Errorf("a question has no %q", key)
		}
		if err != nil {
			return err
		}
	}
	var err error
	if q.Window, err = metrics.ParseWindow(ends["from"], ends["to"], ends["tz"]); err != nil {
		return err
	}
	q.AsOf = a.now
	r.story.asks = append(r.story.asks, a)
	return nil
}

var spaces = regexp.MustCompile(` {2,}`)

// expect reads one line of an answer.
func (a *ask) expect(line int, text string) error {
	columns := spaces.Split(text, -1)
	x := expected{line: line, kind: columns[0], columns: columns[1:]}
	switch {
	case strings.HasPrefix(text, "flags:"):
		x.kind, x.columns = "flags", strings.Fields(text[len("flags:"):])
	case strings.HasPrefix(text, "parts"):
		of, list, ok := strings.Cut(strings.TrimPrefix(text, "parts"), ":")
		x.kind, x.columns = "parts", append([]string{strings.TrimSpace(of)}, strings.Fields(list)...)
		for _, part := range x.columns[1:] {
			if !strings.Contains(part, "=") {
				ok = false
			}
		}
		if !ok || len(x.columns) < 2 {
			return fmt.Errorf("%q: expected parts: name=value ..., or parts LABEL: name=value", text)
		}
	case strings.HasPrefix(text, "refused: "):
		x.kind, x.columns = "refused", []string{strings.TrimPrefix(text, "refused: ")}
	case x.kind == "interval" || x.kind == "previous" || x.kind == "cell" || x.kind == "option" || x.kind == "left out":
		if len(x.columns) != 2 {
			return fmt.Errorf("%s has %d columns: expected 2", x.kind, len(x.columns))
		}
	case x.kind == "explain":
		if len(x.columns) != 3 || x.columns[1] != "counted" && x.columns[1] != "left out" {
			return fmt.Errorf("%q: expected explain, an id, counted or left out, and the rule or reason", text)
		}
	case len(columns) == 2:
		x.kind, x.columns = "whole", columns
	case len(columns) == 3 || len(columns) == 4 && columns[3] == "partial":
		if a.request.Bucket == metrics.Whole {
			return fmt.Errorf("%q is a bucket's answer, and none was asked for", text)
		}
		x.kind, x.columns = "bucket", columns
	default:
		return fmt.Errorf("%q is no line of an answer: expected value and n, or label, value and n, two spaces apart", text)
	}
	a.want = append(a.want, x)
	return nil
}

// layouts in which instants may end early.
var instantLayouts = [...]string{time.RFC3339, "2006-01-02T15:04Z07:00", "2006-01-02T15:04:05", "2006-01-02T15:04", time.DateOnly}

func instant(text string) (time.Time, error) {
	for _, layout := range instantLayouts {
		if t, err := time.Parse(layout, text); err == nil {
			return t.UTC(), nil
		}
	}
	return time.Time{}, fmt.Errorf("%q is no instant: expected such as 2026-01-31T09:30", text)
}
