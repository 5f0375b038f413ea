package tickets

import (
	"encoding/json"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/tidwall/gjson"

	"cairn/internal/event"
	"cairn/internal/fault"
	"cairn/internal/hook"
	"cairn/internal/source"
)

// Reasons to ignore a delivery.
const (
	ignoredEvent = "an event that is not about the state of a ticket"
	ignoredOther = "a ticket that is no incident by the rules"
)

// Hear tells the ticket of a delivery, if it is an incident. An error, a fault.Invalid, names the path at which something
// else stands than the mapping expects.
func (r *Receiver) Hear(d source.Delivery) (source.Heard, error) {
	var whole json.RawMessage
	if err := hook.Decode(d.Body, &whole); err != nil { // also bounds how deep it is
		return source.Heard{}, err
	}
	ticket := gjson.ParseBytes(whole)
	if !ticket.IsObject() {
		return source.Heard{}, fault.New(fault.Invalid, "the payload is not an object, as a ticket is")
	}
	for _, rule := range r.events {
		if got := texts(ticket.Get(rule.path)); len(got) > 0 && !rule.fit(got) {
			return source.Heard{Ignored: ignoredEvent}, nil
		}
	}
	for _, rule := range r.incidents {
		if got := ticket.Get(rule.path); !got.Exists() && !ticket.Get(parent(rule.path)).Exists() {
			return source.Heard{Ignored: "nothing stands at " + rule.path + ", by which incidents are told"}, nil
		} else if !rule.fit(texts(got)) {
			return source.Heard{Ignored: ignoredOther}, nil
		}
	}
	fact, err := r.fact(ticket)
	if err != nil {
		return source.Heard{}, err
	}
	if fact.UpdatedAt.IsZero() {
		fact.UpdatedAt = d.ReceivedAt // the mapping names no field: the later delivery is the later state
	}
	return hook.Told(r.cfg.Name, fact)
}

// parent is the path of what has the thing at a path; what the whole has is its own.
func parent(path string) string {
	if at := strings.LastIndexByte(path, '.'); at > 0 {
		return path[:at]
	}
	return path
}

func (r rule) fit(got []string) bool {
	_, fits := r.fits.Of(got...)
	return fits
}

// fact is what a ticket that is an incident means.
func (r *Receiver) fact(ticket gjson.Result) (*event.Incident, error) {
	fields := r.cfg.Fields
	f := &event.Incident{}
	var key string
	for _, field := range []struct {
		name  string
		paths []string
		to    *string
	}{{"id", fields.ID, &f.ID}, {"key", fields.Key, &key}, {"title", fields.Title, &f.Title}, {"severity", fields.Severity, &f.Severity}, {"url", fields.URL, &f.URL}} {
		text, _, err := text(ticket, field.name, field.paths)
		if err != nil {
			return nil, err
		}
		*field.to = text
	}
	restored, resolved := "", ""
	for _, field := range []struct {
		name  string
		paths []string
		to    *time.Time
		path  *string
	}{
		{"started", fields.Started, &f.StartedAt, nil}, {"detected", fields.Detected, &f.DetectedAt, nil}, {"acknowledged", fields.Acknowledged, &f.AcknowledgedAt, nil},
		{"restored", fields.Restored, &f.RestoredAt, &restored}, {"resolved", fields.Resolved, &f.ResolvedAt, &resolved}, {"updated", fields.Updated, &f.UpdatedAt, nil},
	} {
		at, path, err := r.instant(ticket, field.name, field.paths)
		if err != nil {
			return nil, err
		}
		if *field.to = at; field.path != nil {
			*field.path = path
		}
	}
	switch {
	case f.ID == "":
		return nil, missing("id", fields.ID)
	case f.StartedAt.IsZero():
		return nil, missing("started", fields.Started)
	case f.UpdatedAt.IsZero() && len(fields.Updated) > 0:
		return nil, missing("updated", fields.Updated)
	}
	if revision, _, err := text(ticket, "revision", fields.Revision); err != nil {
		return nil, err
	} else if n, err := strconv.ParseFloat(revision, 64); err == nil && n > 0 && !f.UpdatedAt.IsZero() {
		f.UpdatedAt = f.UpdatedAt.Truncate(time.Second).Add(time.Duration(min(n, 999)) * time.Millisecond)
	}
	if err := r.end(ticket, f, restored); err != nil {
		return nil, err
	}
	f.URL = r.address(f, key)
	if slices.ContainsFunc(r.withdrawn, func(rule rule) bool { return rule.fit(texts(ticket.Get(rule.path))) }) {
		hook.Withdraw(f)
		return f, nil
	}
	var names []string
	for _, path := range fields.Service {
		if names = texts(ticket.Get(path)); len(names) > 0 {
			break
		}
	}
	if f.Service = r.services.Or(names...); f.Service == "" && len(names) > 0 {
		hook.LeaveOut(f)
	}
	return f, nil
}

