// Package typeform hears the webhooks of Typeform: each answer to a form becomes a response to a wave of a survey.
package typeform

import (
	"bytes"
	"cmp"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"cairn/collectors/survey"
	"cairn/internal/event"
	"cairn/internal/fault"
	"cairn/internal/hook"
	"cairn/internal/rules"
	"cairn/internal/signature"
	"cairn/internal/source"
)

// Config are the settings of a connection.
type Config struct {
	Name           string   `yaml:"name"`
	WebhookSecrets []string `yaml:"webhook_secrets" secret:"true"`
	Surveys        []Survey `yaml:"surveys"`
}

// Survey is one wave, with the form that asks its questions. Respondent and Group are the ref of a question, or a hidden
// field: hidden.person.
type Survey struct {
	survey.Wave `yaml:",inline"`
	Form        string `yaml:"form"`
	Respondent  string `yaml:"respondent"`
	Group       string `yaml:"group"`
	Invited     string `yaml:"invited"` // list or unknown
}

// Who was asked: Survey.Invited.
const (
	invitedList    = "list"    // cairn ingest survey --invited tells it
	invitedUnknown = "unknown" // whoever answers counts as asked
)

// DefaultConfig returns the settings that hold when nothing is said.
func DefaultConfig() Config { return Config{Name: "typeform"} }

// Receiver hears the webhooks. It is safe for use from several goroutines.
type Receiver struct {
	name    string
	key     []byte
	scheme  *signature.Scheme
	surveys []Survey
}

// New makes a receiver. The rules of forges say nothing about surveys. Errors are fault.Invalid.
func New(cfg Config, _ *rules.Rules) (*Receiver, error) {
	scheme, err := signature.Typeform(cfg.WebhookSecrets...)
	if err != nil {
		return nil, fault.Wrap(fault.Invalid, err, "webhook_secrets")
	}
	if len(cfg.Surveys) == 0 {
		return nil, fault.New(fault.Invalid, "surveys is empty: say which form asks the questions of which survey")
	}
	r := &Receiver{name: cfg.Name, key: []byte(cfg.WebhookSecrets[0]), scheme: scheme, surveys: slices.Clone(cfg.Surveys)}
	for i := range r.surveys {
		s := &r.surveys[i]
		s.Questions = slices.Clone(s.Questions)
		if err := s.check(); err != nil {
			return nil, fault.Wrap(fault.Invalid, err, "surveys[%d]", i)
		}
		for _, other := range r.surveys[:i] {
			if other.ID == s.ID {
				return nil, fault.New(fault.Invalid, "surveys[%d].id is %q, which another wave has, too", i, s.ID)
			}
		}
	}
	return r, nil
}

func (s *Survey) check() error {
	if s.Form == "" {
		return fault.New(fault.Invalid, "form is empty: it is the last part of the form's address")
	}
	if err := s.Check(func(q survey.Question) (string, string) { return "ref", q.Ref }); err != nil {
		return err
	}
	switch {
	case s.Invited != invitedList && s.Invited != invitedUnknown:
		return fault.New(fault.Invalid, "invited is %q: expected list, when cairn ingest survey --invited tells who was asked, or unknown: then whoever answers counts as asked, and the response rate says nothing", s.Invited)
	case s.Invited == invitedList && s.Respondent == "":
		return fault.New(fault.Invalid, "respondent is empty: with invited: list, the answers need something that names the same people, such as hidden.person")
	}
	return nil
}

// Verify says whether the body was signed with one of the secrets: nil, or fault.Denied.
func (r *Receiver) Verify(h http.Header, body []byte, now time.Time) error {
	return r.scheme.Verify(h, body, now)
}

type payload struct {
	EventID   string `json:"event_id,omitempty"`
	EventType string `json:"event_type"`
	Response  struct {
		FormID      string            `json:"form_id"`
		Token       string            `json:"token"`
		SubmittedAt string            `json:"submitted_at,omitempty"`
		Hidden      map[string]scalar `json:"hidden,omitempty"`
		Answers     []json.RawMessage `json:"answers,omitempty"` // each of which may be of a shape that is not known
	} `json:"form_response"`
}

