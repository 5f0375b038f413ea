package collectors

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"cairn/internal/fault"
	"cairn/internal/source"
)

// Limited says that a system takes no more requests for a while: nothing was sent, or what was sent was refused
// unread. It is found with errors.As, and is a fault.Unavailable.
type Limited struct {
	Host     string
	Resource string    // part of the system's allowance, such as core or graphql; "" where there is one
	Until    time.Time // when requests are taken again, by the clock here
	Reason   string    // what the limit is, for a person
}

// Error implements error.
func (l *Limited) Error() string {
	requests := "requests"
	if l.Resource != "" {
		requests = l.Resource + " requests"
	}
	return fmt.Sprintf("%s takes no more %s until %s: %s", l.Host, requests, l.Until.UTC().Format("2006-01-02 15:04:05 UTC"), l.Reason)
}

// Unwrap returns the fault that a limit is.
func (l *Limited) Unwrap() error { return fault.New(fault.Unavailable, "%s", l.Error()) }

// Bounds of what is remembered of limits. What exceeds them is learnt again.
const (
	maxBudgets = 64
	maxShapes  = 256
	maxHosts   = 16
	maxName    = 64             // bytes of the name of a resource
	longest    = 24 * time.Hour // that an answer can stop requests
)

// Waits after a refusal. Each is doubled by each further refusal without an answer in between.
const (
	asTold     = time.Second      // at least, when the system says how long
	untold     = 5 * time.Second  // when it does not
	secondary  = time.Minute      // for a secondary limit of GitHub, as its documentation asks
	mostUntold = 15 * time.Minute // at most
)

// limits is what a credential's answers have said about limits. Its user guards it.
type limits struct {
	reserve    float64
	reserveMin int64
	budgets    map[[2]string]*budget // by host and resource
	shapes     map[[2]string]string  // the resource of requests, by host and shape of the path
	usual      map[string]string     // the resource of what is neither search nor GraphQL, by host
}

// budget is what is known of one resource.
type budget struct {
	resource         string
	known            bool      // an answer has come
	limit, remaining int64     // limit is 0 where the system counts nothing
	resetAt          time.Time // by the clock here
	inFlight         int       // requests that are sent and not answered; the system may not have counted them yet
	answered         chan struct{}

	blockedUntil time.Time // after a refusal
	blockedFor   string    // why
	refusals     int       // without an answer in between
	generation   int       // counts the refusals that came one after the other: those of requests sent before do not count again
	refused      bool      // the latest answer was a refusal
	ahead        bool      // a request is under way that went ahead
}

func newLimits(reserve float64, reserveMin int64) limits {
	return limits{reserve, reserveMin, map[[2]string]*budget{}, map[[2]string]string{}, map[string]string{}}
}

// left returns how many requests of the allowance are left to others.
func (l *limits) left(b *budget) int64 {
	return max(int64(l.reserve*float64(b.limit)), min(l.reserveMin, b.limit/4))
}

// counts says whether the system counts requests, in a window that has not ended.
func (b *budget) counts(now time.Time) bool { return b.limit > 0 && b.resetAt.After(now) }

// uncertain says that nobody knows what the system allows now: nothing was answered yet, or a window has ended, or a
// refusal. Then one request goes ahead, and the others wait for what its answer says.
func (b *budget) uncertain(now time.Time) bool {
	return !b.known || b.refused || b.limit > 0 && !b.counts(now)
}

// admit says whether a request may be sent: when until is zero and answered nil. Otherwise it may be at until, or when
// answered closes: then it is to be asked again.
func (l *limits) admit(b *budget, now time.Time) (until time.Time, reason string, answered <-chan struct{}) {
	counts := b.counts(now)
	switch left := l.left(b); {
	case b.blockedUntil.After(now):
		return b.blockedUntil, b.blockedFor, nil
	case counts && b.remaining <= left:
		return b.resetAt, fmt.Sprintf("%d of %d are left in its window, and %d are left to others", max(b.remaining, 0), b.limit, left), nil
	case counts && b.remaining-int64(b.inFlight) <= left, b.ahead && b.uncertain(now):
		return time.Time{}, "", b.answered
	}
	return time.Time{}, "", nil
}

// expect returns the budget that a request will be counted on.
func (l *limits) expect(host, shape string) *budget {
	resource, learnt := l.shapes[[2]string{host, shape}]
	if !learnt {
		usual, known := l.usual[host]
		special := specialResource(shape)
		switch {
		case known && usual == "", known && special == "":
			resource = usual
		case special != "":
			resource = special
		default:
			resource = "core"
		}
	}
	return l.budget(host, resource)
}

func (l *limits) budget(host, resource string) *budget {
	key := [2]string{host, resource}
	b := l.budgets[key]
	if b == nil {
		if len(l.budgets) >= maxBudgets {
			for key, b := range l.budgets {
				if b.inFlight == 0 {
					delete(l.budgets, key)
				}
			}
		}
		b = &budget{resource: resource, answered: make(chan struct{})}
		l.budgets[key] = b
	}
	return b
}

