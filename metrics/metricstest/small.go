package metricstest

import (
	_ "embed"
	"time"
)

//go:embed small/organisation.ndjson
var small string

// Small is an organisation of three teams and five services, as events, one a line, with something of every kind that
// lists and metrics show.
func Small() string { return small }

// SmallNow is the instant as of which Small is meant to be read.
func SmallNow() time.Time { return time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC) }
