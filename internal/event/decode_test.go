package event_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"cairn/internal/event"
	"cairn/internal/event/eventtest"
)

func decode(t testing.TB, input string) (*event.Batch, error) {
	t.Helper()
	var d event.Decoder
	b := new(event.Batch)
	return b, d.Decode(strings.NewReader(input), b)
}

const (
	branch    = `{"type":"branch","repository":"shop","name":"main","sha":"c1"}`
	person    = `{"type":"person","id":"ada"}`
	badPerson = `{"type":"person","id":""}`
)

func TestEveryShapeOfInputGivesTheSameEvents(t *testing.T) {
	pretty := "{\n  \"type\": \"branch\",\n  \"repository\": \"shop\",\n  \"name\": \"main\",\n  \"sha\": \"c1\"\n}"
	for name, tt := range map[string]struct {
		input            string
		branches, people int
	}{
		"nothing":                       {"", 0, 0},
		"white space":                   {" \n\t\r\n ", 0, 0},
		"empty array":                   {"[]", 0, 0},
		"one object":                    {branch, 1, 0},
		"one object over several lines": {pretty, 1, 0},
		"two objects over many lines":   {pretty + "\n" + pretty + "\n", 2, 0},
		"array":                         {"[" + branch + "," + person + "]", 1, 1},
		"array over several lines":      {"\n[\n" + pretty + ",\n" + person + "\n]\n", 1, 1},
		"lines":                         {branch + "\n" + person + "\n", 1, 1},
		"lines without the last end":    {branch + "\n" + person, 1, 1},
		"lines with returns":            {branch + "\r\n\r\n" + person + "\r\n", 1, 1},
		"lines with space around":       {"  " + branch + "  \n\n\n" + person, 1, 1},
		"byte order mark":               {"\uFEFF" + branch, 1, 0},
		"byte order mark, array":        {"\uFEFF [" + branch + "]", 1, 0},
		"type comes last":               {`{"id":"ada","type":"person"}`, 0, 1},
		"escaped names and type":        {`{"t\u0079pe":"p\u0065rson","\u0069d":"ada"}`, 0, 1},
		"null is absent":                {`{"type":"person","id":"ada","name":null,"aliases":null,"bot":null,"updated_at":null}`, 0, 1},
		"brackets within text":          {"{\"type\":\"person\",\n\"id\":\"a}]\\\"{\"}\n" + person, 0, 2},
	} {
		for _, how := range []struct {
			name string
			wrap func(io.Reader) io.Reader
		}{{"at once", func(r io.Reader) io.Reader { return r }}, {"byte by byte", iotest.OneByteReader}, {"with the last", iotest.DataErrReader}} {
			t.Run(name+"/"+how.name, func(t *testing.T) {
				var d event.Decoder
				var b event.Batch
				if err := d.Decode(how.wrap(strings.NewReader(tt.input)), &b); err != nil {
					t.Fatal(err)
				}
				if len(b.Branches) != tt.branches || len(b.People) != tt.people {
					t.Errorf("got %d branches and %d people, want %d and %d", len(b.Branches), len(b.People), tt.branches, tt.people)
				}
				for _, got := range b.Branches {
					want := event.Branch{Repository: "shop", Name: "main", SHA: "c1"}
					if diff := cmp.Diff(want, got); diff != "" {
						t.Error(diff)
					}
				}
			})
		}
	}
}

