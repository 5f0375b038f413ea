package git

import (
	"errors"
	"regexp"
	"slices"
	"strings"
)

// glob reads a pattern of tag names in the form of `git tag --list`: * is any text, slashes included, ? one character,
// [a-z] and [!a-z] one of a class, and a backslash takes away the meaning of what follows.
func glob(pattern string) (*regexp.Regexp, error) {
	if pattern == "" {
		return nil, errors.New("it is empty")
	}
	var b strings.Builder
	b.WriteString(`^(?s:`)
	for rest := []rune(pattern); len(rest) > 0; {
		c := rest[0]
		rest = rest[1:]
		switch c {
		case '*':
			b.WriteString(`.*`)
		case '?':
			b.WriteString(`.`)
		case '\\':
			if len(rest) == 0 {
				return nil, errors.New("it ends in a backslash")
			}
			b.WriteString(regexp.QuoteMeta(string(rest[0])))
			rest = rest[1:]
		case '[':
			end := slices.Index(rest, ']')
			if end <= 0 {
				return nil, errors.New("it opens a [ and does not close it")
			}
			set := string(rest[:end])
			if set[0] == '!' {
				set = "^" + set[1:]
			}
			b.WriteString("[" + strings.NewReplacer(`\`, `\\`, `[`, `\[`).Replace(set) + "]")
			rest = rest[end+1:]
		default:
			b.WriteString(regexp.QuoteMeta(string(c)))
		}
	}
	b.WriteString(`)$`)
	re, err := regexp.Compile(b.String())
	if err != nil {
		return nil, errors.New("it is not a valid glob")
	}
	return re, nil
}
