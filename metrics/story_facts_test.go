package metrics_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"cairn/internal/event"
)

// sectionKinds are the headings under which facts stand.
var sectionKinds = map[string]string{
	"repositories":          event.KindRepository,
	"branches":              event.KindBranch,
	"commits":               event.KindCommit,
	"change_requests":       event.KindChangeRequest,
	"pipeline_runs":         event.KindPipelineRun,
	"deployments":           event.KindDeployment,
	"incidents":             event.KindIncident,
	"services":              event.KindService,
	"ownership":             event.KindOwnership,
	"teams":                 event.KindTeam,
	"people":                event.KindPerson,
	"memberships":           event.KindMembership,
	"provisioning_requests": event.KindProvisioningRequest,
	"capability_uses":       event.KindCapabilityUse,
	"capability_exemptions": event.KindCapabilityExemption,
	"surveys":               event.KindSurvey,
	"survey_invitations":    event.KindSurveyInvitation,
	"survey_responses":      event.KindSurveyResponse,
	"slos":                  event.KindSLO,
}

// defaults are the values of columns that a story leaves out.
var defaults = map[string]map[string]string{
	event.KindBranch:              {"repository": "shop", "name": "main", "default": "true"},
	event.KindCommit:              {"repository": "shop", "author": "ann"},
	event.KindChangeRequest:       {"repository": "shop"},
	event.KindPipelineRun:         {"repository": "shop"},
	event.KindDeployment:          {"service": "shop", "environment": "production", "status": "succeeded"},
	event.KindIncident:            {"service": "shop"},
	event.KindOwnership:           {"service": "shop"},
	event.KindCapabilityUse:       {"service": "shop"},
	event.KindCapabilityExemption: {"service": "shop"},
	event.KindSLO:                 {"service": "shop"},
}

// table are the facts of one section.
type table struct {
	kind   string
	line   int
	header []column
	rows   []cells
}

// column is a field with the place at which its cells begin, in characters.
type column struct {
	name string
	at   int
}

// cells are the cells of one line that are not empty.
type cells struct {
	line   int
	values map[string]string
}

// add reads the header or one fact.
func (t *table) add(line int, text string) error {
	found := pieces(text)
	if t.header == nil {
		for _, c := range found {
			if slices.ContainsFunc(t.header, func(o column) bool { return o.name == c.name }) {
				return fmt.Errorf("column %q stands there twice", c.name)
			}
			if _, ok := fieldsOf(t.kind)[c.name]; !ok && shorthands[t.kind][c.name] == nil {
				return fmt.Errorf("a %s has no field %q", t.kind, c.name)
			}
			t.header = append(t.header, c)
		}
		return nil
	}
	row := cells{line: line, values: map[string]string{}}
	for _, c := range found {
		i := slices.IndexFunc(t.header, func(h column) bool { return h.at == c.at })
		if i < 0 {
			return fmt.Errorf("%q stands below no column: expected cells to begin where their headings do", c.name)
		}
		if c.name != "-" {
			row.values[t.header[i].name] = c.name
		}
	}
	t.rows = append(t.rows, row)
	return nil
}

// pieces are the texts of a line that stand two or more spaces apart.
func pieces(text string) []column {
	var list []column
	runes := []rune(text)
	for i := 0; i < len(runes); {
		if runes[i] == ' ' {
			i++
			continue
		}
		end := i
		for end < len(runes) && !(runes[end] == ' ' && (end+1 == len(runes) || runes[end+1] == ' ')) {
			end++
		}
		list = append(list, column{name: string(runes[i:end]), at: i})
		i = end
	}
	return list
}

// fieldsOf are the types of a kind's fields by their names in JSON.
func fieldsOf(kind string) map[string]reflect.Type {
	fields := map[string]reflect.Type{}
	for _, f := range reflect.VisibleFields(reflect.TypeOf(event.New(kind)).Elem()) {
		if name := f.Tag.Get("json"); name != "" {
			fields[name] = f.Type
		}
	}
	return fields
}