func TestBadInputIsNamed(t *testing.T) {
	index := func(n int) *int { return &n }
	for name, tt := range map[string]struct {
		input string
		want  []event.Error
	}{
		"not JSON at all": {
			"hello world\n" + person,
			[]event.Error{{Line: 1, Column: 1, Value: "hello world", Expected: "one event as a JSON object, an array of events, or one event a line (NDJSON)"}},
		},
		"a line that is not JSON costs its line": {
			person + "\n{\"type\":\"person\" \"id\":\"x\"}\n" + badPerson,
			[]event.Error{
				{Line: 2, Column: 18, Type: "person", Value: `"id":"x"}`, Expected: "well-formed JSON: "},
				{Line: 3, Type: "person", Field: "/id", Value: `""`, Expected: "a string of 1 to 4096 characters"},
			},
		},
		"of a line that is not JSON only that is said": {
			`{"type":"person","id":"","bot":"yes","name" "x"}`,
			[]event.Error{{Line: 1, Column: 45, Type: "person", Value: `"x"}`, Expected: "well-formed JSON: "}},
		},
		"a line with something behind the object": {
			person + " " + person,
			[]event.Error{{Line: 1, Column: 30, Type: "person", Value: person, Expected: "one event a line, and nothing behind it"}},
		},
		"a line that is no object": {
			person + "\n[1]\n" + person,
			[]event.Error{{Line: 2, Value: "[1]", Expected: "an event as a JSON object"}},
		},
		"cut in the middle": {
			person + "\n" + `{"type":"person","id":"a`,
			[]event.Error{{Line: 2, Column: 25, Type: "person", Expected: "the input ends in the middle"}},
		},
		"cut in the middle of an object over several lines": {
			person + "\n{\"type\":\"person\",\n\"id\":",
			[]event.Error{{Line: 2, Column: 18, Type: "person", Expected: "the input ends in the middle of it"}},
		},
		"an unfinished line within others costs its line": {
			person + "\n{\"type\":\"person\",\n" + person + "\n" + badPerson,
			[]event.Error{
				{Line: 2, Column: 18, Type: "person", Expected: "the rest of the event: it ends neither on its line nor on the lines below"},
				{Line: 4, Type: "person", Field: "/id", Value: `""`},
			},
		},
		"an object over several lines that is not JSON costs all of them": {
			"{\n  \"type\":\"person\"\n  \"id\":\"x\"\n}\n{\"type\": person,\n\"id\":\"x\"\n}\n" + badPerson,
			[]event.Error{
				{Line: 3, Column: 3, Type: "person", Value: "\"id\":\"x\"\n}", Expected: "well-formed JSON: "},
				{Line: 5, Column: 10, Value: "person,", Expected: "well-formed JSON: "},
				{Line: 8, Type: "person", Field: "/id", Value: `""`},
			},
		},
		"array with a bad element goes on": {
			"[\n" + badPerson + ",\n" + person + ",\n7]",
			[]event.Error{
				{Line: 2, Index: index(0), Type: "person", Field: "/id", Value: `""`},
				{Line: 4, Index: index(2), Value: "7", Expected: "an event as a JSON object"},
			},
		},
		"array that is not JSON ends": {
			"[" + badPerson + ",\n  {\"type\" 5}, " + badPerson + "]",
			[]event.Error{
				{Line: 1, Index: index(0), Type: "person", Field: "/id", Value: `""`},
				{Line: 2, Column: 11, Index: index(1), Expected: "well-formed JSON: "},
			},
		},
		"array that is cut": {
			"[" + person + ",\n" + person + ",",
			[]event.Error{{Line: 2, Index: index(2), Expected: "the input ends in the middle of it"}},
		},
		"array with something behind it": {
			"[" + person + "]\n{}",
			[]event.Error{{Line: 2, Column: 1, Expected: "nothing behind the end of the array"}},
		},
		"no type":           {`{"id":"ada"}`, []event.Error{{Line: 1, Field: "/type", Expected: "one of repository, branch, commit"}}},
		"unknown type":      {`{"type":"deploymnet"}`, []event.Error{{Line: 1, Field: "/type", Value: `"deploymnet"`, Expected: `did you mean "deployment"?`}}},
		"type is no string": {`{"type":["person"],"id":1}`, []event.Error{{Line: 1, Field: "/type", Value: `["person"]`}}},
		"unknown field": {
			`{"type":"branch","repository":"shop","name":"main","sha":"c1","isDefault":true,"colour":"red"}`,
			[]event.Error{
				{Line: 1, Type: "branch", Field: "/isDefault", Expected: "no field of this name: branch has the fields type, repository, name, sha, default, deleted_at, source, updated_at"},
				{Line: 1, Type: "branch", Field: "/colour"},
			},
		},
		"near miss": {
			`{"type":"person","id":"ada","firstDay":"2026-01-01"}`,
			[]event.Error{{Line: 1, Type: "person", Field: "/firstDay", Expected: `did you mean "first_day"?`}},
		},
		"field twice": {
			`{"type":"person","id":"ada","id":"eve","type":"person"}`,
			[]event.Error{
				{Line: 1, Type: "person", Field: "/id", Expected: "each field once"},
				{Line: 1, Type: "person", Field: "/type", Expected: "each field once"},
			},
		},
		"required and null": {`{"type":"person","id":null}`, []event.Error{{Line: 1, Type: "person", Field: "/id", Expected: "it is required"}}},
		"several at once": {
			`{"type":"deployment","service":5,"id":"d1","environment":"prod","status":"success","attempt":0,"revisions":[{"repository":"shop","role":"main"},3],"bot":true}`,
			[]event.Error{
				{Line: 1, Type: "deployment", Field: "/service", Value: "5", Expected: "a string of 1 to 4096 characters"},
				{Line: 1, Type: "deployment", Field: "/status", Value: `"success"`, Expected: "one of pending, in_progress, succeeded, failed, cancelled, skipped"},
				{Line: 1, Type: "deployment", Field: "/attempt", Value: "0", Expected: "an integer of at least 1"},
				{Line: 1, Type: "deployment", Field: "/revisions/0/role", Value: `"main"`, Expected: "one of source, config"},
				{Line: 1, Type: "deployment", Field: "/revisions/0/sha", Expected: "it is required"},
				{Line: 1, Type: "deployment", Field: "/revisions/1", Value: "3", Expected: "an object with the fields repository, sha, previous_sha, role"},
				{Line: 1, Type: "deployment", Field: "/bot", Expected: "no field of this name"},
			},
		},
		"the line of the value in an object over several lines": {
			"{\"type\":\"person\",\n\"id\":\"ada\",\n\"bot\":\"yes\"\n}",
			[]event.Error{{Line: 3, Type: "person", Field: "/bot", Value: `"yes"`, Expected: "true or false"}},
		},
		"text that is not UTF-8": {
			"{\"type\":\"person\",\"id\":\"a\xff\"}",
			[]event.Error{{Line: 1, Column: 25, Type: "person", Value: "\uFFFD\"}", Expected: "well-formed JSON: invalid UTF-8"}},
		},
		"long values are shortened": {
			`{"type":"person","id":"ada","bot":"` + strings.Repeat("é", 500) + `"}`,
			[]event.Error{{Line: 1, Type: "person", Field: "/bot", Value: `"` + strings.Repeat("é", 79) + "…"}},
		},
		"list elements": {
			`{"type":"person","id":"ada","aliases":["a","",null,3]}`,
			[]event.Error{
				{Line: 1, Type: "person", Field: "/aliases/1", Value: `""`},
				{Line: 1, Type: "person", Field: "/aliases/2", Value: `null`},
				{Line: 1, Type: "person", Field: "/aliases/3", Value: `3`},
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := decode(t, tt.input)
			var bad *event.Errors
			if !errors.As(err, &bad) {
				t.Fatalf("got %v, want *Errors", err)
			}
			// What is expected may be quoted in part.
			partly := cmp.FilterPath(func(p cmp.Path) bool { return p.Last().String() == ".Expected" },
				cmp.Comparer(func(a, b string) bool { return strings.Contains(a, b) || strings.Contains(b, a) }))
			if diff := cmp.Diff(tt.want, bad.List, partly); diff != "" {
				t.Errorf("(-want +got)\n%s\n%v", diff, bad)
			}
		})
	}
}

