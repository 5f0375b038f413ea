package backstage

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"time"

	"cairn/internal/event"
	"cairn/internal/turn"
)

// checksPosition is how far the checks have been run.
type checksPosition struct {
	turn.Versioned
	After string `json:"after,omitempty"` // reference of the last component that was checked
	Going bool   `json:"going,omitempty"`
	Day   int64  `json:"day,omitempty"` // of this run, seconds
}

// checked is what the checks say of an entity.
type checked struct {
	Entity  string `json:"entity"`
	Results []struct {
		Check struct {
			ID   string `json:"id"`
			Name string `json:"name"`
		} `json:"check"`
		Result json.RawMessage `json:"result"`
	} `json:"results"`
}

// perRun is how many entities are checked with one request.
const perRun = 50

// readChecks runs the configured checks over the services of the catalogue: they only look at facts that were gathered
// before. Tech Insights does not say when that was; what a check finds counts for the day of the run.
func readChecks(ctx context.Context, t *Turn) error {
	p, err := turn.Read[checksPosition](t.Stream(), t.Position())
	if err != nil {
		return err
	}
	if !p.Going {
		p.Going, p.After, p.Day = true, "", t.asOf.Truncate(24*time.Hour).Unix()
	}
	all := t.c.refs()
	defer func() {
		left := 0
		if p.Going {
			left = len(after(all, p.After))
		}
		t.Progress.Total, t.Progress.Done, t.Progress.Complete = int64(len(all)), int64(len(all)-left), !p.Going
	}()
	var ids []string
	for _, check := range t.c.cfg.Checks {
		if !slices.Contains(ids, check.Check) {
			ids = append(ids, check.Check)
		}
	}
	for p.Going {
		if t.Spent() {
			t.Progress.More = true
			return nil
		}
		refs := after(all, p.After)
		refs = refs[:min(len(refs), perRun)]
		if len(refs) == 0 {
			p.Going, p.After = false, ""
			t.Move(&p)
			return nil
		}
		type named struct {
			Kind      string `json:"kind"`
			Namespace string `json:"namespace"`
			Name      string `json:"name"`
		}
		var asked []named
		for _, ref := range refs {
			kind, rest, _ := strings.Cut(ref, ":")
			namespace, name, _ := strings.Cut(rest, "/")
			asked = append(asked, named{kind, namespace, name})
		}
		var answer []checked
		if err := t.post(ctx, "/api/tech-insights/checks/run", map[string]any{"entities": asked, "checks": ids}, &answer); err != nil {
			return err
		}
		for _, one := range answer {
			if err := t.tellChecks(one, time.Unix(p.Day, 0).UTC()); err != nil {
				return err
			}
		}
		p.After = refs[len(refs)-1]
		t.Move(&p)
	}
	return nil
}

// tellChecks tells what checks found of a service.
func (t *Turn) tellChecks(found checked, day time.Time) error {
	ref := strings.ToLower(found.Entity)
	id, ok := t.c.id(ref)
	if !ok || id == "" {
		return nil
	}
	for _, check := range t.c.cfg.Checks {
		for _, result := range found.Results {
			var passed bool
			if result.Check.ID != check.Check || json.Unmarshal(result.Result, &passed) != nil {
				continue // no yes or no, such as a percentage
			}
			state, said := "golden", " passed"
			if !passed {
				state, said = "none", " failed"
				if check.Failed != "" {
					state = check.Failed
				}
			}
			use := &event.CapabilityUse{Service: id, Capability: check.Capability, ObservedAt: day, State: state, Evidence: clip("check " + check.Check + said + " for " + ref)}
			if err := t.tell(t.asOf, use); err != nil {
				return err
			}
		}
	}
	return nil
}

// refs are those of the components that are services, sorted.
func (c *Connection) refs() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.tracked
}

// after are the texts of a sorted list that come after one.
func after(sorted []string, text string) []string {
	if text == "" {
		return sorted
	}
	i, is := slices.BinarySearch(sorted, text)
	if is {
		i++
	}
	return sorted[i:]
}
