package collectors

import (
	"cairn/collectors/git"
	"cairn/internal/progress"
)

// Kind is one kind of collector.
type Kind struct {
	// Summary says in a few words what it collects.
	Summary string
	// Config returns a pointer to the kind's default settings, for a decoder or flags to fill.
	Config func() any
	// New makes a source from what Config returned, to resume at a position ("" for the beginning). It checks and does no
	// more. report may be nil.
	New func(config any, position string, report progress.Func) (Source, error)
}

// Kinds are all collectors by name, one for each folder beside this file.
func Kinds() map[string]Kind {
	return map[string]Kind{
		"git": kind("commits, default branch and deployments of a git repository", git.DefaultConfig, git.New),
	}
}

// kind makes a Kind of a collector's own types.
func kind[C any, S Source](summary string, defaults func() C, make func(C, string, progress.Func) (S, error)) Kind {
	return Kind{
		Summary: summary,
		Config: func() any {
			config := defaults()
			return &config
		},
		New: func(config any, position string, report progress.Func) (Source, error) {
			source, err := make(*config.(*C), position, report)
			if err != nil {
				return nil, err // not a nil S, which would be a Source
			}
			return source, nil
		},
	}
}