func TestErrorsEndAtTheLimit(t *testing.T) {
	for name, input := range map[string]string{
		"lines":        strings.Repeat(badPerson+"\n", 500),
		"broken lines": strings.Repeat("{\"type\":[\n", 500),
		"array":        "[" + strings.Repeat(badPerson+",", 500) + person + "]",
		"one event":    `{"type":"person","id":"x"` + strings.Repeat(`,"x":1`, 500) + `}`,
	} {
		t.Run(name, func(t *testing.T) {
			_, err := decode(t, input)
			var bad *event.Errors
			if !errors.As(err, &bad) || len(bad.List) != event.MaxErrors || !bad.Stopped {
				t.Errorf("got %v", err)
			}
		})
	}
}

func TestMoreEventsThanAllowed(t *testing.T) {
	for _, input := range []string{person + "\n" + person + "\n" + person, "[" + person + "," + person + "," + person + "]"} {
		d := event.Decoder{MaxEvents: 2}
		err := d.Decode(strings.NewReader(input), new(event.Batch))
		if got := (*event.TooManyError)(nil); !errors.As(err, &got) || got.Limit != 2 {
			t.Errorf("got %v, want more than 2 events", err)
		}
		d.MaxEvents = 3
		if err := d.Decode(strings.NewReader(input), new(event.Batch)); err != nil {
			t.Error(err)
		}
	}
}