// scalar is a text, whatever it is in JSON.
type scalar string

// UnmarshalJSON takes texts, numbers and flags.
func (s *scalar) UnmarshalJSON(text []byte) error {
	var plain string
	if json.Unmarshal(text, &plain) == nil {
		*s = scalar(plain)
	} else if len(text) > 0 && text[0] != '{' && text[0] != '[' {
		*s = scalar(text)
	}
	return nil
}

type answer struct {
	Type  string `json:"type"`
	Field struct {
		ID  string `json:"id,omitempty"`
		Ref string `json:"ref,omitempty"`
	} `json:"field"`
	Text    string      `json:"text,omitempty"`
	Email   string      `json:"email,omitempty"`
	Phone   string      `json:"phone_number,omitempty"`
	Date    string      `json:"date,omitempty"`
	URL     string      `json:"url,omitempty"`
	FileURL string      `json:"file_url,omitempty"`
	Number  json.Number `json:"number,omitempty"`
	Boolean *bool       `json:"boolean,omitempty"`
	Choice  *struct {
		Label string `json:"label,omitempty"`
		Other string `json:"other,omitempty"`
	} `json:"choice,omitempty"`
	Choices *struct {
		Labels []string `json:"labels,omitempty"`
		Other  string   `json:"other,omitempty"`
	} `json:"choices,omitempty"`
}

func (a answer) is(ref string) bool { return ref != "" && (a.Field.Ref == ref || a.Field.ID == ref) }

// types are the types of answers that are read.
var types = []string{"text", "email", "phone_number", "date", "url", "file_url", "number", "boolean", "choice", "choices"}

// read reads an answer; false when it is of a shape that is not known.
func read(raw json.RawMessage) (a answer, known bool) {
	if json.Unmarshal(raw, &a) != nil {
		return answer{}, false
	}
	return a, len(a.texts()) > 0 || a.Choices != nil || slices.Contains(types, a.Type)
}

// asksFor says whether one of the surveys asks for what a ref names.
func asksFor(surveys []*Survey, ref string) bool {
	return ref != "" && slices.ContainsFunc(surveys, func(s *Survey) bool {
		return s.Respondent == ref || s.Group == ref || slices.ContainsFunc(s.Questions, func(q survey.Question) bool { return q.Ref == ref })
	})
}

// concerns gives the ref that one of the surveys asks for and an answer of an unknown shape is to: what its field says, and
// where it has none that can be read, the first such ref in it; "" when there is none.
func concerns(raw json.RawMessage, surveys []*Survey) string {
	var known struct {
		Field struct{ ID, Ref scalar }
	}
	if json.Unmarshal(raw, &known) == nil && known.Field.ID+known.Field.Ref != "" {
		for _, ref := range []scalar{known.Field.Ref, known.Field.ID} {
			if asksFor(surveys, string(ref)) {
				return string(ref)
			}
		}
		return ""
	}
	found := ""
	var whole any
	_ = json.Unmarshal(raw, &whole) // it was part of what could be read
	rewrite(whole, func(text string) string {
		if found == "" && asksFor(surveys, text) {
			found = text
		}
		return text
	})
	return found
}

// rewrite puts another text in the place of each text and number of something in JSON, and of each name that has an @ in it.
func rewrite(thing any, text func(string) string) any {
	switch thing := thing.(type) {
	case string:
		return text(thing)
	case json.Number:
		if is := text(thing.String()); is != thing.String() {
			return is
		}
	case []any:
		for i := range thing {
			thing[i] = rewrite(thing[i], text)
		}
	case map[string]any:
		for _, name := range slices.Sorted(maps.Keys(thing)) {
			is := rewrite(thing[name], text)
			if strings.Contains(name, "@") {
				delete(thing, name)
				name = text(name)
			}
			thing[name] = is
		}
	}
	return thing
}