// end says whether the ticket is over: by its status where there is one, else by when it was resolved.
func (r *Receiver) end(ticket gjson.Result, f *event.Incident, restored string) error {
	over := !f.ResolvedAt.IsZero()
	if len(r.cfg.Fields.Status) > 0 {
		var got []string
		for _, path := range r.cfg.Fields.Status {
			got = append(got, texts(ticket.Get(path))...)
		}
		if len(got) == 0 {
			return missing("status", r.cfg.Fields.Status)
		}
		_, over = r.resolved.Of(got...)
	}
	switch {
	case !over:
		// What says when it was resolved is of a time before it was opened again.
		if f.ResolvedAt = (time.Time{}); slices.Contains(r.cfg.Fields.Resolved, restored) {
			f.RestoredAt = time.Time{}
		}
	case f.ResolvedAt.IsZero():
		f.ResolvedAt = f.UpdatedAt // nothing says when: it was over by then
	}
	if f.RestoredAt.IsZero() && over && len(r.cfg.Fields.Restored) == 0 {
		f.RestoredAt = f.ResolvedAt
	}
	return nil
}

// address is where people see the ticket. Jira's own address of it is one for programs.
func (r *Receiver) address(f *event.Incident, key string) string {
	switch {
	case r.cfg.Link != "":
		return strings.NewReplacer("{id}", url.PathEscape(f.ID), "{key}", url.PathEscape(key)).Replace(r.cfg.Link)
	case r.cfg.Preset == "jira" && key != "":
		if at, _, found := strings.Cut(f.URL, "/rest/api/"); found {
			return at + "/browse/" + url.PathEscape(key)
		}
	}
	return f.URL
}

func missing(name string, paths []string) error {
	return fault.New(fault.Invalid, "fields.%s: nothing stands at %s", name, strings.Join(paths, " or "))
}

// texts are the texts, numbers and truth values at a path: one, or those of a list.
func texts(at gjson.Result) []string {
	if at.IsArray() {
		var all []string
		for _, one := range at.Array() {
			if !one.IsArray() {
				all = append(all, texts(one)...)
			}
		}
		return all
	}
	if at.Type == gjson.Null || at.Type == gjson.JSON || at.String() == "" {
		return nil
	}
	return []string{at.String()}
}

// text is the first text that stands at one of the paths, and the path.
func text(ticket gjson.Result, name string, paths []string) (string, string, error) {
	for _, path := range paths {
		at := ticket.Get(path)
		if all := texts(at); len(all) > 0 {
			return all[0], path, nil
		}
		if at.IsObject() || at.IsArray() && len(at.Array()) > 0 {
			return "", "", fault.New(fault.Invalid, "fields.%s: at %s stands %s: expected a text; name the part of it, such as %s.name", name, path, shown(at), path)
		}
	}
	return "", "", nil
}

// layouts are the ways of writing an instant that are read, beside RFC 3339. Jira's zones have no colon; ServiceNow's
// instants have no zone at all.
func layouts() []string {
	return []string{time.RFC3339, "2006-01-02T15:04:05Z0700", "2006-01-02 15:04:05 Z0700", "2006-01-02 15:04:05 MST", "2006-01-02T15:04:05", "2006-01-02 15:04:05", "2006-01-02T15:04", "2006-01-02 15:04"}
}

// instant is the first instant that stands at one of the paths, and the path; the zero time when there is none.
func (r *Receiver) instant(ticket gjson.Result, name string, paths []string) (time.Time, string, error) {
	for _, path := range paths {
		written, found, err := text(ticket, name, []string{path})
		if err != nil {
			return time.Time{}, "", err
		}
		if found == "" || written == "0" {
			continue
		}
		at, ok := r.parse(written)
		if !ok {
			return time.Time{}, "", fault.New(fault.Invalid, "fields.%s: at %s stands %s: expected an instant, such as 2026-01-31T09:30:00Z", name, path, shown(ticket.Get(path)))
		}
		if !at.IsZero() {
			return at, path, nil
		}
	}
	return time.Time{}, "", nil
}

// parse reads an instant in one of the layouts, or seconds or milliseconds since 1970. Years before 1970, with which some
// systems say "not yet", are the zero time.
func (r *Receiver) parse(written string) (time.Time, bool) {
	written = strings.TrimSpace(written)
	var at time.Time
	if n, err := strconv.ParseFloat(written, 64); err == nil {
		if n < 1e11 { // as milliseconds that would be before 1974
			n *= 1000
		}
		if !(n >= 1e11 && n < 4.3e12) {
			return time.Time{}, false
		}
		at = time.UnixMilli(int64(n))
	} else {
		parsed := false
		for _, layout := range layouts() {
			if t, err := time.ParseInLocation(layout, written, r.zone); err == nil {
				at, parsed = t, true
				break
			}
		}
		if !parsed || at.Year() > 2105 {
			return time.Time{}, false
		}
	}
	if at.Year() < 1970 {
		return time.Time{}, true
	}
	return at.UTC().Truncate(time.Millisecond), true
}

// shown is what stands somewhere, for a person: not all of it.
func shown(at gjson.Result) string {
	const most = 60
	raw := strings.ToValidUTF8(at.Raw, "?")
	if runes := []rune(raw); len(runes) > most {
		raw = string(runes[:most]) + "…"
	}
	switch {
	case !at.Exists():
		return "nothing"
	case at.IsObject():
		return "an object, " + raw
	case at.IsArray():
		return "a list, " + raw
	}
	return raw
}