// learn takes in the answer to a request, nil when none came, and returns the limit that refused it.
func (l *limits) learn(e entry, a *answer, now time.Time) *Limited {
	b := e.budget
	b.inFlight--
	b.ahead = b.ahead && !e.ahead
	close(b.answered)
	b.answered = make(chan struct{})
	if a == nil {
		b.remaining-- // perhaps it was counted
		return nil
	}
	told, ok := readAllowance(a.Header, now)
	if ok {
		if actual := l.budget(e.host, told.resource); actual != b {
			b, e.generation = actual, actual.generation
		}
		l.remember(e, told.resource)
		b.count(told, now)
	}
	refused, isLimit := readRefusal(a, told, now)
	switch {
	case isLimit:
		b.refuse(refused, e.generation, now)
		return &Limited{Host: e.host, Resource: b.resource, Until: b.blockedUntil, Reason: b.blockedFor}
	case a.StatusCode >= 500:
		if !ok {
			b.remaining--
		}
		return nil
	case !ok && b.counts(now):
		b.remaining--
	case !ok:
		b.limit, b.remaining, b.resetAt = 0, 0, time.Time{}
	}
	b.known = true
	if e.generation == b.generation {
		b.refused, b.refusals = false, 0
	}
	return nil
}

// list returns the budgets that the systems have spoken of.
func (l *limits) list() []source.Budget {
	var all []source.Budget
	for _, b := range l.budgets {
		if b.limit > 0 {
			all = append(all, source.Budget{Resource: b.resource, Limit: b.limit, Remaining: b.remaining, ResetAt: b.resetAt})
		}
	}
	slices.SortFunc(all, func(a, b source.Budget) int { return strings.Compare(a.Resource, b.Resource) })
	return all
}

// remember keeps which resource a shape of path belongs to.
func (l *limits) remember(e entry, resource string) {
	if len(l.shapes) >= maxShapes {
		clear(l.shapes)
	}
	l.shapes[[2]string{e.host, e.shape}] = resource
	if _, known := l.usual[e.host]; !known && specialResource(e.shape) == "" {
		if len(l.usual) >= maxHosts {
			clear(l.usual)
		}
		l.usual[e.host] = resource
	}
}

// count takes in what an answer says of the allowance. Answers overtake each other, so within a window the smaller
// remainder is the later one.
func (b *budget) count(told allowance, now time.Time) {
	const same = 5 * time.Second // resets that are no further apart are one: both clocks are read in whole seconds
	if !told.resetAt.After(now) {
		told.resetAt = now.Add(time.Second) // the system still counts in the window that should have ended
	}
	switch {
	case !b.counts(now), told.resetAt.After(b.resetAt.Add(same)):
		b.limit, b.remaining, b.resetAt = told.limit, told.remaining, told.resetAt
	case told.resetAt.Before(b.resetAt.Add(-same)):
		// of a window that has ended
	default:
		b.limit, b.remaining = told.limit, min(b.remaining, told.remaining)
	}
}

// refusal is an answer that says: not now.
type refusal struct {
	until  time.Time     // zero when the system does not say
	least  time.Duration // to wait, before it is doubled
	reason string
}

// refuse stops the requests on a budget after one that was sent in a generation was refused.
func (b *budget) refuse(r refusal, generation int, now time.Time) {
	if generation == b.generation {
		b.generation++
		b.refusals++
	}
	until := now.Add(min(r.least<<min(max(b.refusals-1, 0), 20), max(mostUntold, r.least)))
	if r.until.After(until) {
		until = r.until
	}
	if until.After(b.blockedUntil) {
		b.blockedUntil, b.blockedFor = until, r.reason
	}
	b.refused = true
}

// readRefusal says whether an answer refuses a request because of a limit.
func readRefusal(a *answer, told allowance, now time.Time) (refusal, bool) {
	body := a.body.Bytes()
	asked, isAsked := retryAfter(a.Header, now)
	usedUp := told.limit > 0 && told.remaining <= 0
	isSecondary := false
	switch a.StatusCode {
	case http.StatusTooManyRequests, http.StatusForbidden:
		isSecondary = mentionsSecondary(body)
		if a.StatusCode == http.StatusForbidden && !usedUp && !isAsked && !isSecondary {
			return refusal{}, false
		}
	case http.StatusOK:
		if specialResource(shapeOf(a.Request.URL.Path)) != "graphql" || !refusedByGraphQL(body) {
			return refusal{}, false
		}
	default:
		return refusal{}, false
	}
	switch {
	case isAsked && !usedUp:
		return refusal{now.Add(asked), asTold, "it asks for fewer requests"}, true
	case usedUp && !isSecondary && told.resetAt.After(now):
		until := told.resetAt
		if later := now.Add(asked); isAsked && later.After(until) {
			until = later
		}
		return refusal{until, asTold, fmt.Sprintf("its %d requests are used up", told.limit)}, true
	case isAsked:
		return refusal{now.Add(asked), asTold, "it asks for fewer requests"}, true
	case isSecondary:
		return refusal{time.Time{}, secondary, "it asks for fewer requests at once (secondary limit)"}, true
	}
	return refusal{time.Time{}, untold, "it asks for fewer requests and does not say until when"}, true
}