// Describe makes the delivery of a verified request. What is kept of the body is what the surveys ask for: other answers,
// forms that no survey is about and addresses of people are not stored, not even until the delivery has been told.
func (r *Receiver) Describe(h http.Header, body []byte) source.Delivery {
	var p payload
	if json.Unmarshal(body, &p) != nil {
		return hook.Describe(r.name, "", "", h, []byte("{}")) // Hear says that it cannot be read
	}
	surveys := r.of(p.Response.FormID)
	for name, value := range p.Response.Hidden {
		if !asksFor(surveys, "hidden."+name) {
			delete(p.Response.Hidden, name)
		} else {
			p.Response.Hidden[name] = scalar(r.nameless(string(value)))
		}
	}
	var kept []json.RawMessage
	for _, raw := range p.Response.Answers {
		if raw = r.kept(raw, surveys); raw != nil {
			kept = append(kept, raw)
		}
	}
	p.Response.Answers = kept
	body, err := json.Marshal(p)
	if err != nil {
		body = []byte("{}")
	}
	id := ""
	if p.Response.Token != "" {
		id = p.EventType + " " + p.Response.Token
	}
	return hook.Describe(r.name, p.EventType, id, h, body)
}

// kept is what is kept of an answer; nil is nothing. One of a shape that is not known is kept as it came, so that it can be
// heard again by who knows it, but for addresses, wherever in it they are, and all that it says of who answered.
func (r *Receiver) kept(raw json.RawMessage, surveys []*Survey) json.RawMessage {
	respondent := func(ref string) bool {
		return ref != "" && slices.ContainsFunc(surveys, func(s *Survey) bool { return s.Respondent == ref })
	}
	a, known := read(raw)
	if !known {
		ref := concerns(raw, surveys)
		if ref == "" {
			return nil
		}
		hide := r.nameless
		if respondent(ref) {
			hide = r.hashed
		}
		var whole any
		d := json.NewDecoder(bytes.NewReader(raw))
		d.UseNumber()
		if d.Decode(&whole) != nil {
			return nil
		}
		fields, _ := whole.(map[string]any)
		kind := fields["type"]
		whole = rewrite(whole, func(text string) string {
			if text == ref || text == kind {
				return text
			}
			return hide(text)
		})
		raw, _ = json.Marshal(whole)
		return raw
	}
	if !asksFor(surveys, a.Field.Ref) && !asksFor(surveys, a.Field.ID) {
		return nil
	}
	a.Email = r.nameless(a.Email)
	if a.Phone != "" {
		a.Phone = r.hashed(a.Phone)
	}
	if respondent(a.Field.Ref) || respondent(a.Field.ID) {
		a.Text, a.URL = r.nameless(a.Text), r.nameless(a.URL)
	}
	raw, _ = json.Marshal(a)
	return raw
}

// nameless puts a keyed hash in the place of an address.
func (r *Receiver) nameless(text string) string {
	if !strings.Contains(text, "@") {
		return text
	}
	return r.hashed(text)
}

func (r *Receiver) hashed(text string) string {
	mac := hmac.New(sha256.New, r.key)
	mac.Write([]byte(survey.Respondent(text)))
	return "nameless-" + hex.EncodeToString(mac.Sum(nil)[:16])
}

// of are the waves that a form asks for.
func (r *Receiver) of(form string) []*Survey {
	var found []*Survey
	for i := range r.surveys {
		if form != "" && r.surveys[i].Form == form {
			found = append(found, &r.surveys[i])
		}
	}
	return found
}

// Reasons to ignore a delivery.
const (
	ignoredForm    = "a form that no survey is about"
	ignoredPartial = "an answer that was not submitted"
	ignoredClosed  = "an answer while no wave was open"
)