// repositoriesOf finds the repositories of each service that is built from only one.
func repositoriesOf(tables []*table) map[string]string {
	only := map[string]string{}
	for _, t := range tables {
		if t.kind != event.KindService {
			continue
		}
		for _, r := range t.rows {
			list := strings.Split(r.values["repositories"], ",")
			repository, _, _ := strings.Cut(list[0], ":")
			switch {
			case len(list) > 1:
				repository = "" // no sha says which is meant
			case repository == "":
				repository = r.values["id"]
			}
			for _, name := range append(strings.Split(r.values["aliases"], ","), r.values["id"]) {
				only[name] = repository
			}
		}
	}
	return only
}

// facts reads the rows as events. only is the repository of each service that has one.
func (t *table) facts(only map[string]string) ([]event.Event, error) {
	if len(t.rows) == 0 {
		return nil, fmt.Errorf("%d: the table is empty", t.line)
	}
	var all []event.Event
	for _, r := range t.rows {
		for name, value := range defaults[t.kind] {
			if !slices.ContainsFunc(t.header, func(c column) bool { return c.name == name }) {
				r.values[name] = value
			}
		}
		if r.values["committed_at"] == "" && t.kind == event.KindCommit {
			r.values["committed_at"] = r.values["authored_at"]
		}
		e, err := t.fact(r, only)
		if err != nil {
			return nil, fmt.Errorf("%d: %w", r.line, err)
		}
		all = append(all, e)
	}
	return all, nil
}

// fact writes a row as JSON and has the strict decoder read it.
func (t *table) fact(r cells, only map[string]string) (event.Event, error) {
	object := map[string]any{"type": t.kind}
	types := fieldsOf(t.kind)
	for name, text := range r.values {
		if f := shorthands[t.kind][name]; f != nil {
			field, value, err := f(text, r.values, only)
			if err != nil {
				return nil, fmt.Errorf("%s is %q: %w", name, text, err)
			}
			object[field] = value
			continue
		}
		value, err := cell(types[name], text)
		if err != nil {
			return nil, fmt.Errorf("%s is %q: %w", name, text, err)
		}
		object[name] = value
	}
	line, err := json.Marshal(object)
	if err != nil {
		return nil, err
	}
	var d event.Decoder
	var b event.Batch
	err = d.Decode(strings.NewReader(string(line)), &b)
	if bad := (*event.Errors)(nil); errors.As(err, &bad) {
		first := bad.List[0]
		first.Line = 0 // the story's own line says where
		return nil, &first
	}
	if err != nil {
		return nil, err
	}
	for e := range b.All() {
		return e, nil
	}
	return nil, fmt.Errorf("%s holds no event", line)
}

// cell turns a cell into what JSON has in its place.
func cell(typ reflect.Type, text string) (any, error) {
	switch {
	case typ == reflect.TypeFor[time.Time]():
		at, err := instant(text)
		return at, err
	case typ == reflect.TypeFor[[]string]():
		return strings.Split(text, ","), nil
	case typ.Kind() == reflect.Pointer:
		return cell(typ.Elem(), text)
	case typ.Kind() == reflect.String:
		return text, nil
	case typ.Kind() == reflect.Bool:
		return strconv.ParseBool(text)
	case typ.Kind() == reflect.Int64 || typ.Kind() == reflect.Float64:
		if _, err := strconv.ParseFloat(text, 64); err != nil {
			return nil, fmt.Errorf("expected a number")
		}
		return json.Number(text), nil
	case cellsOf[typ] != nil:
		return cellsOf[typ](text)
	}
	return nil, fmt.Errorf("a story cannot write a %s", typ)
}

// shorthand reads a cell of a column that is no field: of which field it is, and its value.
type shorthand func(text string, row map[string]string, only map[string]string) (field string, value any, err error)

