package event_test

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/santhosh-tekuri/jsonschema/v6"
	"pgregory.net/rapid"

	"cairn/internal/event"
	"cairn/internal/event/eventtest"
)

var update = flag.Bool("update", false, "rewrite the published schema and the generated parts of docs/events.md")

const publishedSchema = "../../docs/events.schema.json"

func TestPublishedSchemaIsThatOfTheStructs(t *testing.T) {
	if *update {
		if err := os.WriteFile(publishedSchema, event.Schema(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	published, err := os.ReadFile(publishedSchema)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(published), string(event.Schema())); diff != "" {
		t.Errorf("docs/events.schema.json is out of date; go test ./internal/event -update rewrites it\n%s", diff)
	}
}

func compileSchema(t testing.TB) *jsonschema.Schema {
	t.Helper()
	document, err := jsonschema.UnmarshalJSON(bytes.NewReader(event.Schema()))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	if err := c.AddResource("urn:cairn:event", document); err != nil {
		t.Fatal(err)
	}
	schema, err := c.Compile("urn:cairn:event")
	if err != nil {
		t.Fatal(err)
	}
	return schema
}

func schemaAccepts(t testing.TB, schema *jsonschema.Schema, input string) bool {
	t.Helper()
	instance, err := jsonschema.UnmarshalJSON(strings.NewReader(input))
	if err != nil {
		t.Fatalf("%v: %s", err, input)
	}
	return schema.Validate(instance) == nil
}

func TestSchemaAcceptsWhatTheDecoderAccepts(t *testing.T) {
	schema := compileSchema(t)
	rapid.Check(t, func(t *rapid.T) {
		line := event.AppendJSON(nil, eventtest.Any().Draw(t, "event"))
		instance, err := jsonschema.UnmarshalJSON(bytes.NewReader(line))
		if err != nil {
			t.Fatal(err)
		}
		if err := schema.Validate(instance); err != nil {
			t.Errorf("%s\n%v", line, err)
		}
	})
}

// values are what each field of each kind is set to, to see that schema and decoder judge alike.
var values = []string{
	`null`, `true`, `false`, `0`, `1`, `-1`, `0.5`, `1.0`, `2e1`, `11`, `9007199254740991`, `9007199254740992`, `1e300`,
	`""`, `"a"`, `" "`, `"succeeded"`, `"failed"`, `"production"`, `"golden_path"`, `"none"`, `"merge"`, `"UTC"`,
	`"2026-01-31"`, `"2026-02-30"`, `"1969-01-01"`, `"2026-01-31T09:30:00Z"`, `"2026-01-31t09:30:00z"`, `"2026-01-31T09:30:00.123456789+05:45"`,
	`"2026-01-31T09:30:00"`, `"2026-01-31 09:30:00Z"`, `"2026-01-31T24:00:00Z"`, `"2026-01-31T23:59:60Z"`, `"1969-12-31T00:00:00Z"`,
	`"2107-01-01T00:00:00Z"`, `"2026-01-31T09:30:00+24:00"`, `"2026-01-31T09:30:00,5Z"`,
	`[]`, `[null]`, `["a"]`, `[""]`, `["a",1]`, `[{}]`, `[{"id":"x"}]`, `[{"repository":"r","sha":"s"}]`, `[{"repository":"r","sha":"s","role":"x"}]`,
	`[{"repository":"r","sha":"s","role":null}]`, `[{"repository":"r","paths":["a"]}]`, `[{"id":"q","type":"text"}]`, `[{"id":"q","type":"essay"}]`,
	`[{"question":"q","score":10,"options":[],"severity":{"x":5}}]`, `[{"question":"q","score":11}]`, `[{"question":"q","severity":{"x":6}}]`,
	`[{"question":"q","severity":{"":1}}]`, `[{"question":"q","colour":1}]`, `{}`, `{"a":1}`,
	`"` + strings.Repeat("é", 4096) + `"`, `"` + strings.Repeat("é", 4097) + `"`, `"` + strings.Repeat("a", 65536) + `"`, `"` + strings.Repeat("a", 65537) + `"`,
	`["` + strings.Repeat("a", 4097) + `"]`,
}

func TestSchemaRefusesWhatTheDecoderRefuses(t *testing.T) {
	schema := compileSchema(t)
	for _, kind := range event.Kinds() {
		base := string(event.AppendJSON(nil, smallest(kind)))
		judge := func(what, input string) {
			_, err := decode(t, input)
			if got := schemaAccepts(t, schema, input); got != (err == nil) {
				t.Errorf("%s, %s: the schema says %t, the decoder says %v", kind, what, got, err)
			}
		}
		judge("smallest", base)
		judge("unknown field", strings.Replace(base, "{", `{"colour":"red",`, 1))
		judge("no type", strings.Replace(base, fmt.Sprintf(`"type":%q`, kind), `"source":"x"`, 1))
		judge("unknown type", strings.Replace(base, fmt.Sprintf(`"type":%q`, kind), `"type":"x"`, 1))
		for _, name := range fieldNames(kind) {
			for _, value := range values {
				if testing.Short() && len(value) > 1000 {
					continue // thousands of long texts take their time
				}
				if kind == event.KindTeam && name == "time_zone" {
					continue // a schema does not know the zones
				}
				judge(fmt.Sprintf("%s = %.60s", name, value), with(base, name, value))
			}
			judge(name+" left out", with(base, name, ""))
		}
	}
}

// FuzzSchema looks for events on which schema and decoder disagree, where a schema can know.
func FuzzSchema(f *testing.F) {
	schema := compileSchema(f)
	for _, kind := range event.Kinds() {
		f.Add(event.AppendJSON(nil, eventtest.Of(kind).Example(1)))
	}
	f.Fuzz(func(t *testing.T, input []byte) {
		var d event.Decoder
		if err := d.Decode(bytes.NewReader(input), new(event.Batch)); err != nil {
			return
		}
		for line := range bytes.Lines(input) {
			instance, err := jsonschema.UnmarshalJSON(bytes.NewReader(bytes.TrimPrefix(line, []byte("\uFEFF"))))
			if err != nil {
				return // an array, or an object over several lines
			}
			if _, ok := instance.(map[string]any); !ok {
				return
			}
			if err := schema.Validate(instance); err != nil {
				t.Errorf("the decoder accepts %s: %v", line, err)
			}
		}
	})
}
