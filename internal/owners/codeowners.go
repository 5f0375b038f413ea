package owners

import (
	"slices"
	"strings"
)

// Syntax is how a system reads CODEOWNERS.
type Syntax int

const (
	// Plain is that of GitHub: lines of a pattern and owners, of which the last one that fits decides. A # begins a comment
	// wherever it stands. Neither sections nor exceptions are known: such a line is a pattern that fits nothing.
	Plain Syntax = iota
	// Sections is that of GitLab: sections, each of which decides for itself and may have owners for the lines that name
	// none; exceptions (!), and spaces behind a backslash.
	Sections
)

// CodeOwners is what a file of code owners says. A file without sections is one.
type CodeOwners struct {
	syntax   Syntax
	sections [][]ownedPath
}

// ownedPath is a line of a file of code owners.
type ownedPath struct {
	pattern string
	owners  []string // without the @
	except  bool     // takes paths away from the section
}

// ReadCodeOwners reads a file of code owners.
func ReadCodeOwners(text string, syntax Syntax) CodeOwners {
	c := CodeOwners{syntax: syntax, sections: [][]ownedPath{nil}}
	if len(text) > MaxFile {
		return c
	}
	var inherited []string
	for line := range strings.Lines(text) {
		if syntax == Plain {
			line, _, _ = strings.Cut(line, "#")
			if fields := strings.Fields(line); len(fields) > 0 {
				c.add(ownedPath{pattern: fields[0], owners: ownersIn(fields[1:])})
			}
			continue
		}
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		if heading, rest, ok := strings.Cut(strings.TrimPrefix(line, "^"), "]"); ok && strings.HasPrefix(heading, "[") && len(heading) > 1 {
			if strings.HasPrefix(rest, "[") { // how many approvals are needed
				_, rest, _ = strings.Cut(rest, "]")
			}
			inherited = ownersIn(strings.Fields(rest))
			c.sections = append(c.sections, nil)
			continue
		}
		fields := pathFields(line)
		owned := ownedPath{owners: ownersIn(fields[1:])}
		if len(owned.owners) == 0 {
			owned.owners = inherited
		}
		owned.pattern, owned.except = strings.CutPrefix(fields[0], "!")
		c.add(owned)
	}
	return c
}

// add adds a line to the last section.
func (c *CodeOwners) add(line ownedPath) {
	last := len(c.sections) - 1
	c.sections[last] = append(c.sections[last], line)
}

// pathFields are the words of a line, where a space behind a backslash belongs to the word.
func pathFields(line string) []string {
	fields := strings.Fields(strings.ReplaceAll(strings.ReplaceAll(line, `\ `, "\x00"), `\#`, "#"))
	for i, f := range fields {
		fields[i] = strings.ReplaceAll(f, "\x00", " ")
	}
	if len(fields) == 0 {
		return []string{""}
	}
	return fields
}

// ownersIn are those of the words that name an account or a group. Roles (@@developer) and addresses are left out.
func ownersIn(words []string) []string {
	var owners []string
	for _, w := range words {
		if strings.HasPrefix(w, "#") {
			break
		}
		if name, ok := strings.CutPrefix(w, "@"); ok && name != "" && !strings.HasPrefix(name, "@") {
			owners = append(owners, name)
		}
	}
	return owners
}

// Of are the accounts and groups, without the @, that own everything in a folder, or the whole repository (""): in each
// section the last line that covers it decides. Which of them are teams only the system knows.
func (c CodeOwners) Of(folder string) []string {
	var owners []string
	for _, section := range c.sections {
		for _, line := range slices.Backward(section) {
			if c.syntax.everything(line.pattern) || line.covers(folder) {
				if !line.except {
					owners = append(owners, line.owners...)
				}
				break
			}
		}
	}
	return owners
}

// everything says whether a pattern is about the whole repository.
func (s Syntax) everything(pattern string) bool {
	switch pattern {
	case "*", "**", "/**":
		return true
	case "/", "/*", "/**/*", "**/*":
		return s == Sections
	}
	return false
}

// covers says whether a line is about everything in a folder.
func (o ownedPath) covers(folder string) bool {
	if folder == "" {
		return false
	}
	pattern := strings.TrimSuffix(strings.TrimSuffix(strings.TrimSuffix(o.pattern, "*"), "*"), "/")
	rooted := strings.HasPrefix(pattern, "/")
	pattern = strings.TrimPrefix(pattern, "/")
	if pattern == "" || strings.ContainsAny(pattern, "*?[") {
		return false
	}
	return folder == pattern || strings.HasPrefix(folder, pattern+"/") ||
		!rooted && (strings.HasSuffix(folder, "/"+pattern) || strings.Contains(folder, "/"+pattern+"/"))
}
