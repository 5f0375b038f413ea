package reports

import (
	"bytes"
	"embed"
	"encoding/base64"
	"fmt"
	"html/template"
	"strings"
	"unicode"
	"unicode/utf8"
)

//go:embed templates/*.html
var templateFiles embed.FS

// letter is what the HTML form of a report needs beside it.
type letter struct {
	Report
	Top         bool   // links open the whole window: the letter stands in a frame
	Unsubscribe string // address; "" in a preview
	Site        string
	image       func(n Number) string
}

// Image is the address of a number's chart; "" where it has none.
func (l letter) Image(n Number) template.URL { return template.URL(l.image(n)) }

func (r *Reports) html(l letter) (string, error) {
	t, err := template.New("").Funcs(template.FuncMap{
		"colour": func(class string) string { return map[string]string{"better": "good", "worse": "bad"}[class] },
	}).ParseFS(templateFiles, "templates/*.html")
	if err != nil {
		return "", err
	}
	var out bytes.Buffer
	err = t.ExecuteTemplate(&out, "mail.html", l)
	return out.String(), err
}

// HTML writes a report as one document that needs nothing else, to look at in a browser.
func (r *Reports) HTML(rep Report, inFrame bool) (string, error) {
	return r.html(letter{Report: rep, Top: inFrame, Site: r.cfg.BaseURL, image: func(n Number) string {
		if chart := draw(n.Chart); chart != nil {
			return "data:image/png;base64," + base64.StdEncoding.EncodeToString(chart)
		}
		return ""
	}})
}

// Subject is the mail's.
func (r Report) Subject() string {
	return clip(plain(r.Name), 120) + ": " + r.Week.String()
}

// plain is a text on one line, without the characters that turn others around or are not seen.
func plain(text string) string {
	text = strings.Map(func(c rune) rune {
		switch {
		case unicode.IsSpace(c):
			return ' '
		case unicode.IsControl(c), unicode.Is(unicode.Cf, c), c == utf8.RuneError:
			return -1
		}
		return c
	}, text)
	return strings.Join(strings.Fields(text), " ")
}

func clip(text string, runes int) string {
	if list := []rune(text); len(list) > runes {
		return string(list[:runes-1]) + "…"
	}
	return text
}

// sheet writes a report line by line, in plain text or in Markdown.
type sheet struct {
	out      strings.Builder
	markdown bool
}

// Text writes a report as plain text.
func (r *Reports) Text(rep Report, unsubscribe string) string {
	s := &sheet{}
	s.report(rep)
	if unsubscribe != "" {
		fmt.Fprintf(&s.out, "\n-- \nYou get this mail every week. No more of them: %s\n", unsubscribe)
	}
	return s.out.String()
}

// Markdown writes a report for a chat.
func (r *Reports) Markdown(rep Report) string {
	s := &sheet{markdown: true}
	s.report(rep)
	return s.out.String()
}

// escape makes a text stand for itself.
func (s *sheet) escape(text string) string {
	text = plain(text)
	if !s.markdown {
		return text
	}
	text = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;").Replace(text)
	var out strings.Builder
	for _, c := range text {
		if strings.ContainsRune("\\`*_{}[]#|!~@", c) {
			out.WriteByte('\\')
		}
		out.WriteRune(c)
	}
	return strings.ReplaceAll(out.String(), "://", ":\u200b//") // what was told is no link
}

func (s *sheet) heading(text string) {
	if s.markdown {
		fmt.Fprintf(&s.out, "\n**%s**\n\n", s.escape(text))
		return
	}
	text = plain(text)
	fmt.Fprintf(&s.out, "\n%s\n%s\n", text, strings.Repeat("-", utf8.RuneCountInString(text)))
}

