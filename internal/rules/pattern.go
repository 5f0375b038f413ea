package rules

import (
	"errors"
	"fmt"
	"regexp"
	"regexp/syntax"
	"slices"
	"strings"

	"cairn/internal/fault"
)

// pattern is a compiled pattern of the configuration. The zero pattern fits everything.
type pattern struct {
	text    string         // as it was written
	literal bool           // text stands for itself
	re      *regexp.Regexp // else, unless the pattern fits everything
	group   bool           // whether {1} stands for something
}

// compile reads a pattern: between slashes a regular expression, else * for any text, slashes included, and ? for one
// character. Letters fit in either case.
func compile(text string) (pattern, error) {
	p := pattern{text: text}
	if len(text) > 1 && text[0] == '/' && text[len(text)-1] == '/' {
		written := text[1 : len(text)-1]
		if written == "" {
			return pattern{}, fault.New(fault.Invalid, "it is an empty regular expression")
		}
		re, err := regexp.Compile("(?i)" + written)
		if err != nil {
			// Of the error only the reason is told: the text is told already.
			reason := err.Error()
			if e, ok := errors.AsType[*syntax.Error](err); ok {
				reason = e.Code.String()
			}
			return pattern{}, fault.New(fault.Invalid, "it is no regular expression: %s", reason)
		}
		p.re, p.group = re, re.NumSubexp() > 0
		return p, nil
	}
	if strings.TrimSpace(text) == "" {
		return pattern{}, fault.New(fault.Invalid, "it is empty")
	}
	if !strings.ContainsAny(text, "*?") {
		p.literal = true
		return p, nil
	}
	var b strings.Builder
	b.WriteString("(?is:^")
	for _, c := range text {
		switch {
		case c == '*' && !p.group: // the first is what {1} stands for
			b.WriteString("(.*?)")
			p.group = true
		case c == '*':
			b.WriteString(".*?")
		case c == '?':
			b.WriteString(".")
		default:
			b.WriteString(regexp.QuoteMeta(string(c)))
		}
	}
	b.WriteString("$)")
	re, err := regexp.Compile(b.String())
	if err != nil {
		return pattern{}, fault.New(fault.Invalid, "it is no pattern: %w", err)
	}
	p.re = re
	return p, nil
}

// fits says whether the pattern fits a text.
func (p pattern) fits(text string) bool {
	switch {
	case p.re != nil:
		return p.re.MatchString(text)
	case p.literal:
		return strings.EqualFold(p.text, text)
	}
	return true
}

// first is what {1} stands for, when the pattern fits: the text of the first * or group, as short as it can be.
func (p pattern) first(text string) string {
	if p.re == nil || !p.group {
		return ""
	}
	if found := p.re.FindStringSubmatch(text); found != nil {
		return found[1]
	}
	return ""
}

var placeholder = regexp.MustCompile(`\{[^{}]*\}`)

// expand puts in what {name}, {repository} and {1} stand for.
func expand(template, repository, first string) string {
	name := repository[strings.LastIndexByte(repository, '/')+1:]
	return strings.TrimSpace(strings.NewReplacer("{name}", name, "{repository}", repository, "{1}", first).Replace(template))
}

// inspection collects what is wrong with a configuration.
type inspection struct{ wrong []string }

func (in *inspection) say(format string, args ...any) {
	in.wrong = append(in.wrong, fmt.Sprintf(format, args...))
}

func (in *inspection) fault() error {
	if len(in.wrong) == 0 {
		return nil
	}
	return fault.New(fault.Invalid, "%s", strings.Join(in.wrong, "; "))
}

// pattern compiles the pattern at a place of the configuration. example completes "such as".
func (in *inspection) pattern(place, text, example string) pattern {
	if strings.TrimSpace(text) == "" {
		in.say("%s is empty: expected a pattern, such as %s", place, example)
		return pattern{}
	}
	p, err := compile(text)
	if err != nil {
		in.say("%s is %q: %s", place, text, err)
	}
	return p
}

// optional compiles a pattern that may be left out, which then fits everything.
func (in *inspection) optional(place, text string) pattern {
	if text == "" {
		return pattern{}
	}
	return in.pattern(place, text, "*")
}

// template checks the placeholders of a text. from is the pattern that {1} is taken from.
func (in *inspection) template(place, text string, from *pattern) {
	for _, found := range placeholder.FindAllString(text, -1) {
		switch {
		case found == "{name}" || found == "{repository}":
		case found == "{1}" && from != nil && from.group:
		case found == "{1}" && from != nil && from.text == "":
			in.say("%s is %q: {1} stands for the text of a *, but the rule has no pattern that it could be in", place, text)
		case found == "{1}" && from != nil:
			in.say("%s is %q: {1} stands for the text of the first * or group, but %q has none", place, text, from.text)
		case from != nil:
			in.say("%s is %q: there is no %s; expected {name}, {repository} or {1}", place, text, found)
		default:
			in.say("%s is %q: there is no %s; expected {name} or {repository}", place, text, found)
		}
	}
}

// oneOf checks a word. An empty one is wrong, too.
func (in *inspection) oneOf(place, word string, words ...string) {
	if !slices.Contains(words, word) {
		in.say("%s is %q: expected one of %s", place, word, strings.Join(words, ", "))
	}
}
