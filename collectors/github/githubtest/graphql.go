package githubtest

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"unicode"
)

// A small GraphQL: one operation with variables, fields with aliases and arguments, inline fragments, named fragments and
// the directives @include and @skip. What a field means is said by the objects in schema.go; a field that they do not
// have is an error, as at GitHub.

// selection is one field that was asked for, or a fragment (on is set).
type selection struct {
	alias, name string
	args        map[string]any // variables are already in
	on          string
	fields      []selection
	spread      string
	skipped     bool
}

// object is one thing of the graph.
type object struct {
	kind string
	get  func(field string, args map[string]any) (any, bool)
}

// graphError is one entry of the list of errors.
type graphError struct {
	Type    string `json:"type,omitempty"`
	Path    []any  `json:"path,omitempty"`
	Message string `json:"message"`
}

type parser struct {
	text      string
	at        int
	variables map[string]any
	used      map[string]bool
	fragments map[string]selection
	mistake   string
}

func (p *parser) fail(format string, args ...any) {
	if p.mistake == "" {
		p.mistake = fmt.Sprintf(format, args...) + fmt.Sprintf(" at %d", p.at)
	}
	p.at = len(p.text)
}

func (p *parser) space() {
	for p.at < len(p.text) {
		switch c := p.text[p.at]; {
		case c == '#':
			for p.at < len(p.text) && p.text[p.at] != '\n' {
				p.at++
			}
		case c == ',' || unicode.IsSpace(rune(c)):
			p.at++
		default:
			return
		}
	}
}

// take skips a text if it comes next.
func (p *parser) take(text string) bool {
	p.space()
	if strings.HasPrefix(p.text[p.at:], text) {
		p.at += len(text)
		return true
	}
	return false
}

func (p *parser) need(text string) {
	if !p.take(text) {
		p.fail("expected %q", text)
	}
}

func (p *parser) word() string {
	p.space()
	from := p.at
	for p.at < len(p.text) && (p.text[p.at] == '_' || p.text[p.at] < 128 && (unicode.IsLetter(rune(p.text[p.at])) || unicode.IsDigit(rune(p.text[p.at])))) {
		p.at++
	}
	if from == p.at {
		p.fail("expected a name")
	}
	return p.text[from:p.at]
}

// document reads an operation and its fragments and gives the operation's fields.
func (p *parser) document() []selection {
	var fields []selection
	for p.space(); p.at < len(p.text); p.space() {
		if strings.HasPrefix(p.text[p.at:], "{") {
			fields = p.set()
			continue
		}
		switch word := p.word(); word {
		case "query":
			p.space()
			if !strings.HasPrefix(p.text[p.at:], "(") && !strings.HasPrefix(p.text[p.at:], "{") {
				p.word()
			}
			if p.take("(") {
				for !p.take(")") && p.mistake == "" {
					p.need("$")
					name := p.word()
					p.need(":")
					required := p.kind()
					if p.take("=") {
						if value := p.value(); p.variables[name] == nil {
							p.variables[name] = value
						}
					} else if required && p.variables[name] == nil {
						p.fail("Variable $%s of type %s was provided invalid value", name, "!")
					}
					if _, given := p.variables[name]; !given {
						p.variables[name] = nil
					}
					p.used[name] = false
				}
			}
			fields = p.set()
		case "fragment":
			name := p.word()
			p.need("on")
			on := p.word()
			p.fragments[name] = selection{on: on, fields: p.set()}
		default:
			p.fail("no such operation: %s", word)
		}
	}
	return fields
}

// kind reads a type and says whether it is required.
func (p *parser) kind() bool {
	if p.take("[") {
		p.kind()
		p.need("]")
	} else {
		p.word()
	}
	return p.take("!")
}

func (p *parser) set() []selection {
	p.need("{")
	var fields []selection
	for !p.take("}") && p.mistake == "" {
		var s selection
		if p.take("...") {
			p.space()
			if p.take("on ") {
				s.on = p.word()
			} else {
				s.spread = p.word()
			}
			p.directives(&s)
			if s.on != "" {
				s.fields = p.set()
			}
		} else {
			s.name = p.word()
			s.alias = s.name
			if p.take(":") {
				s.name = p.word()
			}
			if p.take("(") {
				s.args = map[string]any{}
				for !p.take(")") && p.mistake == "" {
					name := p.word()
					p.need(":")
					s.args[name] = p.value()
				}
			}
			p.directives(&s)
			p.space()
			if strings.HasPrefix(p.text[p.at:], "{") {
				s.fields = p.set()
			}
		}
		if !s.skipped {
			fields = append(fields, s)
		}
	}
	return fields
}

