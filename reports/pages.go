package reports

import (
	"bytes"
	"cmp"
	"context"
	"html/template"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/wneessen/go-mail"

	"cairn/internal/fault"
)

// Handler serves the pages about reports, below /reports.
func (r *Reports) Handler() http.Handler {
	mux := http.NewServeMux()
	page := func(pattern string, h func(w http.ResponseWriter, q *http.Request) error) {
		mux.HandleFunc(pattern, func(w http.ResponseWriter, q *http.Request) {
			if err := h(w, q); err != nil {
				r.deps.Pages.Fail(w, q, err)
			}
		})
	}
	page("GET /reports", r.overview)
	page("POST /reports/subscribe", r.subscribe)
	page("GET /reports/confirm", r.ask("confirm"))
	page("POST /reports/confirm", r.confirm)
	page("GET /reports/unsubscribe", r.ask("unsubscribe"))
	page("POST /reports/unsubscribe", r.unsubscribe)
	page("GET /reports/{week}", r.preview)
	page("GET /reports/{team}/{week}", r.preview)
	mux.HandleFunc("/", func(w http.ResponseWriter, q *http.Request) { r.deps.Pages.ServeHTTP(w, q) }) // says that there is no such page
	return mux
}

func (r *Reports) show(w http.ResponseWriter, q *http.Request, title, name string, data any, frames bool) error {
	t, err := template.ParseFS(templateFiles, "templates/pages.html")
	if err != nil {
		return err
	}
	var out bytes.Buffer
	if err := t.ExecuteTemplate(&out, name, data); err != nil {
		return err
	}
	return r.deps.Pages.Frame(w, q, title, "reports", template.HTML(out.String()), frames)
}

// overviewPage is what /reports shows.
type overviewPage struct {
	Sends, Subscribe    bool
	Weekday             string
	Hour                int
	Organisation        string
	Teams               []teamLink
	Troubled            []trouble
	Sent, Still, Closed int
}

type teamLink struct{ ID, Name, URL string }

type trouble struct {
	Team, Week, To, What, Error string
	At                          time.Time
}

func (r *Reports) overview(w http.ResponseWriter, q *http.Request) error {
	ctx := q.Context()
	o := overviewPage{Sends: r.cfg.Sends(), Subscribe: r.cfg.Sends() && r.cfg.Subscribe, Weekday: r.cfg.Weekday, Hour: r.cfg.Hour}
	if day, ok := weekday(o.Weekday); ok {
		o.Weekday = day.String()
	}
	teams, err := r.teams(ctx)
	if err != nil {
		return err
	}
	zone, err := r.zone(r.cfg.Pages.TimeZone)
	if err != nil {
		return err
	}
	now := r.deps.Now()
	o.Organisation = "/reports/" + Last(now, zone).String()
	for _, t := range teams {
		own, err := r.zone(cmp.Or(t.TimeZone, r.cfg.Pages.TimeZone))
		if err != nil {
			return err
		}
		o.Teams = append(o.Teams, teamLink{t.ID, cmp.Or(t.Name, t.ID), "/reports/" + url.PathEscape(t.ID) + "/" + Last(now, own).String()})
	}
	slices.SortFunc(o.Teams, func(a, b teamLink) int { return cmp.Compare(a.Name, b.Name) })
	states, err := r.mails.states(ctx, now.Add(-recent))
	if err != nil {
		return err
	}
	for _, s := range states {
		t := trouble{Team: cmp.Or(s.Team, "the organisation"), Week: s.Week, To: masked(s.Recipient), Error: s.Error, At: s.At}
		switch {
		case s.Step == stepSent:
			o.Sent++
			continue
		case s.Step == stepFailed && now.Sub(s.First) <= retrying:
			t.What = "failed, will be tried again"
		case s.Step == stepFailed:
			t.What = "failed, given up"
		case s.Step == stepUnknown, s.Step == stepClaimed && now.Sub(s.At) > 15*time.Minute:
			t.What = "it is not known whether it arrived; it is not sent again"
		default:
			continue
		}
		o.Troubled = append(o.Troubled, t)
	}
	slices.SortFunc(o.Troubled, func(a, b trouble) int {
		return cmp.Or(b.At.Compare(a.At), cmp.Compare(a.Team, b.Team), cmp.Compare(a.To, b.To))
	})
	return r.show(w, q, "Reports", "overview", o, false)
}

