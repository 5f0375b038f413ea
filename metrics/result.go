package metrics

import "time"

// Scope says whose numbers are asked for: one service, one team (with the teams below it), or the organisation.
type Scope struct {
	Service      string `json:"service,omitempty"`
	Team         string `json:"team,omitempty"`
	Organisation bool   `json:"organisation,omitempty"`
}

// Request asks for a metric.
type Request struct {
	Metric      string
	Scope       Scope
	Window      Window
	Bucket      Bucket
	Environment string    // "" is production
	Target      string    // metrics of deployments and changes: those that reached this region, cluster or customer; "" is any
	Statistic   string    // of the metric's statistics; "" is the first
	Stage       string    // lead_time: one stage
	Capability  string    // adoption: one capability; "" is all of them
	Survey      string    // surveys: "" is the latest in the window
	Question    string    // surveys: "" is the first of the fitting type
	IncludeBots *bool     // nil: as configured
	AsOf        time.Time // what happened later does not count; zero: now
	NoPrevious  bool      // leave the window before out
	GroupBy     string    // GroupByService or GroupByTeam: one answer for each besides; "" is none
	GroupsOnly  bool      // with GroupBy: the answers for each alone, the one for all of them together stays empty
}

// Result is the answer to a request. Value is a number, null for no data, a string where it is suppressed, or for a
// few metrics a list or an object. N is what the value was computed from, a number or an object of counts.
type Result struct {
	Metric     string         `json:"metric"`
	Definition string         `json:"definition"`
	Statistic  string         `json:"statistic,omitempty"`
	Scope      Scope          `json:"scope"`
	Target     string         `json:"target,omitempty"`
	Window     WindowJSON     `json:"window"`
	Bucket     Bucket         `json:"bucket,omitempty"`
	AsOf       time.Time      `json:"as_of"`
	Unit       string         `json:"unit"`
	Value      any            `json:"value"`
	N          any            `json:"n"`
	Interval   *[2]float64    `json:"interval"`
	Flags      []string       `json:"flags"`
	Parts      map[string]any `json:"parts,omitempty"`
	Previous   *Previous      `json:"previous"`
	Series     []Point        `json:"series"`
	Groups     []Group        `json:"groups,omitempty"`
}

// What an answer can be told apart by.
const (
	GroupByService = "service"
	GroupByTeam    = "team"
)

// Group is one service's or team's part of an answer: what the same question about it alone is answered with, as far
// as it lies in the scope that was asked about. Its fields mean what they mean in Result.
type Group struct {
	Key      string         `json:"key"` // the service's or team's id
	Value    any            `json:"value"`
	N        any            `json:"n"`
	Interval *[2]float64    `json:"interval"`
	Flags    []string       `json:"flags"`
	Parts    map[string]any `json:"parts,omitempty"`
	Previous *Previous      `json:"previous"`
	Series   []Point        `json:"series"`
}

// WindowJSON is a window as it is written: local wall clock in the zone.
type WindowJSON struct {
	From     string `json:"from"`
	To       string `json:"to"`
	TimeZone string `json:"time_zone"`
}

// JSON writes the window.
func (w Window) JSON() WindowJSON {
	return WindowJSON{From: local(w.From, w.Zone), To: local(w.To, w.Zone), TimeZone: w.Zone.String()}
}

func local(t time.Time, zone *time.Location) string {
	return t.In(zone).Format("2006-01-02T15:04:05")
}

// Previous is the value of the window before.
type Previous struct {
	Window   WindowJSON  `json:"window"`
	Value    any         `json:"value"`
	N        any         `json:"n"`
	Interval *[2]float64 `json:"interval"`
	Flags    []string    `json:"flags,omitempty"` // began: see FlagBegan
}

// Point is one bucket of a series. Value is null where there is no data; a partial bucket is still running.
type Point struct {
	From     string      `json:"from"`
	To       string      `json:"to"`
	Label    string      `json:"label"`
	Value    any         `json:"value"`
	N        any         `json:"n"`
	Interval *[2]float64 `json:"interval,omitempty"`
	Partial  bool        `json:"partial"`

	Parts map[string]any `json:"-"` // as in Result
}

// Flags of a result: what a reader should know before trusting the number.
const (
	FlagPartial     = "partial"        // the window is still running
	FlagLowN        = "low_n"          // fewer than five cases
	FlagSmallP90    = "p90_of_few"     // a 90th percentile of fewer than ten
	FlagProvisional = "provisional"    // failures of the last 72 hours are still arriving
	FlagNotReached  = "not_reached"    // too few have ended for this quantile
	FlagNotDeployed = "not_in_service" // no service in scope was live in the window
	FlagSuppressed  = "suppressed"     // too few people to keep them anonymous
	FlagLowResponse = "low_response"   // fewer than 60 % of those asked answered
	FlagBegan       = "began"          // of the window before: nothing in scope was live yet when it began, so that it may have counted less
	FlagCatchingUp  = "catching_up"    // facts have arrived that are not yet in the number
)

// Suppressed is the value that is shown for too few people, NoData that for a group without answers.
const (
	Suppressed = "suppressed"
	NoData     = "no_data"
)