// shorthands are columns beside the fields of a kind.
var shorthands = map[string]map[string]shorthand{
	event.KindDeployment: {
		// sha is the revision of the service's only repository, NEW or OLD..NEW where the producer says what was live
		// before. A service that lists no repository has one of its own name.
		"sha": func(text string, row, only map[string]string) (string, any, error) {
			repository, listed := only[row["service"]]
			if !listed {
				repository = row["service"]
			}
			if repository == "" {
				return "", nil, fmt.Errorf("%s has several repositories: name them under revisions", row["service"])
			}
			v, err := revisions(repository + "@" + text)
			return "revisions", v, err
		},
	},
}

// cellsOf read the cells whose fields are lists of objects.
var cellsOf = map[reflect.Type]func(string) (any, error){
	reflect.TypeFor[[]event.Revision]():          revisions,
	reflect.TypeFor[[]event.ServiceRepository](): serviceRepositories,
	reflect.TypeFor[[]event.SurveyQuestion]():    surveyQuestions,
	reflect.TypeFor[[]event.SurveyGroup]():       surveyGroups,
	reflect.TypeFor[[]event.SurveyAnswer]():      surveyAnswers,
}

// revisions are shop@c1,lib@OLD..NEW.
func revisions(text string) (any, error) {
	var list []map[string]string
	for _, item := range strings.Split(text, ",") {
		repository, sha, ok := strings.Cut(item, "@")
		if !ok {
			return nil, fmt.Errorf("expected repository@sha")
		}
		r := map[string]string{"repository": repository}
		if previous, next, told := strings.Cut(sha, ".."); told {
			r["previous_sha"], sha = previous, next
		}
		r["sha"] = sha
		list = append(list, r)
	}
	return list, nil
}

// serviceRepositories are shop,mono:web+docs~shared+lib: paths of the service's own, and after ~ those it shares.
func serviceRepositories(text string) (any, error) {
	var list []map[string]any
	for _, item := range strings.Split(text, ",") {
		repository, paths, _ := strings.Cut(item, ":")
		own, shared, _ := strings.Cut(paths, "~")
		r := map[string]any{"repository": repository}
		if own != "" {
			r["paths"] = strings.Split(own, "+")
		}
		if shared != "" {
			r["shared_paths"] = strings.Split(shared, "+")
		}
		list = append(list, r)
	}
	return list, nil
}

// surveyQuestions are happy:csat_1_5,pain:multi_select.
func surveyQuestions(text string) (any, error) {
	return pairs(text, ":", "id", "type")
}

// surveyGroups are all,web<all: a group, and after < the one it is part of.
func surveyGroups(text string) (any, error) {
	return pairs(text, "<", "id", "parent")
}

func pairs(text, separator, first, second string) (any, error) {
	var list []map[string]string
	for _, item := range strings.Split(text, ",") {
		a, b, _ := strings.Cut(item, separator)
		m := map[string]string{first: a}
		if b != "" {
			m[second] = b
		}
		list = append(list, m)
	}
	return list, nil
}

// surveyAnswers are happy=4,pain=ci+docs!5,text= : a score, ticked options with how bad each is, and a question left
// empty. none=[] is an answer that ticks nothing.
func surveyAnswers(text string) (any, error) {
	var list []map[string]any
	for _, item := range strings.Split(text, ",") {
		question, value, ok := strings.Cut(item, "=")
		if !ok {
			return nil, fmt.Errorf("expected question=answer")
		}
		a := map[string]any{"question": question}
		if score, err := strconv.Atoi(value); err == nil {
			a["score"] = score
		} else if value == "[]" {
			a["options"] = []string{}
		} else if value != "" {
			var options []string
			severity := map[string]int{}
			for _, o := range strings.Split(value, "+") {
				name, bad, rated := strings.Cut(o, "!")
				options = append(options, name)
				if rated {
					if severity[name], err = strconv.Atoi(bad); err != nil {
						return nil, fmt.Errorf("how bad %s is: %w", name, err)
					}
				}
			}
			a["options"] = options
			if len(severity) > 0 {
				a["severity"] = severity
			}
		}
		list = append(list, a)
	}
	return list, nil
}
