package metricstest

import (
	"context"
	"embed"
	"encoding/json"
	"fmt"
	"time"

	"cairn/internal/store"
)

//go:embed organisation/*.sql
var files embed.FS

// Organisation is the size of an organisation whose derived tables are made up.
type Organisation struct {
	Services    int
	Teams       int
	People      int
	Deployments int // of each service
	From, To    time.Time
}

// Large is the organisation of the published figures: 500 services, 50 teams, 300,000 deployments and 2.8 million
// changes in two years.
func Large() Organisation {
	return Organisation{
		Services: 500, Teams: 50, People: 2000, Deployments: 600,
		From: time.Date(2024, 7, 1, 0, 0, 0, 0, time.UTC), To: time.Date(2026, 7, 1, 0, 0, 0, 0, time.UTC),
	}
}

// Scale is the same organisation with fewer services and teams.
func (o Organisation) Scale(services, teams int) Organisation {
	o.Services, o.Teams = services, teams
	return o
}

// Service and Team name one of them; they count from 0.
func Service(i int) string { return fmt.Sprintf("service%04d", i) }

// Team names a team.
func Team(i int) string { return fmt.Sprintf("team%02d", i) }

// derivations is how many times the derived tables were added to: as in life, their rows are in several parts, and
// each part has rows of every service.
const derivations = 24

// Derived fills the catalogue and the derived tables.
func (o Organisation) Derived(ctx context.Context, st *store.Store) error {
	interval := o.To.Sub(o.From).Truncate(time.Second) / time.Duration(o.Deployments)
	p := store.Params{
		"services": o.Services, "teams": o.Teams, "people": o.People, "from": o.From, "to": o.To,
		"middle": o.From.Add(o.To.Sub(o.From) / 2), "interval": int(interval.Seconds()),
	}
	for _, name := range []string{
		"services", "attributed_services", "teams", "ownership", "people", "waiting", "incidents", "capability_uses", "capability_exemptions",
		"surveys", "survey_invitations", "survey_responses", "slos",
	} {
		if err := o.run(ctx, st, name, p); err != nil {
			return err
		}
	}
	for i := range derivations {
		first, next := o.Deployments*i/derivations, o.Deployments*(i+1)/derivations
		p["first"], p["count"], p["revision"] = first, next-first, i+1
		p["since"] = o.From.Add(time.Duration(first) * interval.Truncate(time.Second))
		for _, name := range []string{"deployments", "runs", "changes", "commits"} {
			if err := o.run(ctx, st, name, p); err != nil {
				return err
			}
		}
	}
	return nil
}

// Settled fills the catalogue and the derived tables, and tells attribution, which catchUp brings up to date, that it has
// seen everything there is: made-up derived tables stay as they are.
func (o Organisation) Settled(ctx context.Context, st *store.Store, catchUp func(context.Context) error) error {
	// Without a single fact attribution leaves no bookmark.
	if err := Deployments(ctx, st, "first", "first", []string{"a"}, 1, o.From.AddDate(-1, 0, 0), time.Hour); err != nil {
		return err
	}
	if err := catchUp(ctx); err != nil {
		return err
	}
	if err := o.Derived(ctx, st); err != nil {
		return err
	}
	var position string
	if err := st.QueryRow(ctx, "SELECT position FROM cursors FINAL WHERE owner = 'attribution' AND stream = 'facts'", nil).Scan(&position); err != nil {
		return err
	}
	var bookmark map[string]any
	if err := json.Unmarshal([]byte(position), &bookmark); err != nil {
		return err
	}
	bookmark["position"] = time.Now().Add(115 * time.Second).UTC() // a look reaches back two minutes
	text, err := json.Marshal(bookmark)
	if err != nil {
		return err
	}
	return st.Exec(ctx, "INSERT INTO cursors (owner, stream, position) VALUES ('attribution', 'facts', {position:String})", store.Params{"position": string(text)})
}

func (o Organisation) run(ctx context.Context, st *store.Store, name string, p store.Params) error {
	text, err := files.ReadFile("organisation/" + name + ".sql")
	if err != nil {
		return err
	}
	if err := st.Exec(ctx, string(text), p); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return nil
}
