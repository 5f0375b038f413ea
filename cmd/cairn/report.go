package main

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"cairn/dashboards"
	"cairn/internal/fault"
	"cairn/reports"

	"log/slog"
)

// newReports makes the reports of a program; pages is nil where none are served.
func newReports(cfg Config, p *program, pages *dashboards.Pages, getenv func(string) string, log *slog.Logger) (*reports.Reports, error) {
	c := cfg.Reports
	c.Pages = reports.PagesSetting{Title: cfg.Pages.Title, TimeZone: cfg.Pages.TimeZone}
	if c.SMTP.Password != "" {
		password, err := secrets{getenv}.reveal("reports.smtp.password", c.SMTP.Password)
		if err != nil {
			return nil, err
		}
		c.SMTP.Password = password
	}
	return reports.New(c, reports.Deps{Engine: p.engine, Store: p.store, Pages: pages, Now: time.Now, Log: log, Mailed: p.scraped.Mailed})
}

type reportCommand struct {
	Team   string   `help:"Report of a team (default: of the organisation)." placeholder:"ID"`
	Week   string   `help:"ISO week, such as 2026-W20 (default: the last one that is over)." placeholder:"WEEK"`
	Out    string   `help:"File to write, - for the terminal; its ending gives the form." placeholder:"FILE" default:"-"`
	Format string   `help:"Form: html, txt or md (default: by the ending of the file, else txt)." placeholder:"FORM"`
	Send   bool     `help:"Mail it instead, to its recipients or to those that --to names, whatever was sent before."`
	To     []string `help:"With --send: addresses to mail to instead." placeholder:"ADDRESS"`
}

// Run writes or mails a report.
func (c *reportCommand) Run(ctx context.Context, w *world, g *Globals) (err error) {
	form := c.Format
	if form == "" {
		form = strings.TrimPrefix(filepath.Ext(c.Out), ".")
	}
	switch form {
	case "html", "txt", "md":
	case "", "-":
		form = "txt"
	default:
		return fault.New(fault.Invalid, "the form is %q: expected html, txt or md", form)
	}
	if len(c.To) > 0 && !c.Send {
		return fault.New(fault.Invalid, "--to is for --send")
	}
	week := c.Week
	if week != "" {
		if _, err := reports.ParseWeek(week); err != nil {
			return err
		}
	}
	if !c.Send && g.Server != "" {
		return c.fetch(ctx, w, remote(strings.TrimSuffix(g.Server, "/")), week, form)
	}
	cfg, err := g.load()
	if err != nil {
		return err
	}
	if cfg.Store.Address == "" {
		if server := holder(ctx, cfg.Store.Data); server != nil {
			if c.Send {
				return fault.New(fault.Conflict, "a running cairn holds the data folder, and mails what is due by itself: to mail now, stop it first")
			}
			return c.fetch(ctx, w, server, week, form)
		}
	}
	p, err := open(ctx, cfg, nil, g.logger(w))
	if err != nil {
		return err
	}
	defer p.close()
	r, err := newReports(cfg, p, nil, w.getenv, g.logger(w))
	if err != nil {
		return err
	}
	of := reports.Week{}
	if week == "" {
		of, err = r.LastWeek(ctx, c.Team)
	} else {
		of, err = reports.ParseWeek(week)
	}
	if err != nil {
		return err
	}
	if c.Send {
		sent, err := r.SendNow(ctx, c.Team, of, c.To)
		for _, to := range sent {
			fmt.Fprintf(w.stdout, "mailed to %s\n", to)
		}
		return err
	}
	rep, err := r.Write(ctx, c.Team, of)
	if err != nil {
		return err
	}
	text := ""
	switch form {
	case "html":
		if text, err = r.HTML(rep, false); err != nil {
			return err
		}
	case "md":
		text = r.Markdown(rep)
	default:
		text = r.Text(rep, "")
	}
	return c.put(w, []byte(text))
}

// fetch gets a report from a running cairn.
func (c *reportCommand) fetch(ctx context.Context, w *world, from *client, week, form string) error {
	if week == "" {
		week = reports.Last(time.Now(), time.UTC).String()
	}
	path := "/reports/"
	if c.Team != "" {
		path += url.PathEscape(c.Team) + "/"
	}
	text, err := from.raw(ctx, http.MethodGet, path+week+"."+form, nil, nil)
	if err != nil {
		return err
	}
	return c.put(w, text)
}

func (c *reportCommand) put(w *world, text []byte) error {
	if c.Out == "-" {
		_, err := w.stdout.Write(text)
		return err
	}
	if err := os.WriteFile(c.Out, text, 0o644); err != nil {
		return fault.Wrap(fault.Denied, err, "the report")
	}
	return nil
}
