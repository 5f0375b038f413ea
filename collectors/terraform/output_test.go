package terraform_test

import (
	"bytes"
	"encoding/json"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"cairn/collectors/terraform"
	"cairn/internal/event"
	"cairn/internal/fault"
	"cairn/internal/sharedtest"
)

// printed is a file of what OpenTofu really printed.
func printed(t testing.TB, name string) terraform.File {
	t.Helper()
	text, err := os.ReadFile(sharedtest.Path(t, "payloads", "terraform", "plan-apply", name))
	if err != nil {
		t.Fatal(err)
	}
	return terraform.File{Name: name, Text: text}
}

// lines of an apply, each an instant and the rest.
func lines(all ...string) terraform.File {
	var b strings.Builder
	for _, one := range all {
		at, rest, _ := strings.Cut(one, " ")
		b.WriteString(`{"@level":"info","@message":"m","@module":"terraform.ui","@timestamp":"2026-02-01T` + at + `Z",` + rest + "}\n")
	}
	return terraform.File{Name: "apply.jsonl", Text: []byte(b.String())}
}

const (
	planned   = `"type":"planned_change","change":{"resource":{"addr":"aws_sqs_queue.q","module":"","resource_type":"aws_sqs_queue"},"action":"create"}`
	started   = `"type":"apply_start","hook":{"resource":{"addr":"aws_sqs_queue.q","module":"","resource_type":"aws_sqs_queue"},"action":"create"}`
	completed = `"type":"apply_complete","hook":{"resource":{"addr":"aws_sqs_queue.q","resource_type":"aws_sqs_queue"},"action":"create"}`
	errored   = `"type":"apply_errored","hook":{"resource":{"addr":"aws_sqs_queue.q","resource_type":"aws_sqs_queue"},"action":"create"}`
	whole     = `"type":"change_summary","changes":{"add":1,"change":0,"import":0,"remove":0,"operation":"apply"}`
	wouldBe   = `"type":"change_summary","changes":{"add":1,"change":0,"import":0,"remove":0,"operation":"plan"}`
	removed   = `"type":"change_summary","changes":{"add":0,"change":0,"remove":3,"operation":"destroy"}`
	nothing   = `"type":"change_summary","changes":{"add":0,"change":0,"remove":0,"operation":"apply"}`
)

func TestWhatOpenTofuReallyPrinted(t *testing.T) {
	job := terraform.Job{Workspace: "shop-prod", Run: "1042", Service: "shop", Team: "checkout", Environment: "production", Requester: "ada", URL: "https://ci.example/1042", GoldenModules: []string{"app.terraform.io/acme"}}
	began, ended := instant("2026-11-22T19:03:47.383Z"), instant("2026-11-22T19:03:47.395Z")
	request := &event.ProvisioningRequest{
		Telling: event.Telling{Source: "terraform", UpdatedAt: ended}, ID: "shop-prod/1042", Team: "checkout", Service: "shop", Requester: "ada", ResourceType: "terraform_data", Way: "terraform_module",
		OnPlatform: true, Environment: "production", Status: "ready", RequestedAt: began, ReadyAt: ended, URL: "https://ci.example/1042",
	}
	earlier := *request
	earlier.RequestedAt = instant("2026-11-22T19:03:47Z") // the plan's own instant
	use := func(at time.Time) event.Event {
		return &event.CapabilityUse{Telling: event.Telling{Source: "terraform", UpdatedAt: at}, Service: "shop", Capability: "provisioning", ObservedAt: at, State: "own", Evidence: "resources without a module"}
	}
	apply, create, noop := printed(t, "apply-create.jsonl"), printed(t, "plan-create.json"), printed(t, "plan-noop.json")
	for name, tt := range map[string]struct {
		files []terraform.File
		want  []event.Event
		why   string
	}{
		"an apply":                      {files: []terraform.File{apply}, want: []event.Event{request}},
		"its plan and the apply":        {files: []terraform.File{create, apply}, want: []event.Event{use(ended), &earlier}},
		"the other way around":          {files: []terraform.File{apply, create}, want: []event.Event{use(ended), &earlier}},
		"a plan alone":                  {files: []terraform.File{create}, why: "Nothing was applied"},
		"a plan that a wrapper printed": {files: []terraform.File{{Name: "plan", Text: slices.Concat([]byte("[command]/opt/terraform-bin show -json p\n{\"a\": 1}\n"), create.Text, []byte("\n::debug::exitcode: 0\n"))}}, why: "Nothing was applied"},
		"a plan as Windows writes it":   {files: []terraform.File{{Name: "plan", Text: append([]byte("\xef\xbb\xbf"), noop.Text...)}}, want: []event.Event{use(instant("2026-11-22T19:03:47Z"))}, why: "Nothing was changed"},
		"a plan without a change":       {files: []terraform.File{noop}, want: []event.Event{use(instant("2026-11-22T19:03:47Z"))}, why: "Nothing was changed"},
	} {
		for range 2 { // told twice it is the same
			out, err := terraform.Output("terraform", job, tt.files)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, out.Facts); diff != "" {
				t.Errorf("%s (-want +got):\n%s", name, diff)
			}
			if (tt.why == "") != (out.Why == "") || !strings.HasPrefix(out.Why, tt.why) {
				t.Errorf("%s: it says %q, want %q", name, out.Why, tt.why)
			}
		}
	}
}

