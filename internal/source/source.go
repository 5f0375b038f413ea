// Package source is the vocabulary in which collectors, intake and the pages speak of the systems that facts come from:
// what a webhook brought, what is to be read again because of it, and how far each list of a system has been read. It
// holds no behaviour.
package source

import (
	"net/http"
	"time"

	"cairn/internal/event"
)

// Delivery is one webhook as it came.
type Delivery struct {
	Source     string // name of the connection that it came to: the last part of its path, /hooks/NAME
	ID         string // the sender's id of the delivery; where it sends none, a hash of the body
	Event      string // the sender's name of what happened, such as pull_request
	ReceivedAt time.Time
	Header     http.Header // those that carry meaning; no signature, no token
	Body       []byte      // the raw bytes that were signed
}

// Heard is what a delivery means.
type Heard struct {
	Facts []event.Event
	// Wakes name what has to be read again, since the delivery does not tell it whole.
	Wakes []Wake
	// Ignored says why a delivery that brought neither facts nor wakes was none of ours, in a few words: "no workflow
	// run ended". It is for counting, so it names no single thing.
	Ignored string
}

// Wake asks for one thing to be read again, soon.
type Wake struct {
	Stream string // name of the stream, as in Stream.Name
	// Subject is the one thing of it that changed, such as the number of a pull request; "" asks for the stream's news.
	Subject string
}

// Stream is one list of facts of a connection: what is read by itself and has a position of its own.
type Stream struct {
	Name  string        // within its connection, for ever; positions are kept under it: acme/shop/changes
	Group string        // what it is about; turns are shared out fairly between groups: the repository acme/shop
	Kind  string        // what it lists: repositories, changes, runs …; the same word for all systems
	Every time.Duration // how long its news may wait without a webhook
}

// Kinds of streams.
const (
	Repositories = "repositories" // those of the connection, from which the other streams follow
	Definitions  = "definitions"  // kinds of things that can be asked for, from which the other streams follow
	Teams        = "teams"        // teams and who is in them
	Commits      = "commits"
	Changes      = "changes" // pull or merge requests
	Runs         = "runs"    // pipeline runs
	Deployments  = "deployments"
	Releases     = "releases"
	Incidents    = "incidents"  // issues that are incidents
	Ownership    = "ownership"  // files that say who owns what is in the repository
	Catalogue    = "catalogue"  // services, teams and who owns what, as a catalogue tells them
	Requests     = "requests"   // what was asked of the platform
	Checks       = "checks"     // how services fare in the checks of a scorecard
	Workspaces   = "workspaces" // where infrastructure or applications are kept, from which the other streams follow
)

// Outcomes of the latest turn of a stream.
const (
	Fresh   = "fresh"   // its news are told
	Behind  = "behind"  // its news are told, its history is not yet
	Limited = "limited" // the system's limit on requests is reached
	Denied  = "denied"  // the credential is refused, or may not read it
	Gone    = "gone"    // it is no longer there: deleted, or no longer shown to this credential
	Failed  = "failed"  // anything else; it is tried again, later each time
)

// State is how far a stream has been read and how that went.
type State struct {
	Source string // name of the connection
	System string // kind of the connection: github
	Stream Stream

	Outcome     string    // of the latest turn
	Error       string    // a sentence for a person; "" when there is none
	StartedAt   time.Time // beginning of the first turn
	AttemptedAt time.Time // end of the latest turn
	SucceededAt time.Time // end of the latest turn without an error; zero: never
	NextAt      time.Time // when the next turn is due

	Facts    int64 // told by all turns together
	Requests int64 // made by all turns together
	// Done and Total count what the history is made of, such as pages; Total is an estimate, 0 when nobody knows.
	Done, Total int64
	// ReachedBack is the instant down to which history is told; Complete says that there is nothing before.
	ReachedBack time.Time
	Complete    bool
	// Rules counts, by the name of a rule, what it was applied to.
	Rules map[string]Applied
}

// Applied is how often a rule was applied, with the latest thing that it was applied to.
type Applied struct {
	N       int64  `json:"n"`
	Example string `json:"example"`
}

// Budget is what is left of a credential's allowance.
type Budget struct {
	Source    string
	Resource  string // part of the system's allowance, such as core or graphql; "" where there is one
	Limit     int64
	Remaining int64
	ResetAt   time.Time
}

// Report is what a turn over a stream says beside its facts.
type Report struct {
	More bool // another turn would find more at once
	// Done and Total count what the history is made of, such as pages or changes; Total is an estimate, 0 when nobody knows.
	Done, Total int64
	// ReachedBack is the instant down to which history is told; Complete says that there is nothing before.
	ReachedBack time.Time
	Complete    bool
	Rules       map[string]Applied // what this turn applied rules to
}

// Access is what a credential is and what it may read, for people.
type Access struct {
	Who string // the account, or the App and where it is installed
	// Scopes are those of a classic token; other credentials have none.
	Scopes []string
	// Things says, for each kind of thing, whether it may be read.
	Things []Thing
	// Repositories is how many match, of Listed.
	Repositories, Listed int
	// Examples are a few of their names.
	Examples []string
	// Requests is about how many requests the first reading takes; 0 when nobody knows.
	Requests int64
	// Notes are sentences about what a person may want to put right.
	Notes []string
}

// Thing is one kind of thing that was tried.
type Thing struct {
	Kind string // as in Stream.Kind
	What string // what was tried: the pull requests of acme/shop
	// Denied is why it may not be read; "" when it may.
	Denied string
}
