package attribution

import (
	"fmt"
	"strings"

	"github.com/bmatcuk/doublestar/v4"
)

// Filter says which files of a repository belong to a service. The zero Filter takes every file.
type Filter struct {
	prefixes []string
	globs    []string
}

// NewFilter makes a filter of path prefixes, matched by whole segments (web matches web and web/x, not webapp/x), and
// of globs, recognised by one of *?[{ (services/*/api, **/*.proto). No patterns at all take every file.
func NewFilter(patterns []string) (Filter, error) {
	var f Filter
	for _, p := range patterns {
		p = strings.TrimPrefix(strings.TrimSuffix(p, "/"), "./")
		switch {
		case p == "" || p == ".":
			return Filter{}, nil
		case strings.ContainsAny(p, "*?[{"):
			if !doublestar.ValidatePattern(p) {
				return Filter{}, fmt.Errorf("path pattern %q: not a valid glob", p)
			}
			f.globs = append(f.globs, p)
		default:
			f.prefixes = append(f.prefixes, p)
		}
	}
	return f, nil
}

// Everything tells whether the filter takes every file.
func (f Filter) Everything() bool { return len(f.prefixes) == 0 && len(f.globs) == 0 }

// Match tells whether any of the paths belongs to the service.
func (f Filter) Match(paths []string) bool {
	if f.Everything() {
		return true
	}
	for _, path := range paths {
		for _, p := range f.prefixes {
			if strings.HasPrefix(path, p) && (len(path) == len(p) || path[len(p)] == '/') {
				return true
			}
		}
		for _, g := range f.globs {
			if ok, _ := doublestar.Match(g, path); ok {
				return true
			}
		}
	}
	return false
}

// Bits is a growing set of commits.
type Bits []uint64

// Set puts c into the set.
func (b *Bits) Set(c uint32) {
	for int(c>>6) >= len(*b) {
		*b = append(*b, 0)
	}
	(*b)[c>>6] |= 1 << (c & 63)
}

// Has tells whether c is in the set.
func (b Bits) Has(c uint32) bool {
	return int(c>>6) < len(b) && b[c>>6]&(1<<(c&63)) != 0
}

// Clear takes c out of the set.
func (b Bits) Clear(c uint32) {
	if int(c>>6) < len(b) {
		b[c>>6] &^= 1 << (c & 63)
	}
}
