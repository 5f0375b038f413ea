package port

import (
	"cmp"
	"encoding/json"
	"net/http"
	"slices"
	"time"

	"cairn/internal/event"
	"cairn/internal/fault"
	"cairn/internal/hook"
	"cairn/internal/source"
)

// Receiver hears the webhooks of automations, whose body is the event itself, and of blueprints that send their changes.
// It is safe for use from several goroutines.
type Receiver struct{ c *Connection }

// Receiver hears what the connection's settings are about. Without a secret it is fault.Invalid.
func (c *Connection) Receiver() (*Receiver, error) {
	if c.scheme == nil {
		return nil, fault.New(fault.Invalid, "connection %s: webhooks need the client secret they are signed with: client_secret or webhook_secrets", c.cfg.Name)
	}
	return &Receiver{c}, nil
}

// Verify says whether the raw body was signed with one of the secrets, not long ago: nil, or fault.Denied.
func (r *Receiver) Verify(h http.Header, body []byte, now time.Time) error {
	return r.c.scheme.Verify(h, body, now)
}

// happening is what happened to an entity or a run.
type happening struct {
	Action       string `json:"action"`
	ResourceType string `json:"resourceType"`
	Trigger      struct {
		At string `json:"at"`
	} `json:"trigger"`
	Context struct {
		BlueprintIdentifier string `json:"blueprintIdentifier"`
		Blueprint           string `json:"blueprint"`
		EntityIdentifier    string `json:"entityIdentifier"`
		Entity              string `json:"entity"`
		RunID               string `json:"runId"`
	} `json:"context"`
	Diff struct {
		Before json.RawMessage `json:"before"`
		After  json.RawMessage `json:"after"`
	} `json:"diff"`
}

// readHappening reads a body, which an automation makes of the event: its parts, or the event as a whole under that name.
func readHappening(body []byte) (happening, error) {
	var what struct {
		happening
		Event *happening `json:"event"`
	}
	if err := hook.Decode(body, &what); err != nil {
		return happening{}, err
	}
	if what.Event != nil && what.ResourceType == "" {
		return *what.Event, nil
	}
	return what.happening, nil
}

// Describe makes the delivery of a verified request. Port sends no id: it goes by its body.
func (r *Receiver) Describe(h http.Header, body []byte) source.Delivery {
	what, _ := readHappening(body) // Hear says what is wrong with it
	name := what.ResourceType
	if name != "" && what.Action != "" {
		name += "." + what.Action
	}
	return hook.Describe(r.c.cfg.Name, name, "", h, body, "X-Port-Timestamp")
}

// Reasons to ignore a delivery.
const (
	ignoredOther     = "a resource that is neither an entity nor a run"
	ignoredBlueprint = "a blueprint that is neither services nor teams"
	ignoredRun       = "a run of an automation, or of an action that is not asked for"
	ignoredName      = "an entity that a rule leaves out"
)

// Hear tells what a delivery means. An error, a fault.Invalid, says that it cannot be understood.
func (r *Receiver) Hear(d source.Delivery) (source.Heard, error) {
	what, err := readHappening(d.Body)
	if err != nil {
		return source.Heard{}, err
	}
	switch what.ResourceType {
	case "entity":
		return r.entity(what)
	case "run", "actionRun":
		return r.run(what)
	case "":
		return source.Heard{}, fault.New(fault.Invalid, "the payload has no resourceType: the body of the automation has to have the event's action, resourceType, trigger, context and diff")
	}
	return source.Heard{Ignored: ignoredOther}, nil
}

func absent(text json.RawMessage) bool { return len(text) == 0 || string(text) == "null" }

// entity tells a service or team, which the event has whole. Who owned it until when is told by the catalogue, which knows since when.
func (r *Receiver) entity(what happening) (source.Heard, error) {
	c := r.c
	blueprint := cmp.Or(what.Context.BlueprintIdentifier, what.Context.Blueprint)
	state, gone := what.Diff.After, false
	if absent(state) && what.Action == "DELETE" {
		state, gone = what.Diff.Before, true
	}
	if absent(state) {
		return source.Heard{}, fault.New(fault.Invalid, "the payload has no diff.after, or no diff.before of an entity that was deleted")
	}
	e, ok := readEntity(state, blueprint)
	if !ok {
		return source.Heard{}, fault.New(fault.Invalid, "the payload's entity has no identifier")
	}
	i := slices.IndexFunc(c.cfg.Blueprints, func(b Blueprint) bool { return b.Blueprint == e.Blueprint })
	if i < 0 {
		return source.Heard{Ignored: ignoredBlueprint}, nil
	}
	b := c.cfg.Blueprints[i]
	at := e.UpdatedAt
	when, err := hook.Instant("trigger.at", what.Trigger.At)
	if err != nil {
		return source.Heard{}, err
	}
	if at.IsZero() || gone {
		at = when
	}
	if at.IsZero() {
		return source.Heard{}, fault.New(fault.Invalid, "the payload has no instant: neither updatedAt of the entity nor trigger.at")
	}
	var facts []event.Event
	if b.Is == isTeam {
		if team := c.teamFact(b, e); team != nil {
			if gone {
				team.RetiredAt = at
			}
			facts = append(facts, team)
		}
	} else if service := c.service(b, e); service != nil {
		if gone {
			service.RetiredAt = at
		}
		facts = append(facts, service)
		if teams := c.owners(b, e); what.Action == "CREATE" && absent(what.Diff.Before) {
			for _, team := range teams {
				facts = append(facts, &event.Ownership{Service: service.ID, Team: team})
			}
		}
	}
	if len(facts) == 0 {
		return source.Heard{Ignored: ignoredName}, nil
	}
	for _, fact := range facts {
		fact.Common().UpdatedAt = at
	}
	heard, err := hook.Told(c.cfg.Name, facts...)
	if err != nil {
		return heard, err
	}
	before, _ := readEntity(what.Diff.Before, blueprint)
	if c.cfg.Reads() && b.Is == isService && !slices.Equal(c.owners(b, before), c.owners(b, e)) || c.cfg.Reads() && gone {
		heard.Wakes = []source.Wake{{Stream: source.Catalogue}}
	}
	return heard, nil
}

// run tells a run, which the event has whole unless a person had to approve it: then when that was is read.
func (r *Receiver) run(what happening) (source.Heard, error) {
	c := r.c
	if absent(what.Diff.After) {
		return source.Heard{}, fault.New(fault.Invalid, "the payload has no diff.after")
	}
	now, ok := readRun(what.Diff.After)
	if !ok {
		return source.Heard{}, fault.New(fault.Invalid, "the payload's run has no id, or no createdAt")
	}
	if !c.cfg.Requests || !c.takes(now) {
		return source.Heard{Ignored: ignoredRun}, nil
	}
	var approved time.Time
	if before, ok := readRun(what.Diff.Before); ok {
		approved = approvedAt(&before, &now)
	}
	facts := c.requestFacts(now, approved)
	if len(facts) == 0 {
		return source.Heard{}, fault.New(fault.Invalid, "the run has a status that is not known: %.40q", now.Status)
	}
	at := now.changed()
	whole := !now.approval() || now.Status == waiting || now.Status == declined
	if !whole {
		at = at.Add(-time.Millisecond) // of two tellings of one state the one that knows the approval wins
	}
	for _, fact := range facts {
		fact.Common().UpdatedAt = at
	}
	heard, err := hook.Told(c.cfg.Name, facts...)
	if err == nil && !whole && c.cfg.Reads() {
		heard.Wakes = []source.Wake{{Stream: source.Requests, Subject: now.ID}}
	}
	return heard, err
}
