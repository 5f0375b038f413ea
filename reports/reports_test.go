package reports

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"cairn/dashboards"
	"cairn/docs"
	"cairn/ingest"
	"cairn/internal/fault"
	"cairn/internal/store"
	"cairn/internal/store/storetest"
	"cairn/metrics"
	"cairn/metrics/words"
)

type fact map[string]any

// hostile is a team's name that would end a header, a tag and a link.
const hostile = "Checkout\r\nBcc: eve@example.com <script>alert(1)</script> [x](javascript:1) *b*"

// monday is when mails of 2026-W20 are due.
var monday = time.Date(2026, 5, 18, 7, 0, 0, 0, time.UTC)

// office is cairn with a mail server beside it.
type office struct {
	*Reports
	box    *mailbox
	store  *store.Store
	engine *metrics.Engine
	intake *ingest.Intake

	mu  sync.Mutex
	now time.Time
}

func (o *office) clock() time.Time { o.mu.Lock(); defer o.mu.Unlock(); return o.now }
func (o *office) at(t time.Time)   { o.mu.Lock(); defer o.mu.Unlock(); o.now = t }

func open(t testing.TB, st *store.Store, box *mailbox, change func(*Config), facts ...fact) *office {
	t.Helper()
	o := &office{box: box, store: st, now: monday}
	var err error
	if o.intake, err = ingest.New(ingest.DefaultConfig(), st); err != nil {
		t.Fatal(err)
	}
	cfg := metrics.DefaultConfig()
	cfg.AnswersKept = 0
	if o.engine, err = metrics.New(cfg, st, o.clock, slog.New(slog.DiscardHandler)); err != nil {
		t.Fatal(err)
	}
	o.tell(t, facts...)
	pages, err := dashboards.New(dashboards.Config{Title: "Acme", TimeZone: "UTC"}, dashboards.Deps{Engine: o.engine, OpenAPI: []byte(`{"info":{"title":"API"},"paths":{}}`), Docs: docs.Files, Now: o.clock, Log: slog.New(slog.DiscardHandler), Version: "v0"})
	if err != nil {
		t.Fatal(err)
	}
	c := DefaultConfig()
	c.BaseURL, c.From = "https://cairn.example.com", "Cairn <cairn@example.com>"
	c.SMTP.Host, c.SMTP.Port, c.SMTP.User, c.SMTP.Password = "localhost", box.port, "cairn", "secret"
	c.Pages = PagesSetting{Title: "Acme", TimeZone: "UTC"}
	c.Recipients.Teams = map[string][]string{"checkout": {"ada@example.com", "bob@example.com"}}
	if change != nil {
		change(&c)
	}
	if o.Reports, err = New(c, Deps{Engine: o.engine, Store: st, Pages: pages, Now: o.clock, Log: slog.New(slog.NewTextHandler(t.Output(), nil))}); err != nil {
		t.Fatal(err)
	}
	return o
}

func (o *office) tell(t testing.TB, facts ...fact) {
	t.Helper()
	if len(facts) == 0 {
		return
	}
	var body strings.Builder
	for _, f := range facts {
		line, err := json.Marshal(f)
		if err != nil {
			t.Fatal(err)
		}
		body.Write(append(line, '\n'))
	}
	w := httptest.NewRecorder()
	o.intake.Handler().ServeHTTP(w, httptest.NewRequest(http.MethodPost, "/", strings.NewReader(body.String())))
	if w.Code != http.StatusOK {
		t.Fatal(w.Body)
	}
}

