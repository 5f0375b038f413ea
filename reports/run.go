package reports

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"maps"
	"runtime/debug"
	"slices"
	"sync"
	"time"

	"cairn/internal/fault"
	"cairn/metrics"
)

// How sending goes on in time.
const (
	interval = time.Minute         // between two looks at what is due
	lateness = 3 * 24 * time.Hour  // a mail that is later than that is not sent any more
	retrying = 24 * time.Hour      // a mail that fails is tried for so long
	firstTry = 2 * time.Minute     // before the second attempt; then twice as long each time
	longest  = 2 * time.Hour       // between two attempts
	recent   = 21 * 24 * time.Hour // how far back states of mails matter
)

// Run sends what is due until ctx ends. It returns at once where nothing is sent.
func (r *Reports) Run(ctx context.Context) error {
	if !r.cfg.Sends() {
		return nil
	}
	for {
		if err := r.safely(func() error { return r.SendDue(ctx) }); err != nil && ctx.Err() == nil {
			r.deps.Log.Error("weekly mails", "error", err)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(interval):
		}
	}
}

func (r *Reports) safely(f func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fault.New(fault.Internal, "reports: %v\n%s", p, debug.Stack())
		}
	}()
	return f()
}

// recipients are who gets the report of which team, each once; team "" is the organisation. Who unsubscribed is left out,
// whatever the configuration says.
func (r *Reports) recipients(ctx context.Context) (map[string][]string, error) {
	decided, err := r.mails.subscriptions(ctx)
	if err != nil {
		return nil, err
	}
	all := map[string]map[string]bool{}
	set := func(team, to string, gets bool) {
		if all[team] == nil {
			all[team] = map[string]bool{}
		}
		all[team][to] = gets
	}
	add := func(team string, list []string) {
		for _, text := range list {
			if to, err := address(text); err == nil {
				set(team, to, true)
			}
		}
	}
	add("", r.cfg.Recipients.Organisation)
	for team, list := range r.cfg.Recipients.Teams {
		add(team, list)
	}
	for _, s := range decided {
		set(s.Team, s.Address, s.State == subscribed)
	}
	lists := map[string][]string{}
	for team, of := range all {
		for to, gets := range of {
			if gets {
				lists[team] = append(lists[team], to)
			}
		}
		slices.Sort(lists[team])
	}
	return lists, nil
}

// SendDue sends every mail that is due now and was not sent. One team's trouble does not keep the others' mails back.
func (r *Reports) SendDue(ctx context.Context) error {
	now := r.deps.Now()
	states, err := r.mails.states(ctx, now.Add(-recent))
	if err != nil {
		return err
	}
	lists, err := r.recipients(ctx)
	if err != nil {
		return err
	}
	var wrong []error
	for _, team := range slices.Sorted(maps.Keys(lists)) {
		if len(lists[team]) == 0 {
			continue
		}
		if err := r.sendTeam(ctx, team, lists[team], states, now); err != nil {
			wrong = append(wrong, err)
		}
		if ctx.Err() != nil {
			break
		}
	}
	return errors.Join(wrong...)
}