// Hear tells what a delivery means. An error, a fault.Invalid, says that it cannot be understood.
//
// The survey is told with each answer, as of that answer, since nothing says when its settings were changed.
func (r *Receiver) Hear(d source.Delivery) (source.Heard, error) {
	var p payload
	if err := hook.Decode(d.Body, &p); err != nil {
		return source.Heard{}, err
	}
	switch {
	case p.EventType == "form_response_partial":
		return source.Heard{Ignored: ignoredPartial}, nil
	case p.EventType != "form_response" || p.Response.FormID == "" || p.Response.Token == "":
		return source.Heard{}, fault.New(fault.Invalid, "the payload has no event_type form_response, or no form_response.form_id or token")
	}
	waves := r.of(p.Response.FormID)
	if len(waves) == 0 {
		return source.Heard{Ignored: ignoredForm}, nil
	}
	if p.Response.SubmittedAt == "" {
		return source.Heard{Ignored: ignoredPartial}, nil
	}
	at, err := hook.Instant("form_response.submitted_at", p.Response.SubmittedAt)
	if err != nil {
		return source.Heard{}, err
	}
	i := slices.IndexFunc(waves, func(s *Survey) bool { return s.Open(at) })
	if i < 0 {
		return source.Heard{Ignored: ignoredClosed}, nil
	}
	s := waves[i]
	answers, err := p.answers(s)
	if err != nil {
		return source.Heard{}, err
	}
	response := &event.SurveyResponse{Survey: s.ID, SubmittedAt: at, Respondent: survey.Respondent(p.of(answers, s.Respondent))}
	if response.Respondent == "" {
		response.Respondent = "token-" + p.Response.Token
	}
	for n := range s.Questions {
		given, err := answerTo(answers, &s.Questions[n])
		if err != nil {
			return source.Heard{}, fault.Wrap(fault.Invalid, err, "the answer to %s", s.Questions[n].ID)
		}
		response.Answers = append(response.Answers, given)
	}
	response.UpdatedAt = at
	facts := []event.Event{s.Survey(at), response}
	if s.Invited == invitedUnknown {
		facts = append(facts, &event.SurveyInvitation{
			Telling: event.Telling{UpdatedAt: at}, Survey: s.ID, Respondent: response.Respondent, Group: s.GroupOf(p.of(answers, s.Group)), SentAt: s.OpensAt(),
		})
	}
	return hook.Told(r.name, facts...)
}

// answers are those that a survey asks for. One of a shape that is not known is a fault.Invalid; others do no harm.
func (p *payload) answers(s *Survey) ([]answer, error) {
	var all []answer
	for _, raw := range p.Response.Answers {
		if a, known := read(raw); known {
			all = append(all, a)
		} else if ref := concerns(raw, []*Survey{s}); ref != "" {
			return nil, fault.New(fault.Invalid, "the answer to %.60q is of a shape that is not known: expected one of the types %s, with its value", ref, strings.Join(types, ", "))
		}
	}
	return all, nil
}

// of is what a hidden field or a question says.
func (p *payload) of(answers []answer, ref string) string {
	if name, hidden := strings.CutPrefix(ref, "hidden."); hidden {
		return string(p.Response.Hidden[name])
	}
	for _, a := range answers {
		if a.is(ref) {
			return strings.Join(a.texts(), ", ")
		}
	}
	return ""
}

// texts are what an answer says, one text for each option.
func (a answer) texts() []string {
	switch {
	case a.Choices != nil:
		if a.Choices.Other != "" {
			return append(slices.Clone(a.Choices.Labels), a.Choices.Other)
		}
		return a.Choices.Labels
	case a.Choice != nil:
		return []string{cmp.Or(a.Choice.Label, a.Choice.Other)}
	case a.Boolean != nil:
		return []string{strconv.FormatBool(*a.Boolean)}
	}
	if text := cmp.Or(a.Text, a.Number.String(), a.Email, a.Phone, a.Date, a.URL, a.FileURL); text != "" {
		return []string{text}
	}
	return nil
}

// answerTo is the answer to a question: left empty, where a question that may be skipped was.
func answerTo(answers []answer, q *survey.Question) (event.SurveyAnswer, error) {
	for _, a := range answers {
		if !a.is(q.Ref) {
			continue
		}
		texts := a.texts()
		if q.Type == survey.MultiSelect {
			return q.Ticked(texts)
		}
		return q.Cell(strings.Join(texts, ", "))
	}
	return event.SurveyAnswer{Question: q.ID}, nil
}