// mentionsSecondary says whether a refusal is one by a secondary limit of GitHub, by its old or its new name.
func mentionsSecondary(body []byte) bool {
	body = bytes.ToLower(body[:min(len(body), 16<<10)])
	for _, words := range []string{"secondary rate limit", "abuse detection", "abuse-rate-limit", "abuse rate limit"} {
		if bytes.Contains(body, []byte(words)) {
			return true
		}
	}
	return false
}

// refusedByGraphQL says whether an answer of GraphQL, which is always a 200, is a refusal because of a limit.
func refusedByGraphQL(body []byte) bool {
	if !bytes.Contains(body, []byte(`RATE_LIMITED`)) {
		return false
	}
	var reply struct {
		Errors []struct {
			Type string `json:"type"`
		} `json:"errors"`
	}
	if json.Unmarshal(body, &reply) != nil {
		return false
	}
	for _, e := range reply.Errors {
		if e.Type == "RATE_LIMITED" {
			return true
		}
	}
	return false
}

// allowance is what an answer says of one: how many requests a window allows and when the next one begins.
type allowance struct {
	resource         string
	limit, remaining int64
	resetAt          time.Time // by the clock here
}

// readAllowance reads the headers of GitHub (X-RateLimit-…, with the resource) and of GitLab (RateLimit-…, with the name
// of the throttle). An allowance of 0 is none: servers whose limits are switched off say 0 of 0.
func readAllowance(h http.Header, now time.Time) (allowance, bool) {
	for _, names := range [...]struct{ prefix, resource string }{{"X-RateLimit-", "Resource"}, {"RateLimit-", "Name"}} {
		limit, hasLimit := leadingNumber(h.Get(names.prefix + "Limit"))
		remaining, hasRemaining := leadingNumber(h.Get(names.prefix + "Remaining"))
		reset, hasReset := leadingNumber(h.Get(names.prefix + "Reset"))
		if !hasLimit || !hasRemaining || !hasReset || limit <= 0 {
			continue
		}
		at := now.Add(time.Duration(min(reset, int64(longest/time.Second))) * time.Second)
		if reset >= 100_000_000 { // an instant, not a number of seconds from now
			at = here(h, time.Unix(reset, 0), now)
		}
		if latest := now.Add(longest); at.After(latest) {
			at = latest
		}
		resource := h.Get(names.prefix + names.resource)
		return allowance{resource[:min(len(resource), maxName)], limit, remaining, at}, true
	}
	return allowance{}, false
}

// leadingNumber reads the number that a header's value begins with.
func leadingNumber(s string) (int64, bool) {
	end := 0
	for end < len(s) && s[end] >= '0' && s[end] <= '9' {
		end++
	}
	n, err := strconv.ParseInt(s[:end], 10, 64)
	return n, err == nil
}

// here turns an instant of the server's clock into one of ours, by the Date of its answer.
func here(h http.Header, at, now time.Time) time.Time {
	date, err := http.ParseTime(h.Get("Date"))
	if err != nil {
		return at
	}
	return now.Add(at.Sub(date))
}

// retryAfter reads how long a server asks to wait, in seconds or until a date.
func retryAfter(h http.Header, now time.Time) (time.Duration, bool) {
	value := strings.TrimSpace(h.Get("Retry-After"))
	if value == "" {
		return 0, false
	}
	if seconds, err := strconv.ParseFloat(value, 64); err == nil && seconds >= 0 {
		return time.Duration(min(seconds, longest.Seconds()) * float64(time.Second)), true
	}
	at, err := http.ParseTime(value)
	if err != nil {
		return 0, false
	}
	return min(max(here(h, at, now).Sub(now), 0), longest), true
}

// shapeOf returns what paths of the same kind of request have in common, without the names in them: repos/pulls for
// /repos/acme/shop/pulls/7.
func shapeOf(path string) string {
	path = strings.Trim(path, "/")
	for _, prefix := range []string{"api/v3/", "api/v4/", "api/"} {
		if rest, ok := strings.CutPrefix(path, prefix); ok {
			path = rest
			break
		}
	}
	segments := strings.SplitN(path, "/", 6)
	names := 0 // that follow the first segment
	switch segments[0] {
	case "repos":
		names = 2
	case "orgs", "organizations", "enterprises", "users", "teams", "projects", "groups", "repositories":
		names = 1
	}
	shape := segments[0]
	if len(segments) > names+1 {
		shape += "/" + segments[names+1]
	}
	return shape[:min(len(shape), maxName)]
}

// specialResource returns the resource of requests that GitHub counts apart, as far as their path tells.
func specialResource(shape string) string {
	first, _, _ := strings.Cut(shape, "/")
	if first == "graphql" || first == "search" {
		return first
	}
	return ""
}