func (p *parser) directives(s *selection) {
	for p.take("@") {
		name := p.word()
		p.need("(")
		p.need("if")
		p.need(":")
		yes, _ := p.value().(bool)
		p.need(")")
		s.skipped = s.skipped || name == "include" && !yes || name == "skip" && yes
	}
}

func (p *parser) value() any {
	p.space()
	switch {
	case p.take("$"):
		name := p.word()
		if _, declared := p.used[name]; !declared {
			p.fail("Variable $%s is used but not declared", name)
		}
		p.used[name] = true
		return p.variables[name]
	case p.take("{"):
		o := map[string]any{}
		for !p.take("}") && p.mistake == "" {
			name := p.word()
			p.need(":")
			o[name] = p.value()
		}
		return o
	case p.take("["):
		list := []any{}
		for !p.take("]") && p.mistake == "" {
			list = append(list, p.value())
		}
		return list
	case strings.HasPrefix(p.text[p.at:], `"`):
		decoder := json.NewDecoder(strings.NewReader(p.text[p.at:]))
		var text string
		if err := decoder.Decode(&text); err != nil {
			p.fail("a text is not closed")
			return nil
		}
		p.at += int(decoder.InputOffset())
		return text
	}
	p.take("-")
	switch word := p.word(); word {
	case "true", "false":
		return word == "true"
	case "null":
		return nil
	default:
		if n, err := strconv.Atoi(word); err == nil {
			return float64(n)
		}
		return word // an enum's
	}
}

// graphRun answers one operation.
type graphRun struct {
	fragments map[string]selection
	errors    []graphError
	points    int // connections asked for, in all
	nodes     int
	counted   map[string]bool // fields whose pages are in points and nodes
}

// run gives what was selected of an object. times is how many objects there may be of its place, by the sizes of the
// pages around it.
func (g *graphRun) run(o *object, fields []selection, path []any, times int) m {
	out := m{}
	g.into(out, o, fields, path, times)
	return out
}

func (g *graphRun) into(out m, o *object, fields []selection, path []any, times int) {
	for _, s := range fields {
		if s.spread != "" {
			fragment, known := g.fragments[s.spread]
			if !known {
				g.errors = append(g.errors, graphError{Message: "Fragment " + s.spread + " was used, but not defined"})
				continue
			}
			s = selection{on: fragment.on, fields: fragment.fields}
		}
		if s.on != "" {
			if s.on == o.kind || s.on == "Actor" || s.on == "Node" {
				g.into(out, o, s.fields, path, times)
			}
			continue
		}
		here := append(path[:len(path):len(path)], s.alias)
		if s.name == "__typename" {
			out[s.alias] = o.kind
			continue
		}
		value, known := o.get(s.name, s.args)
		if !known {
			g.errors = append(g.errors, graphError{Path: here, Message: fmt.Sprintf("Field '%s' doesn't exist on type '%s'", s.name, o.kind)})
			continue
		}
		if failure, failed := value.(graphError); failed {
			failure.Path = here
			g.errors = append(g.errors, failure)
			out[s.alias] = nil
			continue
		}
		value = g.value(value, s, here, times)
		if old, twice := out[s.alias].(m); twice {
			if more, nested := value.(m); nested {
				for key, v := range more {
					old[key] = v
				}
				continue
			}
		}
		out[s.alias] = value
	}
}

func (g *graphRun) value(value any, s selection, path []any, times int) any {
	needs := func(kind string) {
		if s.fields == nil {
			g.errors = append(g.errors, graphError{Path: path, Message: fmt.Sprintf("Field must have selections (field '%s' returns %s but has no selections)", s.name, kind)})
		}
	}
	switch v := value.(type) {
	case *object:
		if v == nil {
			return nil
		}
		needs(v.kind)
		return g.run(v, s.fields, path, times)
	case []*object:
		list := []any{}
		for i, o := range v {
			if o == nil {
				list = append(list, nil)
				continue
			}
			needs(o.kind)
			list = append(list, g.run(o, s.fields, append(path[:len(path):len(path)], i), times))
		}
		return list
	case *connection:
		needs(v.kind)
		size := 0
		for _, name := range []string{"first", "last"} {
			if n, given := s.args[name].(float64); given {
				size = int(n)
			}
		}
		if size < 1 || size > 100 {
			g.errors = append(g.errors, graphError{Type: "EXCESSIVE_PAGINATION", Path: path, Message: fmt.Sprintf("You must provide a `first` or `last` value between 1 and 100 to properly paginate the `%s` connection.", s.name)})
			return nil
		}
		// GitHub counts what a query may cost before it runs: each connection once, for all objects that it may be of.
		place := ""
		for _, step := range path {
			if name, named := step.(string); named {
				place += "." + name
			}
		}
		if !g.counted[place] {
			g.counted[place] = true
			g.points += times
			g.nodes += times * size
		}
		return g.run(v.object(s.args, size), s.fields, path, times*size)
	}
	if s.fields != nil && value != nil {
		g.errors = append(g.errors, graphError{Path: path, Message: fmt.Sprintf("Selections can't be made on scalars (field '%s')", s.name)})
	}
	return value
}