func (s *sheet) report(rep Report) {
	title := rep.Name + ", week " + rep.Week.String()
	dates := rep.Week.Dates() + ", " + rep.Zone.String()
	if s.markdown {
		fmt.Fprintf(&s.out, "## [%s](%s)\n\n%s\n", s.escape(title), rep.Page, dates)
	} else {
		fmt.Fprintf(&s.out, "%s\n%s\n%s\n", plain(title), dates, rep.Page)
	}
	if rep.Empty {
		fmt.Fprintf(&s.out, "\n%s\n", nothing)
	}
	if len(rep.Lede) > 0 {
		s.out.WriteString("\n")
		for _, text := range rep.Lede {
			s.out.WriteString(s.escape(text) + "\n")
		}
	}
	if rep.Suggestion != "" {
		fmt.Fprintf(&s.out, "\n%s\n", s.strong("Worth doing: ")+s.escape(rep.Suggestion))
	}
	if !rep.Empty {
		s.heading("The numbers")
		s.out.WriteString(rep.Usual() + "\n\n")
		for _, n := range rep.Numbers {
			s.number(n)
		}
		for _, n := range rep.Minor {
			s.number(n)
		}
	}
	if rep.Moved != nil {
		s.heading("What moved")
		s.line(Line{Text: rep.Moved.Text, URL: rep.Moved.URL})
		s.lines(rep.Moved.Why)
	}
	for _, section := range rep.Sections() {
		s.heading(section.Title)
		s.lines(section.Lines)
	}
}

func (s *sheet) strong(text string) string {
	if s.markdown {
		return "**" + strings.TrimSpace(s.escape(text)) + "** "
	}
	return plain(text) + " "
}

func (s *sheet) number(n Number) {
	text := n.Value
	if n.Statistic != "" && n.Value != "" {
		text += " " + n.Statistic
	}
	if n.Missing != "" {
		text = n.Missing
	}
	var more []string
	for _, m := range append([]string{n.N, n.Period, n.Change.Arrow + " " + n.Change.Text, n.Usual.Arrow + " " + n.Usual.Text}, n.Notes...) {
		if m = strings.TrimSpace(m); m != "" {
			more = append(more, m)
		}
	}
	title := s.escape(n.Title)
	if s.markdown {
		title = "[" + title + "](" + n.URL + ")"
	}
	fmt.Fprintf(&s.out, "- %s: %s", title, s.strong(text))
	if len(more) > 0 {
		s.out.WriteString(s.escape("(" + strings.Join(more, "; ") + ")"))
	}
	s.out.WriteString("\n")
	if !s.markdown {
		fmt.Fprintf(&s.out, "  %s\n", n.URL)
	}
}

func (s *sheet) lines(list []Line) {
	for _, l := range list {
		s.line(l)
	}
}

func (s *sheet) line(l Line) {
	name := l.Name
	switch {
	case s.markdown && l.URL != "" && name != "":
		fmt.Fprintf(&s.out, "- [%s](%s) %s\n", s.escape(name), l.URL, s.escape(l.Text))
	case s.markdown && l.URL != "":
		fmt.Fprintf(&s.out, "- [%s](%s)\n", s.escape(l.Text), l.URL)
	default:
		fmt.Fprintf(&s.out, "- %s\n", strings.TrimSpace(s.escape(name)+" "+s.escape(l.Text)))
		if l.URL != "" {
			fmt.Fprintf(&s.out, "  %s\n", l.URL)
		}
	}
}

// nothing is said once of a team without data.
const nothing = "Nothing is known yet that could be told: no deployment, change, incident or survey. The next mail comes when there is something."

// Section is a heading and what stands under it.
type Section struct {
	Title string
	Lines []Line
}

// Sections are those that have something to say.
func (r Report) Sections() []Section {
	var list []Section
	for _, s := range []Section{
		{"Incidents of the week", r.Incidents}, {"What is waiting", r.Waiting}, {"Platform and people", r.News}, {"Weeks that have changed since they were mailed", r.Restated},
	} {
		if len(s.Lines) > 0 {
			list = append(list, s)
		}
	}
	return list
}

// Nothing is what the mail says when it is empty.
func (Report) Nothing() string { return nothing }

// Usual says what numbers are compared with.
func (Report) Usual() string {
	return fmt.Sprintf("“Before” is the week before, “usual” the %d weeks before this one.", usual)
}