// shop are weeks of one service: two deployments a week, six in 2026-W20, of which one failed and is open.
func shop() []fact {
	list := []fact{
		{"type": "team", "id": "checkout", "name": hostile, "updated_at": "2026-01-01T00:00:00Z"},
		{"type": "team", "id": "idle", "name": "Idle", "updated_at": "2026-01-01T00:00:00Z"},
		{"type": "service", "id": "shop", "name": "Shop <b>", "repositories": []fact{{"repository": "acme/shop"}}, "created_at": "2026-01-01T00:00:00Z", "lifecycle": "production"},
		{"type": "ownership", "service": "shop", "team": "checkout", "from": "2026-01-01T00:00:00Z"},
	}
	first := time.Date(2026, 3, 2, 10, 0, 0, 0, time.UTC) // a Monday
	n, parent := 0, ""
	add := func(at time.Time, lead time.Duration) {
		sha := fmt.Sprintf("%040x", n+1)
		c := fact{"type": "commit", "repository": "acme/shop", "sha": sha, "parents": []string{}, "author": "ada", "authored_at": at.Add(-lead), "committed_at": at.Add(-lead)}
		if parent != "" {
			c["parents"] = []string{parent}
		}
		list = append(list, c, fact{"type": "deployment", "service": "shop", "id": fmt.Sprintf("d%d", n), "environment": "production", "status": "succeeded", "finished_at": at, "revisions": []fact{{"repository": "acme/shop", "sha": sha}}})
		parent = sha
		n++
	}
	for week := range 10 {
		add(first.AddDate(0, 0, 7*week), 5*time.Hour)
		add(first.AddDate(0, 0, 7*week+1), 5*time.Hour)
	}
	for day := range 6 {
		add(time.Date(2026, 5, 11+day, 12, 0, 0, 0, time.UTC), 50*time.Hour)
	}
	return append(list, fact{"type": "incident", "id": "INC-1", "service": "shop", "title": "Baskets <i>are</i> lost", "started_at": "2026-05-13T13:00:00Z", "caused_by_deployment": "d22"})
}

func (o *office) send(t testing.TB) []taken {
	t.Helper()
	if err := o.SendDue(t.Context()); err != nil {
		t.Log(err)
	}
	return o.box.mails(t)
}

// A mail goes out once per team, week and recipient, at the hour in question, and is what it should be to an independent
// reader.
func TestTheMailOfAWeek(t *testing.T) {
	o := open(t, storetest.New(t), serveMail(t), nil, shop()...)
	o.at(monday.Add(-time.Minute))
	states := o.send(t) // that of the week before is due since a week, too late
	if len(states) != 0 {
		t.Fatalf("before the hour: got %d mails, want none", len(states))
	}
	o.at(monday)
	mails := o.send(t)
	if len(mails) != 2 {
		t.Fatalf("got %d mails, want 2", len(mails))
	}
	if again := o.send(t); len(again) != 0 {
		t.Errorf("got %d mails a second time", len(again))
	}
	m := mails[0]
	if m.To != "ada@example.com" || m.From != "cairn@example.com" {
		t.Errorf("from %s to %s", m.From, m.To)
	}
	if len(m.Raw) > 100_000 {
		t.Errorf("the mail has %d bytes", len(m.Raw))
	}
	for name, want := range map[string]string{
		"Bcc": "", "Auto-Submitted": "auto-generated", "Precedence": "list", "List-Unsubscribe-Post": "List-Unsubscribe=One-Click", "To": "<ada@example.com>",
	} {
		if got := m.GetHeader(name); got != want {
			t.Errorf("%s: got %q, want %q", name, got, want)
		}
	}
	if got := m.GetHeader("Subject"); !strings.HasPrefix(got, "Checkout Bcc: eve@example.com <script>") || !strings.HasSuffix(got, "2026-W20") {
		t.Errorf("Subject: %q", got)
	}
	if a, b := m.GetHeader("Message-ID"), mails[1].GetHeader("Message-ID"); a == b || !strings.HasSuffix(a, "@example.com>") {
		t.Errorf("Message-ID: %q and %q", a, b)
	}
	if unsubscribe := m.GetHeader("List-Unsubscribe"); !strings.HasPrefix(unsubscribe, "<https://cairn.example.com/reports/unsubscribe?token=") || unsubscribe == mails[1].GetHeader("List-Unsubscribe") {
		t.Errorf("List-Unsubscribe: %q", unsubscribe)
	}
	for form, text := range map[string]string{"HTML": m.HTML, "text": m.Text} {
		for _, want := range []string{"6 a week", "2.08 d", "shipped 6 times this week, 4 more than before", "Lead time for changes went up: 2.08 d, where the 8 weeks before had 5 h.", "1 of 6 deployments failed", "No data: no survey in the last 12 months"} {
			if flat := strings.Join(strings.Fields(regexp.MustCompile(`<[^>]*>`).ReplaceAllString(text, " ")), " "); !strings.Contains(flat, want) {
				t.Errorf("%s: no %q in\n%s", form, want, flat)
			}
		}
	}
	if strings.Contains(m.HTML, "<script") || strings.Contains(m.HTML, "<i>are") || strings.Contains(m.HTML, "http://") {
		t.Errorf("the HTML has what was told as tags, or something from elsewhere:\n%s", m.HTML)
	}
	for _, src := range regexp.MustCompile(`<img src="([^"]*)"`).FindAllStringSubmatch(m.HTML, -1) {
		found := false
		for _, part := range m.Inlines {
			found = found || "cid:"+part.ContentID == src[1] && strings.HasPrefix(string(part.Content), "\x89PNG")
		}
		if !found {
			t.Errorf("the picture %s is not with the mail", src[1])
		}
	}
	if n := strings.Count(m.HTML, "<img"); n < 2 || strings.Count(m.HTML, `alt="`) != n {
		t.Errorf("%d pictures, %d texts for them", n, strings.Count(m.HTML, `alt="`))
	}
}

