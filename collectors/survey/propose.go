package survey

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"gopkg.in/yaml.v3"
)

// Headers of what is no question, as Google Forms and Microsoft Forms write them in some languages.
var (
	submittedHeaders  = []string{"completion time", "timestamp", "submitted at", "submit date (utc)", "submit date", "end date", "zeitstempel", "fertigstellungszeit", "horodateur", "heure de fin", "marca temporal", "hora de finalización", "tijdstempel", "tijd van voltooien", "informazioni cronologiche", "carimbo de data/hora"}
	respondentHeaders = []string{"email", "email address", "e-mail", "e-mail address", "username", "e-mail-adresse", "adresse e-mail", "dirección de correo electrónico", "correo electrónico", "e-mailadres", "indirizzo email"}
	rowIDHeaders      = []string{"id", "response id", "#", "id de respuesta"}
	groupHeaders      = []string{"team", "group", "squad", "department", "your team", "which team are you in?"}
	otherHeaders      = []string{"start time", "name", "last modified time", "startzeit", "heure de début", "hora de inicio", "network id", "start date", "start date (utc)"}
)

// ladders are scales in words that many forms use.
func ladders() [][]string {
	return [][]string{
		{"Very dissatisfied", "Dissatisfied", "Neutral", "Satisfied", "Very satisfied"},
		{"Very dissatisfied", "Somewhat dissatisfied", "Neither satisfied nor dissatisfied", "Somewhat satisfied", "Very satisfied"},
		{"Strongly disagree", "Disagree", "Neutral", "Agree", "Strongly agree"},
		{"Strongly disagree", "Disagree", "Neither agree nor disagree", "Agree", "Strongly agree"},
		{"Very poor", "Poor", "Fair", "Good", "Excellent"},
		{"Never", "Rarely", "Sometimes", "Often", "Always"},
	}
}

// Propose writes a mapping for a file, to be looked through: what a column is, is a guess by its header and its cells.
func Propose(f *File) (string, error) {
	headers := slices.Concat(submittedHeaders, respondentHeaders, groupHeaders)
	t, err := readTable(f, "", headers)
	if err != nil {
		return "", err
	}
	used := map[int]bool{}
	find := func(headers []string) string {
		for _, header := range headers {
			for i := range t.header {
				if !used[i] && strings.EqualFold(t.header[i], header) {
					used[i] = true
					return t.called(i)
				}
			}
		}
		return ""
	}
	submitted := find(submittedHeaders)
	if submitted == "" && len(t.header) > 0 {
		for i := range t.header {
			if t.instants(i) {
				used[i], submitted = true, t.called(i)
				break
			}
		}
	}
	respondent, rowID, group := find(respondentHeaders), find(rowIDHeaders), find(groupHeaders)
	for find(otherHeaders) != "" {
	}
	var b strings.Builder
	say := func(format string, args ...any) { fmt.Fprintf(&b, format, args...) }
	say("# A proposal for %s (%s): look it through, and put right what is wrong.\n", quoted(f.Name), t.form)
	say("id: \"\"                # one that no other wave has, such as 2026Q1\ntitle: \"\"\n")
	first, last := t.span(submitted)
	say("opens: %s\ncloses: %s          # the last day\ntime_zone: UTC        # of the instants in the file, such as Europe/Berlin\n", day(first), day(last))
	say("submitted: %s\n", quoted(submitted))
	if column, err := t.column("", submitted); err == nil {
		if _, err := (&Mapping{Wave: Wave{zone: time.UTC}}).clock(t, column); err != nil {
			say("dates: \"\"             # %s or %s: the file leaves it open\n", dayFirst, monthFirst)
		}
	}
	if respondent != "" {
		say("respondent: %s   # only a salted hash is stored; leave it out to keep the answers nameless\n", quoted(respondent))
	}
	if rowID != "" {
		say("row_id: %s\n", quoted(rowID))
	}
	if group != "" {
		say("group: %s\ninvited:             # how many people were asked: only their answers count, and the response rate needs it\n  groups:\n", quoted(group))
		for _, value := range t.values(group) {
			say("    %s: 0\n", quoted(value))
		}
	} else {
		say("invited:\n  number: 0           # how many people were asked: only their answers count, and the response rate needs it\n")
	}
	say("questions:            # csat_1_5, nps_0_10, multi_select or text; what is not here is left out\n")
	for i := range t.header {
		if !used[i] && t.header[i] != "" {
			say("%s", t.question(i))
		}
	}
	return b.String(), nil
}

