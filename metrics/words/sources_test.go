package words_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"cairn/metrics"
	"cairn/metrics/words"
)

// noon is when the sources of these tests are looked at.
var noon = time.Date(2026, 5, 20, 12, 0, 0, 0, time.UTC)

func before(d time.Duration) *time.Time {
	t := noon.Add(-d)
	return &t
}

func seconds(n int64) *int64 { return &n }

// What is said of a source: how fresh, how far back, what holds it up and what fails.
func TestSourceSentences(t *testing.T) {
	well := metrics.SourceRecord{
		Name: "github", Subjects: 213, Streams: 1065, Outcomes: map[string]int64{"fresh": 1065}, SucceededAt: before(time.Minute), NewsUpTo: before(12 * time.Minute), Complete: true,
		StreamsComplete: 1065, SecondsLeft: seconds(0),
	}
	with := func(change func(*metrics.SourceRecord)) metrics.SourceRecord {
		s := well
		s.Outcomes = map[string]int64{"fresh": 1065}
		change(&s)
		return s
	}
	back := time.Date(2025, 3, 3, 0, 0, 0, 0, time.UTC)
	const fresh, all = "GitHub is up to date: the news of 213 repositories was read within the last 12 minutes.", "All of its history is told."
	for _, c := range []struct {
		name   string
		source metrics.SourceRecord
		want   []string
	}{
		{"well", well, []string{fresh, all}},
		{"one repository", with(func(s *metrics.SourceRecord) { s.Subjects = 1 }), []string{"GitHub is up to date: the news of one repository was read within the last 12 minutes.", all}},
		{"no repository", with(func(s *metrics.SourceRecord) { s.Subjects, s.Streams = 0, 1 }), []string{"GitHub is up to date: the news of 1 stream was read within the last 12 minutes.", all}},
		{"one minute and a half", with(func(s *metrics.SourceRecord) { s.NewsUpTo = before(80 * time.Second) }), []string{"GitHub is up to date: the news of 213 repositories was read within the last 80 seconds.", all}},
		{"behind", with(func(s *metrics.SourceRecord) { s.NewsUpTo = before(3 * time.Hour) }), []string{"GitHub is behind: the news of 213 repositories is told up to 20 May 2026, 09:00.", all}},
		{"history is left", with(func(s *metrics.SourceRecord) {
			s.Complete, s.HistoryBackTo, s.SecondsLeft = false, &back, seconds(2400)
		}), []string{fresh, "History is told back to 3 March 2025; the rest takes about 40 minutes."}},
		{"some of it nobody has counted", with(func(s *metrics.SourceRecord) {
			s.Complete, s.HistoryBackTo, s.SecondsLeft, s.StreamsUncounted = false, &back, seconds(2400), 1
		}), []string{fresh, "History is told back to 3 March 2025; the rest takes at least 40 minutes."}},
		{"nobody knows how long", with(func(s *metrics.SourceRecord) { s.Complete, s.HistoryBackTo, s.SecondsLeft = false, &back, nil }), []string{fresh, "History is told back to 3 March 2025; nobody knows how long the rest takes."}},
		{"nothing of the history", with(func(s *metrics.SourceRecord) { s.Complete, s.SecondsLeft = false, nil }), []string{fresh, "Of some of its history nothing is told yet; nobody knows how long the rest takes."}},
		{"being read for the first time", with(func(s *metrics.SourceRecord) { s.NewsUpTo, s.Complete, s.SecondsLeft = nil, false, seconds(3600*24*3) }), []string{
			"GitHub is being read for the first time: of 213 repositories some have not been told yet.", "Of some of its history nothing is told yet; the rest takes about 3 days.",
		}},
		{"never read, and why", with(func(s *metrics.SourceRecord) {
			s.SucceededAt, s.NewsUpTo, s.Complete, s.SecondsLeft, s.Failing = nil, nil, false, nil, 0
			s.Streams, s.Outcomes, s.Error = 1, map[string]int64{"denied": 1}, "the token is refused."
			s.Problems = []metrics.SourceProblem{{Error: s.Error, Streams: 1}}
		}), []string{"GitHub could not be read yet.", "1 stream cannot be read: the token is refused."}},
		{"all denied since yesterday", with(func(s *metrics.SourceRecord) {
			s.SucceededAt, s.NewsUpTo, s.Complete, s.Streams, s.Outcomes, s.Failing = before(30*time.Hour), nil, false, 2, map[string]int64{"denied": 2}, 1
		}), []string{"GitHub cannot be read; the last that was heard of it is 30 hours old.", "2 streams of one repository cannot be read."}},
		{"limited", with(func(s *metrics.SourceRecord) {
			s.Outcomes["limited"] = 3
			soon, later := noon.Add(time.Minute), noon.Add(30*time.Minute)
			s.Budgets = []metrics.SourceBudget{{Remaining: 0, ResetAt: &later}, {Remaining: 0, ResetAt: &soon}, {Remaining: 7, ResetAt: before(-48 * time.Hour)}}
		}), []string{fresh, all, "Its limit of requests is reached until 12:30."}},
		{"limited, and nobody says until when", with(func(s *metrics.SourceRecord) { s.Outcomes["limited"] = 3 }), []string{fresh, all, "Its limit of requests is reached."}},
		{"several reasons", with(func(s *metrics.SourceRecord) {
			s.Outcomes["failed"], s.Outcomes["denied"], s.Outcomes["gone"], s.Failing, s.Error, s.Problems = 1000, 1, 1, 12, "x", make([]metrics.SourceProblem, 2)
		}), []string{fresh, all, "1,002 streams of 12 repositories cannot be read."}},
		{"webhooks only", metrics.SourceRecord{Name: "gitlab", DeliveriesLatest: before(time.Second)}, []string{"GitLab is heard by its webhooks alone; the latest came 1 second ago."}},
		{"another name", metrics.SourceRecord{Name: "forge"}, []string{"forge is heard by its webhooks alone."}},
	} {
		if diff := cmp.Diff(c.want, words.SourceSentences(c.source, noon, time.UTC)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", c.name, diff)
		}
	}
}