// What is told as a name is no Markdown.
func TestMarkdownIsEscaped(t *testing.T) {
	o := open(t, storetest.New(t), serveMail(t), nil, shop()...)
	week, _ := ParseWeek("2026-W20")
	rep, err := o.Write(t.Context(), "checkout", week)
	if err != nil {
		t.Fatal(err)
	}
	text := o.Markdown(rep)
	for _, wrong := range []string{"[x](javascript", "<script", " *b*"} {
		if strings.Contains(text, wrong) {
			t.Errorf("%q stands in\n%s", wrong, text)
		}
	}
}

// Every number of a report is what the engine answers.
func TestNumbersAreTheEngines(t *testing.T) {
	o := open(t, storetest.New(t), serveMail(t), nil, shop()...)
	week, _ := ParseWeek("2026-W20")
	rep, err := o.Write(t.Context(), "checkout", week)
	if err != nil {
		t.Fatal(err)
	}
	own, _ := metrics.ParseWindow("2026-05-11", "2026-05-18", "UTC")
	compared := 0
	for _, n := range append(rep.Numbers, rep.Minor...) {
		if n.Period != "" {
			continue
		}
		res, err := o.engine.Query(t.Context(), metrics.Request{Metric: n.Metric, Scope: metrics.Scope{Team: "checkout"}, Window: own})
		if err != nil {
			t.Fatal(err)
		}
		want := ""
		if v, ok := res.Value.(float64); ok {
			want, compared = words.Value(v, res.Unit), compared+1
		}
		if n.Value != want {
			t.Errorf("%s: got %q, want %q", n.Metric, n.Value, want)
		}
	}
	if compared < 3 {
		t.Errorf("only %d numbers were compared", compared)
	}
}