func TestReadingErrorsComeThrough(t *testing.T) {
	broken := errors.New("connection reset")
	for _, input := range []string{"", person, person + "\n{", "[", "[" + person, "[" + person + "]", "{\n"} {
		var d event.Decoder
		err := d.Decode(io.MultiReader(strings.NewReader(input), iotest.ErrReader(broken)), new(event.Batch))
		if !errors.Is(err, broken) {
			t.Errorf("after %q: got %v, want the reading error", input, err)
		}
	}
}

func TestEachHandsOutBatches(t *testing.T) {
	var d event.Decoder
	var sizes []int
	err := d.Each(strings.NewReader(strings.Repeat(person+"\n", 7)), 3, func(b *event.Batch) error {
		sizes = append(sizes, b.Len())
		return nil
	})
	if diff := cmp.Diff([]int{3, 3, 1}, sizes); diff != "" || err != nil {
		t.Errorf("%v\n%s", err, diff)
	}
	var names []string
	err = d.Each(strings.NewReader(`{"type":"person","id":"","name":"Eve"}`+"\n"+person), 3, func(b *event.Batch) error {
		for _, p := range b.People {
			names = append(names, p.ID+p.Name)
		}
		return nil
	})
	if diff := cmp.Diff([]string{"ada"}, names); diff != "" || err == nil {
		t.Errorf("a bad event leaves something to the next: %v\n%s", err, diff)
	}
	stop := errors.New("stop")
	if err := d.Each(strings.NewReader(person), 3, func(*event.Batch) error { return stop }); err != stop {
		t.Errorf("got %v, want the error of yield", err)
	}
	err = d.Each(strings.NewReader(person+"\n"+badPerson), 1, func(*event.Batch) error { return nil })
	if bad := (*event.Errors)(nil); !errors.As(err, &bad) || len(bad.List) != 1 {
		t.Errorf("got %v, want one bad event", err)
	}
}

func TestWhatIsWrittenIsReadBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var want event.Batch
		want.Append(rapid.SliceOfN(eventtest.Any(), 0, 8).Draw(t, "events")...)
		var lines bytes.Buffer
		if _, err := want.WriteTo(&lines); err != nil {
			t.Fatal(err)
		}
		array := "[" + strings.ReplaceAll(strings.TrimSuffix(lines.String(), "\n"), "\n", ",") + "]"
		for _, input := range []string{lines.String(), array} {
			var d event.Decoder
			var got event.Batch
			if err := d.Decode(strings.NewReader(input), &got); err != nil {
				t.Fatalf("%v\n%s", err, input)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Fatal(diff)
			}
		}
		for e := range want.All() {
			if err := event.Validate(e); err != nil {
				t.Fatal(err)
			}
		}
	})
}

func TestWhatIsNotSetIsNotWritten(t *testing.T) {
	for _, tt := range []struct {
		e    event.Event
		want string
	}{
		{&event.Person{ID: "ada"}, `{"type":"person","id":"ada"}`},
		{&event.Person{ID: "a\"\n\u00e9\xff", Aliases: []string{}}, `{"type":"person","id":"a\"\né` + "\uFFFD" + `","aliases":[]}`},
		{&event.Commit{Repository: "r", SHA: "c", AuthoredAt: at(1), CommittedAt: at(1).Add(1_500_999), Telling: event.Telling{Source: "git"}},
			`{"type":"commit","repository":"r","sha":"c","authored_at":"2026-01-01T01:00:00Z","committed_at":"2026-01-01T01:00:00.001Z","source":"git"}`},
		{&event.SLO{ID: "s", MeasuredAt: at(1), Service: "s", Target: 0.999},
			`{"type":"slo","id":"s","measured_at":"2026-01-01T01:00:00Z","service":"s","target":0.999,"good":0,"total":0}`},
		{&event.SurveyResponse{Survey: "s", Respondent: "r", SubmittedAt: at(1), Answers: []event.SurveyAnswer{
			{Question: "q", Score: new(int64(0)), Severity: map[string]int64{"b": 1, "a": 2}}}},
			`{"type":"survey_response","survey":"s","respondent":"r","submitted_at":"2026-01-01T01:00:00Z","answers":[{"question":"q","score":0,"severity":{"a":2,"b":1}}]}`},
	} {
		if got := string(event.AppendJSON(nil, tt.e)); got != tt.want {
			t.Errorf("got  %s\nwant %s", got, tt.want)
		}
		if got, err := json.Marshal(tt.e); err != nil || !json.Valid(got) || !bytes.HasPrefix(got, []byte(`{"type":"`+tt.e.Kind())) {
			t.Errorf("json.Marshal: %s, %v", got, err)
		}
	}
}