func TestSpanIsRoundAndKeepsItsOrder(t *testing.T) {
	for want, d := range map[string]time.Duration{
		"0 s": -time.Hour, "1 s": time.Second, "89 s": 89 * time.Second, "2 min": 90 * time.Second, "89 min": 89 * time.Minute, "2 h": 90 * time.Minute, "35 h": 35 * time.Hour, "2 d": 36 * time.Hour,
		"1,000 d": 24000 * time.Hour,
	} {
		if got := words.Span(d); got != want {
			t.Errorf("%s: got %q, want %q", d, got, want)
		}
	}
}

func TestFreshness(t *testing.T) {
	for _, c := range []struct {
		list []metrics.SourceFreshness
		want string
	}{
		{nil, ""},
		{[]metrics.SourceFreshness{{Name: "github", Latest: before(2 * time.Minute)}, {Name: "gitlab", Latest: before(40 * time.Second)}}, "github 2 min ago · gitlab 40 s ago"},
		{[]metrics.SourceFreshness{{Name: "github", Failing: 1}}, "github never · 1 stream fails"},
		{[]metrics.SourceFreshness{{Name: "a", Failing: 1}, {Name: "b"}, {Name: "c"}, {Name: "d"}, {Name: "e"}, {Name: "f", Failing: 2}, {Name: "g"}}, "a never · b never · c never · d never · e never · 2 more · 3 streams fail"},
	} {
		if got := words.Freshness(c.list, noon); got != c.want {
			t.Errorf("got %q, want %q", got, c.want)
		}
	}
}

func TestWhatFailedIsTriedAgain(t *testing.T) {
	for want, next := range map[string]*time.Time{"not tried again": nil, "tried again at 12:05": before(-5 * time.Minute), "tried again at 21 May 13:00": before(-25 * time.Hour), "due again since 11:59": before(time.Minute)} {
		if got := words.Again(next, noon, time.UTC); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

func TestAllowancesAreToldInWords(t *testing.T) {
	at := func(hour, minute int) *time.Time {
		t := time.Date(2026, 5, 20, hour, minute, 0, 0, time.UTC)
		return &t
	}
	tomorrow := noon.AddDate(0, 0, 1)
	for _, c := range []struct {
		budget metrics.SourceBudget
		want   string
	}{
		{metrics.SourceBudget{Limit: 5000, Remaining: 4000, ResetAt: at(12, 30)}, "4,000 of 5,000 until 12:30"},
		{metrics.SourceBudget{Limit: 5000, Remaining: 0, ResetAt: &tomorrow}, "0 of 5,000 until 21 May 12:00"},
		{metrics.SourceBudget{Limit: 5000, Remaining: 0, ResetAt: at(11, 30)}, "5,000 again since 11:30"},
		{metrics.SourceBudget{Limit: 2000, Remaining: 1, AsOf: *at(11, 0)}, "1 of 2,000, 60 min ago"},
	} {
		if got := words.Budget(c.budget, noon, time.UTC); got != c.want {
			t.Errorf("%+v: got %q, want %q", c.budget, got, c.want)
		}
	}
}