func TestHowAnApplyEnds(t *testing.T) {
	const broken = `"type":"diagnostic","diagnostic":{"severity":"error","summary":"no"}`
	wrong := func(at string) string { return at + " " + broken }
	job := terraform.Job{Workspace: "shop-prod"}
	for name, tt := range map[string]struct {
		job    func(*terraform.Job)
		file   terraform.File
		status string // "": no request
		ended  string
	}{
		"all is done":                 {nil, lines("10:00:00 "+planned, "10:00:01 "+started, "10:04:00 "+completed, "10:05:00 "+whole), "ready", "10:05:00"},
		"it fails":                    {nil, lines("10:00:01 "+started, "10:04:00 "+errored), "failed", "10:04:00"},
		"it goes on":                  {nil, lines("10:00:01 " + started), "in_progress", ""},
		"everything is removed":       {nil, lines("10:00:01 "+started, "10:05:00 "+removed), "deleted", "10:05:00"},
		"nothing was to do":           {nil, lines("10:05:00 " + nothing), "", ""},
		"it is a plan":                {nil, lines("10:00:00 "+planned, "10:00:01 "+wouldBe), "", ""},
		"a plan fails":                {nil, lines(wrong("10:00:00")), "", ""},
		"it fails before a change":    {func(j *terraform.Job) { j.Failed = true }, lines(wrong("10:00:00")), "failed", "10:00:00"},
		"it failed after all":         {func(j *terraform.Job) { j.Failed = true }, lines("10:00:01 "+started, "10:05:00 "+whole), "failed", "10:05:00"},
		"an error breaks it off":      {nil, lines("10:00:01 "+started, wrong("10:02:00")), "failed", "10:02:00"},
		"a log has more on each line": {nil, terraform.File{Text: append([]byte("2026-02-01T11:00:00.1234567Z "), bytes.ReplaceAll(bytes.TrimSpace(lines("10:00:01 "+started, "10:05:00 "+whole).Text), []byte("\n"), []byte("\r\n2026-02-01T11:00:00.1234567Z \x1b[0m"))...)}, "ready", "10:05:00"},
		"others print between":        {nil, terraform.File{Text: slices.Concat([]byte("::group::apply\n{\"a\":1}\n"), lines("10:00:01 "+started, "10:05:00 "+whole).Text, []byte(`{"@level":"in`))}, "ready", "10:05:00"},
	} {
		j := job
		if tt.job != nil {
			tt.job(&j)
		}
		out, err := terraform.Output("terraform", j, []terraform.File{tt.file})
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if tt.status == "" {
			if len(out.Facts) > 0 || out.Why == "" {
				t.Errorf("%s: got %v, %q", name, out.Facts, out.Why)
			}
			continue
		}
		r, ok := out.Facts[0].(*event.ProvisioningRequest)
		if !ok || r.Status != tt.status {
			t.Errorf("%s: got %+v, want it %s", name, r, tt.status)
			continue
		}
		at := slices.MaxFunc([]time.Time{r.ReadyAt, r.FailedAt, r.DeletedAt}, time.Time.Compare)
		if tt.ended != "" && !at.Equal(instant("2026-02-01T"+tt.ended+"Z")) {
			t.Errorf("%s: it ended %s, want %s", name, at, tt.ended)
		}
		if strings.Contains(string(tt.file.Text), "apply_start") && r.ResourceType != "aws_sqs_queue" {
			t.Errorf("%s: the resource is %q", name, r.ResourceType)
		}
	}
}