// connection is a list with pages.
type connection struct {
	kind  string
	total int
	// node makes one item; cursor names it, so that a page begins behind a cursor even when things have moved.
	node   func(i int) *object
	cursor func(i int) string
	// past says whether an item comes after a cursor.
	past func(i int, cursor string) bool
}

func (c *connection) object(args map[string]any, size int) *object {
	from := 0
	if after, given := args["after"].(string); given && after != "" {
		for from < c.total && !c.past(from, after) {
			from++
		}
	}
	to := min(from+size, c.total)
	if _, fromEnd := args["last"]; fromEnd && args["last"] != nil {
		to = c.total
		if before, given := args["before"].(string); given && before != "" {
			for i := range c.total {
				if c.cursor(i) == before {
					to = i
				}
			}
		}
		from = max(0, to-size)
	}
	return &object{c.kind, func(field string, _ map[string]any) (any, bool) {
		switch field {
		case "totalCount":
			return c.total, true
		case "nodes":
			list := []*object{}
			for i := from; i < to; i++ {
				list = append(list, c.node(i))
			}
			return list, true
		case "edges":
			list := []*object{}
			for i := from; i < to; i++ {
				list = append(list, &object{c.kind + "Edge", func(field string, _ map[string]any) (any, bool) {
					switch field {
					case "node":
						return c.node(i), true
					case "cursor":
						return c.cursor(i), true
					}
					return nil, false
				}})
			}
			return list, true
		case "pageInfo":
			return &object{"PageInfo", func(field string, _ map[string]any) (any, bool) {
				switch field {
				case "hasNextPage":
					return to < c.total, true
				case "hasPreviousPage":
					return from > 0, true
				case "endCursor":
					if to > from {
						return c.cursor(to - 1), true
					}
					return nil, true
				case "startCursor":
					if to > from {
						return c.cursor(from), true
					}
					return nil, true
				}
				return nil, false
			}}, true
		}
		return nil, false
	}}
}

// graphQL is POST /graphql. It answers 200 to nearly everything, with the errors inside.
func (f *Fake) graphQL(r *http.Request) answer {
	var request struct {
		Query     string         `json:"query"`
		Variables map[string]any `json:"variables"`
	}
	if err := json.NewDecoder(r.Body).Decode(&request); err != nil {
		return problem(http.StatusBadRequest, "Problems parsing JSON")
	}
	p := &parser{text: request.Query, variables: request.Variables, used: map[string]bool{}, fragments: map[string]selection{}}
	if p.variables == nil {
		p.variables = map[string]any{}
	}
	fields := p.document()
	for name, used := range p.used {
		if !used {
			p.fail("Variable $%s is declared by but not used", name)
		}
	}
	if p.mistake != "" {
		f.problems = append(f.problems, p.mistake+" in "+request.Query)
		return ok(m{"errors": []graphError{{Message: p.mistake}}})
	}
	g := &graphRun{fragments: p.fragments, counted: map[string]bool{}}
	body := m{}
	data := g.run(f.query(g, r), fields, nil, 1)
	const most = 500_000
	if g.nodes > most {
		g.errors = []graphError{{Type: "MAX_NODE_LIMIT_EXCEEDED", Message: fmt.Sprintf("This query requests up to %d possible nodes which exceeds the maximum limit of %d.", g.nodes, most)}}
		f.problems = append(f.problems, g.errors[0].Message)
		return ok(m{"errors": g.errors})
	}
	body["data"] = data
	if len(g.errors) > 0 {
		body["errors"] = g.errors
		for _, e := range g.errors {
			if e.Type != "NOT_FOUND" {
				f.problems = append(f.problems, fmt.Sprint(e))
			}
		}
	}
	a := ok(body)
	a.cost = g.cost()
	return a
}

// cost is the points of a query: the requests that its connections would take one by one, in hundreds.
func (g *graphRun) cost() int { return max(1, (g.points+50)/100) }