// Two replicas on one database that look at the same moment send each mail once between them.
func TestTwoReplicasSendOnce(t *testing.T) {
	st, box := storetest.New(t), serveMail(t)
	many := func(c *Config) {
		for i := range 10 {
			c.Recipients.Teams["checkout"] = append(c.Recipients.Teams["checkout"], fmt.Sprintf("p%d@example.com", i))
		}
	}
	a := open(t, st, box, many, shop()...)
	b := open(t, storetest.Again(t, st), box, many)
	var wg sync.WaitGroup
	for _, o := range []*office{a, b, a, b} {
		wg.Go(func() {
			if err := o.SendDue(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	seen := map[string]int{}
	for _, m := range box.mails(t) {
		seen[m.To]++
	}
	if len(seen) != 12 {
		t.Errorf("%d recipients, want 12", len(seen))
	}
	for to, n := range seen {
		if n != 1 {
			t.Errorf("%s got %d mails", to, n)
		}
	}
}

// A claim is taken once, whoever asks and however often.
func TestAClaimIsTakenOnce(t *testing.T) {
	st := storetest.New(t)
	books := []book{{st}, {storetest.Again(t, st)}}
	key := mailKey{"checkout", "2026-W20", "ada@example.com"}
	var wg sync.WaitGroup
	var mu sync.Mutex
	won := 0
	for i := range 16 {
		wg.Go(func() {
			ok, err := books[i%2].claim(context.Background(), key, 1, fmt.Sprint("owner ", i), monday)
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				t.Error(err)
			}
			if ok {
				won++
			}
		})
	}
	wg.Wait()
	if won != 1 {
		t.Errorf("%d owners won, want 1", won)
	}
}

// A refused mail is tried again, later and later, for a day. One whose end is not known is not sent again.
func TestFailuresAreTriedAgainForADay(t *testing.T) {
	o := open(t, storetest.New(t), serveMail(t), func(c *Config) { c.Recipients.Teams["checkout"] = []string{"ada@example.com"} }, shop()...)
	var outcomes []string
	o.deps.Mailed = func(outcome string) { outcomes = append(outcomes, outcome) }
	o.box.set(errBusy, nil)
	o.send(t)
	page := o.visit(t, http.MethodGet, "/reports", 200)
	for _, want := range []string{"a…@example.com", "failed, will be tried again", "come again later"} {
		if !strings.Contains(page, want) {
			t.Errorf("no %q on the page", want)
		}
	}
	if strings.Contains(page, "ada@") {
		t.Error("the page shows the address")
	}
	o.box.set(nil, nil)
	o.at(monday.Add(time.Minute))
	if n := len(o.send(t)); n != 0 {
		t.Errorf("a minute later: %d mails, want none yet", n)
	}
	o.at(monday.Add(3 * time.Minute))
	if n := len(o.send(t)); n != 1 {
		t.Errorf("three minutes later: %d mails, want 1", n)
	}
	if n := len(o.send(t)); n != 0 {
		t.Errorf("then %d again", n)
	}
	if got := strings.Join(outcomes, " "); got != "failed sent" {
		t.Errorf("told of %s, want failed and sent", got)
	}
}

func TestFailuresEndAfterADay(t *testing.T) {
	o := open(t, storetest.New(t), serveMail(t), nil, shop()...)
	o.box.set(errBusy, nil)
	o.send(t)
	o.box.set(nil, nil)
	o.at(monday.Add(25 * time.Hour))
	if n := len(o.send(t)); n != 0 {
		t.Errorf("got %d mails, want none", n)
	}
	if page := o.visit(t, http.MethodGet, "/reports", 200); !strings.Contains(page, "failed, given up") {
		t.Error("the page does not say so")
	}
}

// The connection breaks after the server has the mail and before it says so: it is never sent twice.
func TestAMailThatMayHaveArrivedIsNotSentAgain(t *testing.T) {
	o := open(t, storetest.New(t), serveMail(t), func(c *Config) { c.Recipients.Teams["checkout"] = []string{"ada@example.com"} }, shop()...)
	o.box.set(nil, func() bool { return true })
	if n := len(o.send(t)); n != 1 {
		t.Fatalf("the server has %d mails, want 1", n)
	}
	o.box.set(nil, nil)
	for _, later := range []time.Duration{time.Minute, time.Hour, 20 * time.Hour} {
		o.at(monday.Add(later))
		if n := len(o.send(t)); n != 0 {
			t.Errorf("%s later: %d mails", later, n)
		}
	}
	if page := o.visit(t, http.MethodGet, "/reports", 200); !strings.Contains(page, "not known whether it arrived") {
		t.Error("the page does not say so")
	}
}

// A server that is down is a failure that is seen and tried again.
func TestAServerThatIsDownIsTriedAgain(t *testing.T) {
	o := open(t, storetest.New(t), serveMail(t), nil, shop()...)
	port := o.cfg.SMTP.Port
	o.cfg.SMTP.Port = 1
	if err := o.SendDue(t.Context()); fault.KindOf(err) == fault.Internal && err == nil {
		t.Error("no error")
	}
	o.cfg.SMTP.Port = port
	o.at(monday.Add(5 * time.Minute))
	if n := len(o.send(t)); n != 2 {
		t.Errorf("got %d mails, want 2", n)
	}
}

// A machine that was off sends late, within three days; a clock that is set back sends nothing again.
func TestLateAndSetBack(t *testing.T) {
	o := open(t, storetest.New(t), serveMail(t), nil, shop()...)
	o.at(monday.Add(71 * time.Hour))
	if n := len(o.send(t)); n != 2 {
		t.Errorf("three days later: %d mails, want 2", n)
	}
	o.at(monday)
	if n := len(o.send(t)); n != 0 {
		t.Errorf("set back: %d mails, want none", n)
	}
	other := open(t, storetest.New(t), o.box, nil, shop()...)
	other.at(monday.Add(73 * time.Hour))
	if n := len(other.send(t)); n != 0 {
		t.Errorf("four days later: %d mails, want none", n)
	}
}

// A team without data is told so once.
func TestNothingIsSaidOnce(t *testing.T) {
	o := open(t, storetest.New(t), serveMail(t), func(c *Config) { c.Recipients.Teams = map[string][]string{"idle": {"ada@example.com"}} }, shop()...)
	mails := o.send(t)
	if len(mails) != 1 || !strings.Contains(mails[0].Text, nothing) || strings.Contains(mails[0].Text, "- Lead time") {
		t.Fatalf("got %d mails, want one that says that there is nothing", len(mails))
	}
	o.at(monday.AddDate(0, 0, 7))
	if n := len(o.send(t)); n != 0 {
		t.Errorf("the week after: %d mails, want none", n)
	}
}

// Facts that come late change a week that was mailed: the next mail says so, with before and after; the one after that
// does not say it again.
func TestRestatements(t *testing.T) {
	o := open(t, storetest.New(t), serveMail(t), func(c *Config) { c.Recipients.Teams["checkout"] = []string{"ada@example.com"} }, shop()...)
	if m := o.send(t); len(m) != 1 || strings.Contains(m[0].Text, "since they were mailed") {
		t.Fatal("the first mail restates something")
	}
	o.tell(t, fact{"type": "deployment", "service": "shop", "id": "late", "environment": "production", "status": "succeeded", "finished_at": "2026-05-17T09:00:00Z", "version": "v-late"})
	o.at(monday.AddDate(0, 0, 7))
	m := o.send(t)
	if want := "2026-W20 deployment frequency was mailed as 6 a week and is now 7 a week"; len(m) != 1 || !strings.Contains(m[0].Text, want) {
		t.Fatalf("no %q in %d mails:\n%s", want, len(m), m[0].Text)
	}
	o.at(monday.AddDate(0, 0, 14))
	if m := o.send(t); len(m) != 1 || strings.Contains(m[0].Text, "2026-W20 deployment") {
		t.Error("it is said again")
	}
}

func (o *office) visit(t testing.TB, method, address string, status int, form ...string) string {
	t.Helper()
	values := url.Values{}
	for i := 0; i+1 < len(form); i += 2 {
		values.Set(form[i], form[i+1])
	}
	r := httptest.NewRequest(method, strings.TrimPrefix(address, "https://cairn.example.com"), strings.NewReader(values.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	w := httptest.NewRecorder()
	o.Handler().ServeHTTP(w, r)
	if w.Code != status {
		t.Fatalf("%s %s: got %d, want %d:\n%s", method, address, w.Code, status, w.Body)
	}
	return w.Body.String()
}

// From the page to the mail with a link, to the button behind it, to the report, to the end of it.
func TestASubscriptionFromBeginningToEnd(t *testing.T) {
	o := open(t, storetest.New(t), serveMail(t), func(c *Config) { c.Recipients.Teams = nil }, shop()...)
	link := regexp.MustCompile(`https://cairn\.example\.com/reports/\S+`)
	o.visit(t, http.MethodPost, "/reports/subscribe", 200, "address", "eva@example.com", "team", "checkout")
	asked := o.box.mails(t)
	if len(asked) != 1 {
		t.Fatalf("%d mails that ask, want 1", len(asked))
	}
	confirm := link.FindString(asked[0].Text)
	o.visit(t, http.MethodPost, "/reports/subscribe", 200, "address", "eva@example.com", "team", "checkout")
	if n := len(o.box.mails(t)); n != 0 {
		t.Errorf("asked again at once: %d mails", n)
	}
	if page := o.visit(t, http.MethodGet, confirm, 200); !strings.Contains(page, "<button") {
		t.Error("no button")
	}
	if n := len(o.send(t)); n != 0 {
		t.Fatalf("looking at the link subscribed: %d mails", n)
	}
	o.visit(t, http.MethodPost, confirm, 200)
	got := o.send(t)
	if len(got) != 1 || got[0].To != "eva@example.com" {
		t.Fatalf("got %d mails, want the report", len(got))
	}
	stop := strings.Trim(got[0].GetHeader("List-Unsubscribe"), "<>")
	if !strings.Contains(got[0].Text, stop) || !strings.Contains(got[0].HTML, "/reports/unsubscribe?token=") {
		t.Error("the mail does not show the way out")
	}
	o.visit(t, http.MethodPost, stop[:len(stop)-2], 403)
	o.visit(t, http.MethodPost, strings.Replace(stop, "unsubscribe", "confirm", 1), 403)
	o.at(o.clock().Add(time.Second))
	o.visit(t, http.MethodPost, stop, 200, "List-Unsubscribe", "One-Click")
	o.at(monday.AddDate(0, 0, 7))
	if n := len(o.send(t)); n != 0 {
		t.Errorf("unsubscribed: %d mails", n)
	}
	o.at(monday.Add(time.Hour))
	o.visit(t, http.MethodPost, confirm, 403) // the old link subscribes nobody again
	o.at(monday.AddDate(0, 0, 8))
	o.visit(t, http.MethodGet, confirm, 403)
}

// Previews are there in each form; the mail's own document has a policy that lets its styles in and nothing run.
func TestPreviews(t *testing.T) {
	o := open(t, storetest.New(t), serveMail(t), nil, shop()...)
	for address, want := range map[string]string{
		"/reports/checkout/2026-W20": "<iframe", "/reports/checkout/2026-W20.html": "Week 2026-W20", "/reports/checkout/2026-W20.md": "## [", "/reports/checkout/2026-W20.txt": "The numbers", "/reports/2026-W20": "Acme, week 2026-W20",
	} {
		w := httptest.NewRecorder()
		o.Handler().ServeHTTP(w, httptest.NewRequest(http.MethodGet, address, nil))
		policy := w.Header().Get("Content-Security-Policy")
		if w.Code != 200 || !strings.Contains(w.Body.String(), want) {
			t.Errorf("%s: got %d, want %q", address, w.Code, want)
		}
		if strings.HasSuffix(address, ".html") != strings.Contains(policy, "'unsafe-inline'") {
			t.Errorf("%s: policy %q", address, policy)
		}
	}
	for address, status := range map[string]int{"/reports/nobody/2026-W20": 404, "/reports/checkout/2026-W54": 400, "/reports/checkout/2027-W20": 400, "/reports/a/b/c": 404} {
		o.visit(t, http.MethodGet, address, status)
	}
}

func TestWeeks(t *testing.T) {
	for text, want := range map[string]string{"2026-W20": "2026-05-11", "2026-W53": "2026-12-28", "2026-W01": "2025-12-29", "2020-W53": "2020-12-28", "2027-W01": "2027-01-04"} {
		w, err := ParseWeek(text)
		if err != nil || w.monday.Format(time.DateOnly) != want || w.String() != text {
			t.Errorf("%s: got %s, %v", text, w.monday, err)
		}
	}
	for _, text := range []string{"", "2026-20", "2025-W53", "2026-W00", "2026-W54", "2026-W1", "x2026-W20"} {
		if _, err := ParseWeek(text); fault.KindOf(err) != fault.Invalid {
			t.Errorf("%q: got %v", text, err)
		}
	}
	berlin, _ := time.LoadLocation("Europe/Berlin")
	for week, want := range map[string]string{"2026-W13": "2026-03-30T05:00:00Z", "2026-W12": "2026-03-23T06:00:00Z", "2026-W43": "2026-10-26T06:00:00Z", "2026-W53": "2027-01-04T06:00:00Z"} {
		w, _ := ParseWeek(week)
		if got := w.due(time.Monday, 7, berlin).UTC().Format(time.RFC3339); got != want {
			t.Errorf("%s is due at %s, want %s", week, got, want)
		}
	}
	w, _ := ParseWeek("2026-W13") // the clocks go forward on its Sunday
	window, err := w.window(1, berlin)
	if err != nil || window.To.Sub(window.From) != 167*time.Hour {
		t.Errorf("the week has %s, %v", window.To.Sub(window.From), err)
	}
	if got := Last(time.Date(2027, 1, 3, 23, 30, 0, 0, time.UTC), berlin).String(); got != "2026-W53" {
		t.Errorf("in Berlin it is Monday: got %s", got)
	}
}

// A report of the week that is not over yet is refused by name.
func TestConfigurationIsChecked(t *testing.T) {
	good := DefaultConfig()
	if err := good.Validate(); err != nil {
		t.Error(err)
	}
	for say, change := range map[string]func(*Config){
		"weekday":    func(c *Config) { c.Weekday = "someday" },
		"hour":       func(c *Config) { c.Hour = 24 },
		"smtp.tls":   func(c *Config) { c.SMTP.TLS = "maybe" },
		"in the cl":  func(c *Config) { c.SMTP.TLS, c.SMTP.User = NoTLS, "x" },
		"base_url":   func(c *Config) { c.SMTP.Host, c.From = "x", "a@b.c" },
		"from":       func(c *Config) { c.SMTP.Host, c.BaseURL = "x", "https://x" },
		"smtp.host":  func(c *Config) { c.Recipients.Organisation = []string{"a@b.c"} },
		"no address": func(c *Config) { c.Recipients.Organisation = []string{"a@b.c\r\nBcc: d@e.f"} },
	} {
		c := DefaultConfig()
		change(&c)
		if err := c.Validate(); fault.KindOf(err) != fault.Invalid || !strings.Contains(err.Error(), say) {
			t.Errorf("%s: got %v", say, err)
		}
	}
}