// masked is an address that cannot be read off a page.
func masked(to string) string {
	at := strings.LastIndexByte(to, '@')
	if at < 1 {
		return "…"
	}
	return string([]rune(to[:at])[:1]) + "…" + to[at:]
}

// notice is a page with something to say and perhaps a button.
type notice struct {
	Title, Text  string
	Action, Pass string // of the button; "" for none
	Button       string
}

func (r *Reports) notice(w http.ResponseWriter, q *http.Request, n notice) error {
	w.Header().Set("Cache-Control", "no-store")
	return r.show(w, q, n.Title, "notice", n, false)
}

// maxForm bounds the body of a form.
const maxForm = 16 << 10

func (r *Reports) subscribe(w http.ResponseWriter, q *http.Request) error {
	if !r.cfg.Sends() || !r.cfg.Subscribe {
		return fault.New(fault.Denied, "nobody can subscribe by themselves here: ask whoever runs this cairn")
	}
	q.Body = http.MaxBytesReader(w, q.Body, maxForm)
	to, err := address(strings.TrimSpace(q.PostFormValue("address")))
	if err != nil {
		return err
	}
	ctx, team := q.Context(), q.PostFormValue("team")
	name := r.cfg.Pages.Title
	if team != "" {
		t, err := r.deps.Engine.Team(ctx, team)
		if err != nil {
			return err
		}
		name = cmp.Or(t.Name, team)
	}
	// The page says the same whether a mail goes out or not: it tells nobody who is subscribed.
	if r.limit.allow(to) {
		if err := r.askToConfirm(ctx, team, name, to); err != nil {
			return err
		}
	}
	return r.notice(w, q, notice{Title: "One more step", Text: "A mail with a link is on its way to " + to + ". The reports come once that link was followed; it works for a week. If no mail comes, wait ten minutes and ask again."})
}

// confirmWithin is how long the link of a confirmation works.
const confirmWithin = 7 * 24 * time.Hour

func (r *Reports) askToConfirm(ctx context.Context, team, name, to string) error {
	key, err := r.mails.key(ctx)
	if err != nil {
		return err
	}
	now := r.deps.Now()
	link := r.cfg.BaseURL + "/reports/confirm?token=" + seal(key, pass{Does: "confirm", Team: team, Address: to, Made: now.UTC()})
	m, err := r.letter(to, "Confirm: weekly report of "+clip(plain(name), 120), now)
	if err != nil {
		return err
	}
	m.SetMessageIDWithValue("confirm." + digest("confirm", team, to, now.String())[:32] + "@" + r.domain())
	m.SetBodyString(mail.TypeTextPlain, "Somebody, probably you, asked for the weekly report of "+plain(name)+" at this address.\n\nTo get it, follow this link within a week:\n\n"+link+"\n\nIf it was not you, do nothing: no further mail comes.\n")
	connection, err := r.deps.Send(r.cfg).Connect(ctx)
	if err != nil {
		return err
	}
	defer connection.Close()
	if _, err := connection.Send(m); err != nil {
		return fault.Wrap(fault.Unavailable, err, "the mail that asks for a confirmation")
	}
	return nil
}

// ask shows a button: whatever follows links of mails by itself changes nothing.
func (r *Reports) ask(does string) func(w http.ResponseWriter, q *http.Request) error {
	return func(w http.ResponseWriter, q *http.Request) error {
		p, token, err := r.pass(q, does)
		if err != nil {
			return err
		}
		name, err := r.name(q.Context(), p.Team)
		if err != nil {
			return err
		}
		n := notice{Title: "Weekly report of " + name, Text: p.Address + " will get it every week.", Button: "Subscribe", Action: "/reports/" + does, Pass: token}
		if does == "unsubscribe" {
			n.Text, n.Button = p.Address+" will get it no more.", "Unsubscribe"
		}
		return r.notice(w, q, n)
	}
}

func (r *Reports) pass(q *http.Request, does string) (pass, string, error) {
	token := q.URL.Query().Get("token")
	key, err := r.mails.key(q.Context())
	if err != nil {
		return pass{}, "", err
	}
	p, err := unseal(key, token, does)
	if err == nil && does == "confirm" && r.deps.Now().Sub(p.Made) > confirmWithin {
		err = fault.New(fault.Denied, "this link is older than a week: ask for a new one at /reports")
	}
	return p, token, err
}

