package grafana_test

//lint:file-ignore SA1019 the form that every Grafana since 12 reads from files; that of dashboardv2 is for later ones

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/grafana/grafana-foundation-sdk/go/cog/plugins"
	"github.com/grafana/grafana-foundation-sdk/go/dashboard"

	"cairn/grafana"
)

// write, set by make dashboards, has the files written.
const write = "CAIRN_WRITE_DASHBOARDS"

func TestTheFilesAreWhatTheCodeMakes(t *testing.T) {
	list, err := grafana.Dashboards()
	if err != nil {
		t.Fatal(err)
	}
	made := map[string]bool{}
	for _, d := range list {
		path := filepath.Join(grafana.Folder, d.File)
		made[path] = true
		if os.Getenv(write) != "" {
			if err := os.WriteFile(path, d.Text, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		if text, err := os.ReadFile(path); err != nil || !bytes.Equal(text, d.Text) {
			t.Errorf("%s is not what the code makes (%v): run make dashboards", path, err)
		}
	}
	files, _ := filepath.Glob(filepath.Join(grafana.Folder, "*"))
	for _, path := range files {
		if !made[path] {
			t.Errorf("nothing makes %s", path)
		}
	}
}

// Grafana's own schema knows every field of the files, and they keep what Grafana asks of dashboards together.
func TestDashboardsAreAsGrafanaExpects(t *testing.T) {
	plugins.RegisterDefaultPlugins()
	list, err := grafana.Dashboards()
	if err != nil {
		t.Fatal(err)
	}
	uids := map[string]string{}
	for _, one := range list {
		var d, strict dashboard.Dashboard
		if err := strict.UnmarshalJSONStrict(one.Text); err != nil && err.Error() != "" { // it is a list, empty where all is well
			t.Errorf("%s: %v", one.File, err)
		}
		if err := json.Unmarshal(one.Text, &d); err != nil {
			t.Errorf("%s: %v", one.File, err)
			continue
		}
		if err := d.Validate(); err != nil && err.Error() != "" {
			t.Errorf("%s: %v", one.File, err)
		}
		if d.Uid == nil || len(*d.Uid) > 40 || uids[*d.Uid] != "" {
			t.Errorf("%s: its uid is not one of its own, of at most 40 characters", one.File)
			continue
		}
		uids[*d.Uid] = one.File
		if d.Id != nil || d.SchemaVersion < 39 || d.Title == nil || d.Editable == nil || *d.Editable {
			t.Errorf("%s: expected no id, a schema version of 39 or more, a title, and not editable", one.File)
		}
		ids := map[uint32]bool{}
		taken := map[[2]uint32]string{}
		check := func(id *uint32, title *string, at *dashboard.GridPos) {
			if id == nil || *id == 0 || ids[*id] {
				t.Errorf("%s: the panel %v has no id of its own", one.File, title)
				return
			}
			ids[*id] = true
			for x := at.X; x < at.X+at.W; x++ {
				for y := at.Y; y < at.Y+at.H; y++ {
					if x >= 24 || taken[[2]uint32{x, y}] != "" {
						t.Errorf("%s: %s lies on %s or beside the grid", one.File, *title, taken[[2]uint32{x, y}])
						return
					}
					taken[[2]uint32{x, y}] = *title
				}
			}
		}
		for _, p := range d.Panels {
			if p.RowPanel != nil {
				check(&p.RowPanel.Id, p.RowPanel.Title, p.RowPanel.GridPos)
				continue
			}
			check(p.Panel.Id, p.Panel.Title, p.Panel.GridPos)
			if p.Panel.Description == nil || *p.Panel.Description == "" {
				t.Errorf("%s: %s does not say what it is", one.File, *p.Panel.Title)
			}
		}
	}
	if len(list) != 6 {
		t.Errorf("%d dashboards, want 6", len(list))
	}
}

// No verdicts, and nothing in place of a number that is not there.
func TestDashboardsJudgeNothingAndMakeUpNothing(t *testing.T) {
	list, err := grafana.Dashboards()
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range list {
		text := string(d.Text)
		for _, word := range []string{"elite", "thresholds", "or vector(0)", "low performer"} {
			if strings.Contains(strings.ToLower(text), word) {
				t.Errorf("%s has %q", d.File, word)
			}
		}
		for _, m := range regexp.MustCompile(`"(spanNulls|insertNulls)": (\S+?),?\n`).FindAllStringSubmatch(text, -1) {
			if m[2] != "false" {
				t.Errorf("%s: %s is %s: a gap would be drawn over", d.File, m[1], m[2])
			}
		}
		if !json.Valid(d.Text) {
			t.Errorf("%s is no JSON", d.File)
		}
	}
}