// What a pipeline says itself comes before what was printed.
func TestAJobSaysWhatIsNotPrinted(t *testing.T) {
	job := terraform.Job{Run: "7", ResourceType: "queue", RequestedAt: instant("2026-02-01T08:00:00Z"), ApprovedAt: instant("2026-02-01T09:30:00Z")}
	out, err := terraform.Output("terraform", job, []terraform.File{lines("10:00:01 "+started, "10:05:00 "+whole)})
	if err != nil {
		t.Fatal(err)
	}
	want := &event.ProvisioningRequest{
		Telling: event.Telling{Source: "terraform", UpdatedAt: instant("2026-02-01T10:05:00Z")}, ID: "7", ResourceType: "queue", Way: "terraform_module", Status: "ready",
		RequestedAt: job.RequestedAt, ApprovedAt: job.ApprovedAt, ReadyAt: instant("2026-02-01T10:05:00Z"),
	}
	if diff := cmp.Diff([]event.Event{want}, out.Facts); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	// Without a number of the run it is known by its workspace and its beginning.
	out, err = terraform.Output("terraform", terraform.Job{Workspace: "w"}, []terraform.File{lines("10:00:01 "+started, "10:05:00 "+whole)})
	if err != nil || out.Facts[0].(*event.ProvisioningRequest).ID != "w@2026-02-01T10:00:01Z" {
		t.Errorf("got %v, %v", out.Facts, err)
	}
}

func TestOutputThatIsNoneIsRefused(t *testing.T) {
	plan := terraform.File{Name: "plan.json", Text: []byte(`{"format_version":"1.2"}`)}
	good := lines("10:05:00 " + whole)
	for name, tt := range map[string]struct {
		job   terraform.Job
		files []terraform.File
		say   string
	}{
		"no name":           {terraform.Job{}, []terraform.File{good}, "name"},
		"no output":         {terraform.Job{Run: "1"}, []terraform.File{{Name: "a.txt", Text: []byte("Apply complete!")}}, "a.txt"},
		"empty":             {terraform.Job{Run: "1"}, []terraform.File{{Name: "a.txt"}}, "a.txt"},
		"two plans":         {terraform.Job{Run: "1"}, []terraform.File{plan, plan}, "second plan"},
		"a state":           {terraform.Job{Run: "1"}, []terraform.File{{Name: "s", Text: []byte(`{"format_version":"1.0","values":{}}`)}}, "state"},
		"an odd plan":       {terraform.Job{Run: "1"}, []terraform.File{{Name: "s", Text: []byte(`{"format_version":"1.0","configuration":7}`)}}, "cannot be read"},
		"no instant at all": {terraform.Job{Run: "1"}, []terraform.File{plan}, "when"},
		"an odd instant":    {terraform.Job{Run: "1"}, []terraform.File{{Name: "s", Text: []byte(`{"@timestamp":"noon","type":"version"}`)}}, "instant"},
		"an odd pattern":    {terraform.Job{Run: "1", GoldenModules: []string{"/(/"}}, []terraform.File{good}, "golden modules"},
	} {
		if _, err := terraform.Output("terraform", tt.job, tt.files); fault.KindOf(err) != fault.Invalid || !strings.Contains(err.Error(), tt.say) {
			t.Errorf("%s: got %v, want it invalid with %s", name, err, tt.say)
		}
	}
}

func FuzzOutput(f *testing.F) {
	f.Add(lines("10:00:01 "+started, "10:05:00 "+whole).Text, []byte(planOf("./a", "app.terraform.io/acme/rds/aws")))
	f.Fuzz(func(t *testing.T, a, b []byte) {
		out, err := terraform.Output("terraform", terraform.Job{Run: "1", Workspace: "w", GoldenModules: []string{"a"}}, []terraform.File{{Name: "a", Text: a}, {Name: "b", Text: b}})
		if err != nil {
			if fault.KindOf(err) != fault.Invalid {
				t.Errorf("got %v, want it invalid", err)
			}
			return
		}
		for _, e := range out.Facts {
			if _, err := json.Marshal(e); err != nil {
				t.Error(err)
			}
		}
	})
}