func (r *Reports) name(ctx context.Context, team string) (string, error) {
	if team == "" {
		return r.cfg.Pages.Title, nil
	}
	t, err := r.deps.Engine.Team(ctx, team)
	if fault.KindOf(err) == fault.NotFound && err != nil {
		return team, nil
	}
	return cmp.Or(t.Name, team), err
}

func (r *Reports) confirm(w http.ResponseWriter, q *http.Request) error {
	ctx := q.Context()
	p, _, err := r.pass(q, "confirm")
	if err != nil {
		return err
	}
	decided, err := r.mails.subscriptions(ctx)
	if err != nil {
		return err
	}
	for _, s := range decided {
		if s.Team == p.Team && s.Address == p.Address && s.State == unsubscribed && s.UpdatedAt.After(p.Made) {
			return fault.New(fault.Denied, "this address was unsubscribed after that link was made: ask for a new one at /reports")
		}
	}
	if err := r.mails.decide(ctx, subscription{p.Team, p.Address, subscribed, r.deps.Now()}); err != nil {
		return err
	}
	return r.notice(w, q, notice{Title: "Subscribed", Text: p.Address + " gets the report from the next week on. Each mail has a link that ends it."})
}

// unsubscribe answers the button and the one click of mail programs (RFC 8058) alike.
func (r *Reports) unsubscribe(w http.ResponseWriter, q *http.Request) error {
	q.Body = http.MaxBytesReader(w, q.Body, maxForm)
	p, _, err := r.pass(q, "unsubscribe")
	if err != nil {
		return err
	}
	if err := r.mails.decide(q.Context(), subscription{p.Team, p.Address, unsubscribed, r.deps.Now()}); err != nil {
		return err
	}
	return r.notice(w, q, notice{Title: "Unsubscribed", Text: p.Address + " gets this report no more."})
}

// previewPage is what /reports/{team}/{week} shows.
type previewPage struct {
	Title, Week, Dates        string
	HTML, Markdown, Text      string
	Before, After, BeforeName string
	AfterName                 string
}

func (r *Reports) preview(w http.ResponseWriter, q *http.Request) error {
	team, last := q.PathValue("team"), q.PathValue("week")
	name, form := last, ""
	for _, ending := range []string{".html", ".md", ".txt"} {
		if cut, ok := strings.CutSuffix(last, ending); ok {
			name, form = cut, ending
		}
	}
	week, err := ParseWeek(name)
	if err != nil {
		return err
	}
	rep, err := r.write(q.Context(), team, week)
	if err != nil {
		return err
	}
	answer := func(kind, text string) error {
		w.Header().Set("Content-Type", kind+"; charset=utf-8")
		w.Header().Set("X-Content-Type-Options", "nosniff")
		w.Header().Set("Cache-Control", "no-cache")
		_, _ = w.Write([]byte(text)) // who does not wait for the answer does not miss it
		return nil
	}
	switch form {
	case ".md":
		return answer("text/markdown", r.Markdown(rep))
	case ".txt":
		return answer("text/plain", r.Text(rep, ""))
	case ".html":
		text, err := r.HTML(rep, true)
		if err != nil {
			return err
		}
		// A mail's styles stand in its tags, which the policy of pages forbids. This document has a policy of its own:
		// nothing runs in it, nothing is loaded, and only this site shows it.
		w.Header().Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'self'; sandbox allow-top-navigation-by-user-activation allow-popups")
		return answer("text/html", text)
	}
	base := "/reports/"
	if team != "" {
		base += url.PathEscape(team) + "/"
	}
	p := previewPage{Title: rep.Name, Week: week.String(), Dates: week.Dates(), HTML: base + name + ".html", Markdown: base + name + ".md", Text: base + name + ".txt",
		Before: base + week.plus(-1).String(), BeforeName: week.plus(-1).String()}
	if next := week.plus(1); !next.monday.After(Last(r.deps.Now(), rep.Zone).monday) {
		p.After, p.AfterName = base+next.String(), next.String()
	}
	return r.show(w, q, rep.Subject(), "preview", p, true)
}