func (r *Reports) sendTeam(ctx context.Context, team string, to []string, states map[mailKey]mailState, now time.Time) error {
	zoneName := r.cfg.Pages.TimeZone
	if team != "" {
		t, err := r.deps.Engine.Team(ctx, team)
		if err != nil {
			return fmt.Errorf("recipients of %q: %w", team, err)
		}
		if t.RetiredAt != nil {
			return nil
		}
		zoneName = cmp.Or(t.TimeZone, zoneName)
	}
	zone, err := r.zone(zoneName)
	if err != nil {
		return err
	}
	day, _ := weekday(r.cfg.Weekday)
	week := Last(now, zone)
	due := week.due(day, r.cfg.Hour, zone)
	if due.After(now) { // the mail of the week before may still be tried
		week = week.plus(-1)
		due = week.due(day, r.cfg.Hour, zone)
	}
	var open []mailState
	for _, address := range to {
		s, known := states[mailKey{team, week.String(), address}]
		if !known {
			s.mailKey = mailKey{team, week.String(), address}
		}
		if s.settled() || s.Attempts > 0 && (now.Sub(s.First) > retrying || now.Before(s.At.Add(backoff(s.Attempts)))) {
			continue
		}
		if s.Attempts == 0 && now.Sub(due) > lateness {
			continue
		}
		open = append(open, s)
	}
	if len(open) == 0 {
		return nil
	}
	rep, err := r.write(ctx, team, week)
	if err != nil {
		return err
	}
	said, err := r.saidNothing(ctx, rep)
	if err != nil {
		return err
	}
	owner := rand.Text()
	if rep.Empty && said {
		for _, s := range open {
			if err := r.mails.write(ctx, s.mailKey, s.Attempts+1, stepSkipped, owner, "", now); err != nil {
				return err
			}
		}
		return nil
	}
	return r.deliver(ctx, rep, open, owner)
}

// saidNothing tells whether the last mail had nothing to say either.
func (r *Reports) saidNothing(ctx context.Context, rep Report) (bool, error) {
	mailed, err := r.mails.mailed(ctx, rep.Team, rep.Week)
	if err != nil || len(mailed) == 0 {
		return false, err
	}
	last := mailed[slices.Max(slices.Collect(maps.Keys(mailed)))]
	for _, t := range last {
		if t.Value != nil || t.N > 0 {
			return false, nil
		}
	}
	return true, nil
}

// Outcomes lists how an attempt at a mail can end.
func Outcomes() []string { return []string{stepSent, stepFailed, stepUnknown} }

func (r *Reports) mailed(outcome string) {
	if r.deps.Mailed != nil {
		r.deps.Mailed(outcome)
	}
}

// backoff is how long a mail rests after so many attempts.
func backoff(attempts int) time.Duration {
	return min(longest, firstTry<<min(attempts-1, 10))
}

// deliver sends a report to those whose mail is open. Each mail is claimed when the server is ready to take it, so that
// what is between claim and end is one exchange with the server.
func (r *Reports) deliver(ctx context.Context, rep Report, open []mailState, owner string) error {
	key, err := r.mails.key(ctx)
	if err != nil {
		return err
	}
	server := r.deps.Send(r.cfg)
	connection, err := server.Connect(ctx)
	if err != nil {
		if ctx.Err() != nil {
			return nil
		}
		for _, s := range open { // a failure that is seen and tried again, too
			if won, claiming := r.mails.claim(ctx, s.mailKey, s.Attempts+1, owner, r.deps.Now()); claiming == nil && won {
				_ = r.mails.write(ctx, s.mailKey, s.Attempts+1, stepFailed, owner, err.Error(), r.deps.Now())
				r.mailed(stepFailed)
			}
		}
		return err
	}
	defer func() { connection.Close() }()
	var wrong []error
	kept := false
	for i, s := range open {
		if ctx.Err() != nil {
			break
		}
		now := r.deps.Now()
		m, err := r.mail(envelope{Report: rep, Recipient: s.Recipient, Key: key}, now)
		if err != nil {
			wrong = append(wrong, err)
			continue
		}
		if !kept { // before the first one leaves: a mail whose numbers nobody kept could not be corrected
			if err := r.mails.keep(ctx, rep.Team, rep.Week, rep.told, now); err != nil {
				return err
			}
			kept = true
		}
		won, err := r.mails.claim(ctx, s.mailKey, s.Attempts+1, owner, now)
		if err != nil {
			return err
		}
		if !won {
			continue
		}
		maybe, err := connection.Send(m)
		step, reason := stepSent, ""
		if err != nil {
			step, reason = stepFailed, plain(err.Error())
			if maybe {
				step = stepUnknown
			}
			wrong = append(wrong, fmt.Errorf("mail of %s to %s: %w", s.Week, masked(s.Recipient), err))
		}
		r.mailed(step)
		// What happened is recorded even where the program is ending.
		if err := r.mails.write(context.WithoutCancel(ctx), s.mailKey, s.Attempts+1, step, owner, reason, r.deps.Now()); err != nil {
			return err
		}
		if step == stepSent {
			r.deps.Log.Info("a weekly mail was sent", "team", cmp.Or(rep.Team, "organisation"), "week", s.Week)
		}
		if err != nil && i+1 < len(open) { // the connection may be in any state
			connection.Close()
			if connection, err = server.Connect(ctx); err != nil {
				return errors.Join(append(wrong, err)...)
			}
		}
	}
	return errors.Join(wrong...)
}

