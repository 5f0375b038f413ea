// Package grafana makes the dashboards that are in the folder beside it, for a Grafana whose data source is cairn itself.
// The program does not need it: `make dashboards` writes the files, and a test compares them.
package grafana

//lint:file-ignore SA1019 the form that every Grafana since 12 reads from files; that of dashboardv2 is for later ones

import (
	"encoding/json"
	"fmt"

	"github.com/grafana/grafana-foundation-sdk/go/dashboard"
)

// Folder is where the files belong, seen from this package.
const Folder = "dashboards"

// Dashboard is one with the file that it belongs in.
type Dashboard struct {
	File string
	Text []byte // JSON
}

// Dashboards makes all of them.
func Dashboards() ([]Dashboard, error) {
	var list []Dashboard
	for name, b := range map[string]*board{
		"organisation": organisation(), "team": team(), "service": service(), "adoption": adoption(), "satisfaction": satisfaction(), "health": health(),
	} {
		made, err := b.build()
		if err != nil {
			return nil, fmt.Errorf("the dashboard %s: %w", name, err)
		}
		text, err := written(made)
		if err != nil {
			return nil, fmt.Errorf("the dashboard %s: %w", name, err)
		}
		list = append(list, Dashboard{name + ".json", text})
	}
	return list, nil
}

// written is a dashboard as its file has it.
func written(d dashboard.Dashboard) ([]byte, error) {
	text, err := json.MarshalIndent(d, "", "  ")
	return append(text, '\n'), err
}
