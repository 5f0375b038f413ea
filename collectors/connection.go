package collectors

import (
	"time"

	"cairn/internal/source"
)

// Connection is one system with a credential and the settings of one organisation: what a section of the configuration
// describes. It is used by several goroutines, but each stream by one at a time. It reaches the system through the HTTP
// client that it was handed, which authenticates, limits, retries and caches; it has no clock: asOf is now.
//
// Errors of what it makes are faults: fault.Denied when the credential is refused or may not read the thing,
// fault.NotFound when it is not there, fault.Unavailable when it may work later, or a Limited in the chain.
type Connection interface {
	// Name is the one under which positions are kept: for ever.
	Name() string
	// Streams lists what there is to read, as far as it is known: at first the lists from which the others are found.
	Streams() []source.Stream
	// Turn makes the source of one turn over a stream: its news first, and then a part of its history, newest first. A
	// turn is short, some ten requests; the Turn says whether there is more. What a connection learns of its streams
	// (repositories) is in the position of the stream that told it, so that it is known again after a restart: Recall.
	Turn(s source.Stream, position string, asOf time.Time) (Turn, error)
	// Recall takes a position of a stream that was saved in an earlier life, before anything else is asked.
	Recall(stream, position string) error
	// Refresh makes a source that tells one thing again, all of it: a Wake with a subject.
	Refresh(w source.Wake, asOf time.Time) (Source, error)
}

// Turn is a source that reads one stream for a while.
type Turn interface {
	Source
	// Report says how the turn went. It is asked after the last event, also when the turn ended with an error.
	Report() source.Report
}