// quoted is a text in YAML.
func quoted(text string) string {
	n := yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: text, Style: yaml.DoubleQuotedStyle}
	out, err := yaml.Marshal(&n)
	if err != nil {
		return `""`
	}
	return strings.TrimSpace(string(out))
}

func day(at time.Time) string {
	if at.IsZero() {
		return `""`
	}
	return at.Format(time.DateOnly)
}

// instants says whether a column is full of instants.
func (t *table) instants(column int) bool {
	n := 0
	for _, row := range t.rows {
		if _, err := (clock{zone: time.UTC}).instant(row.at(column)); err != nil {
			if _, err := (clock{zone: time.UTC, dayFirst: true}).instant(row.at(column)); err != nil {
				return false
			}
		}
		n++
	}
	return n > 0
}

// span is from the first to the last instant of a column.
func (t *table) span(name string) (first, last time.Time) {
	column, err := t.column("", name)
	if err != nil {
		return
	}
	c, err := (&Mapping{Wave: Wave{zone: time.UTC}}).clock(t, column)
	if err != nil {
		return
	}
	for _, row := range t.rows {
		at, err := c.instant(row.at(column))
		if err != nil {
			continue
		}
		if first.IsZero() || at.Before(first) {
			first = at
		}
		if at.After(last) {
			last = at
		}
	}
	return first, last
}

// values are the different texts of a column.
func (t *table) values(name string) []string {
	column, err := t.column("", name)
	if err != nil {
		return nil
	}
	return t.different(column)
}

func (t *table) different(column int) []string {
	set := map[string]bool{}
	for _, row := range t.rows {
		if text := tidy(row.at(column)); text != "" {
			set[text] = true
		}
	}
	return sortedKeys(set)
}

// question proposes what a column asks.
func (t *table) question(column int) string {
	q := Question{Column: t.called(column), ID: slug(t.called(column)), Type: freeText}
	values := t.different(column)
	fits := func(kind string) bool {
		probe := Question{Type: kind}
		for _, value := range values {
			if _, err := probe.Scored(value); err != nil {
				return false
			}
		}
		return len(values) > 0
	}
	var scale []string
	for _, ladder := range ladders() {
		if scale == nil && len(values) > 0 && !slices.ContainsFunc(values, func(v string) bool {
			return !slices.ContainsFunc(ladder, func(rung string) bool { return strings.EqualFold(rung, v) })
		}) {
			scale = ladder
		}
	}
	switch {
	case scale != nil:
		q.Type = csat
	case fits(csat):
		q.Type = csat
	case fits(nps):
		q.Type = nps
	case t.many(values, ";"):
		q.Type, q.Separator = MultiSelect, ";"
	case t.many(values, ", "):
		q.Type, q.Separator = MultiSelect, ", "
	}
	out := fmt.Sprintf("  - column: %s\n    id: %s\n    type: %s\n", quoted(q.Column), quoted(q.ID), q.Type)
	if q.Separator != "" {
		out += fmt.Sprintf("    separator: %s\n", quoted(q.Separator))
	}
	if scale != nil {
		out += "    scale:\n"
		for i, rung := range scale {
			out += fmt.Sprintf("      %s: %d\n", quoted(rung), i+1)
		}
	}
	return out
}

// many says whether texts look like several options each, with a separator between: some have it, and parts come again.
func (t *table) many(values []string, separator string) bool {
	parts := map[string]int{}
	several := 0
	for _, value := range values {
		list := strings.Split(strings.TrimSuffix(value, separator), separator)
		if len(list) > 1 || strings.HasSuffix(value, strings.TrimSpace(separator)) {
			several++
		}
		for _, part := range list {
			parts[tidy(part)]++
		}
	}
	again := 0
	for _, n := range parts {
		if n > 1 {
			again++
		}
	}
	return several > 0 && (again*3 >= len(parts) || separator == ";" && several*2 >= len(values))
}

// slug is an id made of the beginning of a header.
func slug(header string) string {
	var b strings.Builder
	for _, r := range strings.ToLower(header) {
		switch {
		case r >= 'a' && r <= 'z' || r >= '0' && r <= '9':
			b.WriteRune(r)
		case b.Len() > 0 && !strings.HasSuffix(b.String(), "_"):
			b.WriteRune('_')
		}
		if b.Len() >= 40 {
			break
		}
	}
	return cmp.Or(strings.Trim(b.String(), "_"), "question")
}