// SendNow sends the report of a week to addresses, or where there are none to its recipients, whatever was sent before.
// It returns to whom.
func (r *Reports) SendNow(ctx context.Context, team string, week Week, to []string) ([]string, error) {
	if !r.cfg.Sends() {
		return nil, fault.New(fault.Invalid, "reports.smtp.host is not set: mails have nowhere to go")
	}
	if len(to) == 0 {
		lists, err := r.recipients(ctx)
		if err != nil {
			return nil, err
		}
		if to = lists[team]; len(to) == 0 {
			return nil, fault.New(fault.Invalid, "nobody gets this report: name recipients in the configuration, or one with --to")
		}
	}
	rep, err := r.write(ctx, team, week)
	if err != nil {
		return nil, err
	}
	key, err := r.mails.key(ctx)
	if err != nil {
		return nil, err
	}
	server, err := r.deps.Send(r.cfg).Connect(ctx)
	if err != nil {
		return nil, err
	}
	defer server.Close()
	var sent []string
	for _, text := range to {
		recipient, err := address(text)
		if err != nil {
			return sent, err
		}
		m, err := r.mail(envelope{Report: rep, Recipient: recipient, Key: key}, r.deps.Now())
		if err != nil {
			return sent, err
		}
		if _, err := server.Send(m); err != nil {
			return sent, fault.Wrap(fault.Unavailable, err, "the mail to %s", recipient)
		}
		sent = append(sent, recipient)
	}
	return sent, nil
}

// Write composes the report about a team's week; team "" is the organisation.
func (r *Reports) Write(ctx context.Context, team string, week Week) (Report, error) {
	return r.write(ctx, team, week)
}

// LastWeek is the last week that is over in a team's zone.
func (r *Reports) LastWeek(ctx context.Context, team string) (Week, error) {
	name := r.cfg.Pages.TimeZone
	if team != "" {
		t, err := r.deps.Engine.Team(ctx, team)
		if err != nil {
			return Week{}, err
		}
		name = cmp.Or(t.TimeZone, name)
	}
	zone, err := r.zone(name)
	return Last(r.deps.Now(), zone), err
}

// throttle bounds how many mails strangers can have us send.
type throttle struct {
	now func() time.Time

	mu   sync.Mutex
	last map[string]time.Time // by address
	sent []time.Time
}

// Limits of mails that ask for a confirmation.
const (
	perAddress = 10 * time.Minute
	perHour    = 60
)

// allow tells whether another mail may go to an address.
func (t *throttle) allow(to string) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	now := t.now()
	maps.DeleteFunc(t.last, func(_ string, at time.Time) bool { return now.Sub(at) >= perAddress })
	t.sent = slices.DeleteFunc(t.sent, func(at time.Time) bool { return now.Sub(at) >= time.Hour })
	if _, known := t.last[to]; known || len(t.sent) >= perHour {
		return false
	}
	if t.last == nil {
		t.last = map[string]time.Time{}
	}
	t.last[to], t.sent = now, append(t.sent, now)
	return true
}

// teams are those to subscribe to.
func (r *Reports) teams(ctx context.Context) ([]metrics.TeamRecord, error) {
	list, err := r.deps.Engine.Teams(ctx, metrics.TeamFilter{}, metrics.Paging{Limit: metrics.MaxRecords})
	return list.Teams, err
}