func FuzzDecode(f *testing.F) {
	f.Add([]byte(person + "\n" + branch))
	f.Add([]byte("[" + person + "," + badPerson + "]"))
	f.Add([]byte("{\n\"type\":\"person\",\n\"id\":\"x\"}\n{\"a\":[\n\"" + badPerson))
	f.Add([]byte("\uFEFF\n[{},3,\n{\"type\":\"slo\"}]x"))
	for _, kind := range event.Kinds() {
		f.Add(event.AppendJSON(nil, eventtest.Of(kind).Example(1)))
	}
	f.Fuzz(func(t *testing.T, input []byte) {
		var d event.Decoder
		var b event.Batch
		if err := d.Decode(bytes.NewReader(input), &b); err != nil {
			var bad *event.Errors
			if !errors.As(err, &bad) {
				t.Fatalf("reading memory cannot fail: %v", err)
			}
			if n := len(bad.List); n == 0 || n > event.MaxErrors {
				t.Fatalf("%d errors", n)
			}
			lines := bytes.Count(input, []byte("\n")) + 1
			for _, e := range bad.List {
				if e.Line < 1 || e.Line > lines || e.Expected == "" {
					t.Fatalf("in %d lines: %+v", lines, e)
				}
			}
			return
		}
		var first bytes.Buffer
		if _, err := b.WriteTo(&first); err != nil {
			t.Fatal(err)
		}
		var again event.Batch
		if err := d.Decode(bytes.NewReader(first.Bytes()), &again); err != nil {
			t.Fatalf("%v\n%s", err, first.Bytes())
		}
		if diff := cmp.Diff(b, again); diff != "" {
			t.Fatal(diff)
		}
		for e := range b.All() {
			if err := event.Validate(e); err != nil {
				t.Fatalf("decoded, but not valid: %v", err)
			}
		}
	})
}

// mixed is NDJSON as it comes in practice: mostly commits, then deployments, then incidents.
func mixed(n int) []byte {
	var b bytes.Buffer
	for i := range n {
		switch {
		case i%100 < 80:
			fmt.Fprintf(&b, `{"type":"commit","source":"git","repository":"acme/shop","sha":"%040x","parents":["%040x"],"author":"person%d@example.org","authored_at":"2026-03-01T10:%02d:%02dZ","committed_at":"2026-03-01T12:%02d:%02d+01:00","paths":["services/cart/handler.go","services/cart/handler_test.go","docs/cart/%d.md"],"subject":"cart: keep the basket when the session ends (#%d)"}`+"\n",
				i+1, i, i%200, i/60%60, i%60, i/60%60, i%60, i, i)
		case i%100 < 95:
			fmt.Fprintf(&b, `{"type":"deployment","source":"argocd","service":"cart","id":"d%d","environment":"prod-eu","status":"succeeded","started_at":"2026-03-01T10:%02d:%02dZ","finished_at":"2026-03-01T11:%02d:%02dZ","revisions":[{"repository":"acme/shop","sha":"%040x"}],"version":"v1.%d.0","way":"golden_path","tool":"argocd"}`+"\n",
				i, i/60%60, i%60, i/60%60, i%60, i, i)
		default:
			fmt.Fprintf(&b, `{"type":"incident","source":"pagerduty","id":"i%d","service":"cart","title":"checkout is slow","severity":"high","started_at":"2026-03-01T10:%02d:%02dZ","restored_at":"2026-03-01T11:%02d:%02dZ","cause":"deployment","caused_by_deployment":"d%d"}`+"\n",
				i, i/60%60, i%60, i/60%60, i%60, i-5)
		}
	}
	return b.Bytes()
}

func BenchmarkDecode(b *testing.B) {
	const n = 10_000
	input := mixed(n)
	var d event.Decoder
	var batch event.Batch
	b.SetBytes(int64(len(input)))
	b.ReportAllocs()
	for b.Loop() {
		batch.Reset()
		if err := d.Decode(bytes.NewReader(input), &batch); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.N)*n/b.Elapsed().Seconds(), "events/s")
}

func BenchmarkVersion(b *testing.B) {
	batch, err := decode(b, string(mixed(1)))
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		event.Version(&batch.Commits[0])
	}
}
