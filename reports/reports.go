// Package reports writes the weekly mail: what a team, or the organisation, shipped in a week, what moved and why, what
// waits, and which numbers of past weeks have changed since they were mailed. It stands at the end of the data's way
// beside the API and the pages, asks the same engine and says the numbers with the same words.
package reports

import (
	"log/slog"
	"net/mail"
	"net/url"
	"slices"
	"strings"
	"time"

	"cairn/dashboards"
	"cairn/internal/fault"
	"cairn/internal/store"
	"cairn/metrics"
)

// Config says how mails are sent, when, and to whom.
type Config struct {
	BaseURL    string       `yaml:"base_url"` // where readers of a mail reach this cairn: https://…
	From       string       `yaml:"from"`
	Weekday    string       `yaml:"weekday"` // in the team's own time zone
	Hour       int          `yaml:"hour"`
	Subscribe  bool         `yaml:"subscribe"` // whether people may subscribe by themselves
	SMTP       SMTPConfig   `yaml:"smtp"`
	Recipients ToConfig     `yaml:"recipients"`
	Pages      PagesSetting `yaml:"-"`
}

// PagesSetting is what the mails take over from the pages.
type PagesSetting struct{ Title, TimeZone string }

// SMTPConfig is the server that takes the mails.
type SMTPConfig struct {
	Host     string        `yaml:"host"` // "" sends nothing
	Port     int           `yaml:"port"`
	TLS      string        `yaml:"tls"` // starttls, tls or none
	User     string        `yaml:"user"`
	Password string        `yaml:"password" secret:"true"` // env:NAME or file:PATH
	Timeout  time.Duration `yaml:"timeout"`
}

// ToConfig lists who gets which report.
type ToConfig struct {
	Organisation []string            `yaml:"organisation"`
	Teams        map[string][]string `yaml:"teams"`
}

// The ways of speaking with the server.
const (
	StartTLS = "starttls"
	TLS      = "tls"
	NoTLS    = "none"
)

// DefaultConfig returns mails on Monday at seven that go nowhere.
func DefaultConfig() Config {
	return Config{Weekday: "monday", Hour: 7, Subscribe: true, SMTP: SMTPConfig{Port: 587, TLS: StartTLS, Timeout: time.Minute}}
}

// Sends says whether mails are sent at all.
func (c *Config) Sends() bool { return c.SMTP.Host != "" }

// Validate names the first setting that cannot be.
func (c *Config) Validate() error {
	if _, ok := weekday(c.Weekday); !ok {
		return fault.New(fault.Invalid, "weekday is %q: expected monday to sunday", c.Weekday)
	}
	if c.Hour < 0 || c.Hour > 23 {
		return fault.New(fault.Invalid, "hour is %d: expected 0 to 23", c.Hour)
	}
	if c.SMTP.TLS != StartTLS && c.SMTP.TLS != TLS && c.SMTP.TLS != NoTLS {
		return fault.New(fault.Invalid, "smtp.tls is %q: expected starttls, tls or none", c.SMTP.TLS)
	}
	if c.SMTP.TLS == NoTLS && c.SMTP.User != "" {
		return fault.New(fault.Invalid, "smtp.tls is none with a user: the password would be sent in the clear; use starttls or tls")
	}
	if c.SMTP.Port < 1 || c.SMTP.Port > 65535 {
		return fault.New(fault.Invalid, "smtp.port is %d: expected 1 to 65535", c.SMTP.Port)
	}
	if c.SMTP.Timeout <= 0 {
		return fault.New(fault.Invalid, "smtp.timeout is %s: expected a duration above 0", c.SMTP.Timeout)
	}
	if c.BaseURL != "" {
		if u, err := url.Parse(c.BaseURL); err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" {
			return fault.New(fault.Invalid, "base_url is %q: expected an address such as https://cairn.example.com", c.BaseURL)
		}
	}
	for _, to := range append([]string{}, c.Recipients.all()...) {
		if _, err := address(to); err != nil {
			return err
		}
	}
	if !c.Sends() {
		if len(c.Recipients.all()) > 0 {
			return fault.New(fault.Invalid, "recipients are named, but no smtp.host that takes their mails")
		}
		return nil
	}
	if c.BaseURL == "" {
		return fault.New(fault.Invalid, "base_url is missing: mails link to the pages there, such as https://cairn.example.com")
	}
	if _, err := mail.ParseAddress(c.From); err != nil {
		return fault.New(fault.Invalid, "from is %q: expected an address such as cairn@example.com", c.From)
	}
	return nil
}

func (t ToConfig) all() []string {
	list := slices.Clone(t.Organisation)
	for _, to := range t.Teams {
		list = append(list, to...)
	}
	return list
}

// address reads one address, without a name.
func address(text string) (string, error) {
	a, err := mail.ParseAddress(text)
	if err != nil || a.Name != "" || len(a.Address) > 254 || strings.ContainsAny(a.Address, "\r\n\x00 \t") {
		return "", fault.New(fault.Invalid, "%.100q is no address: expected one such as ada@example.com", text)
	}
	at := strings.LastIndexByte(a.Address, '@')
	return a.Address[:at] + "@" + strings.ToLower(a.Address[at+1:]), nil
}

func weekday(name string) (time.Weekday, bool) {
	for d := time.Sunday; d <= time.Saturday; d++ {
		if strings.EqualFold(d.String(), name) {
			return d, true
		}
	}
	return 0, false
}

// Deps is what reports stand on.
type Deps struct {
	Engine *metrics.Engine
	Store  *store.Store
	Pages  *dashboards.Pages // nil where nothing is served
	Now    func() time.Time
	Log    *slog.Logger
	Send   func(Config) Transport // nil: by SMTP
	Mailed func(outcome string)   // hears how each attempt at a mail ended: sent, failed or unknown; nil: nobody does
}

// Reports writes and sends the weekly mails.
type Reports struct {
	cfg   Config
	deps  Deps
	mails book
	limit *throttle
}

// New checks the configuration. Nothing starts.
func New(cfg Config, d Deps) (*Reports, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	cfg.BaseURL = strings.TrimRight(cfg.BaseURL, "/")
	if d.Send == nil {
		d.Send = smtpTransport
	}
	return &Reports{cfg: cfg, deps: d, mails: book{d.Store}, limit: &throttle{now: d.Now}}, nil
}
