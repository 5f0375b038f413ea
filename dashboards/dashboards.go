// Package dashboards is what people see: HTML pages over the metrics. It stands at the end of the data's way beside
// the API and asks the same engine, so that a page and the API can never disagree. The pages work without scripts;
// scripts add charts, search as one types and the choice of a theme. Nothing is loaded from another machine.
package dashboards

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"html/template"
	"io/fs"
	"log/slog"
	"net/http"
	"net/url"
	"time"

	"github.com/labstack/echo/v4"

	"cairn/internal/fault"
	"cairn/internal/param"
	"cairn/internal/problem"
	"cairn/metrics"
	"cairn/metrics/words"
)

// Config is how the pages look at the data.
type Config struct {
	Title    string `yaml:"title"`     // the organisation's name
	TimeZone string `yaml:"time_zone"` // IANA zone of windows and buckets, unless an address names another
}

// DefaultConfig returns the organisation without a name, in UTC.
func DefaultConfig() Config { return Config{Title: "The organisation", TimeZone: "UTC"} }

// Validate names the first setting that cannot be.
func (c *Config) Validate() error {
	if c.Title == "" {
		return fault.New(fault.Invalid, "title is empty: expected the organisation's name")
	}
	_, err := metrics.ParseZone(c.TimeZone)
	return err
}

// Deps is what the pages stand on.
type Deps struct {
	Engine  *metrics.Engine
	OpenAPI []byte // the API's own description, JSON
	Docs    fs.FS  // the documentation in Markdown
	Now     func() time.Time
	Log     *slog.Logger
	Version string
}

// Pages answers requests for pages.
type Pages struct {
	cfg       Config
	deps      Deps
	echo      *echo.Echo
	templates map[string]*template.Template
	assets    assets
	docs      documentation
	api       apiPage
}

// New returns the pages. It does not listen.
func New(cfg Config, d Deps) (*Pages, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	p := &Pages{cfg: cfg, deps: d, echo: echo.New()}
	var err error
	if p.assets, err = loadAssets(); err != nil {
		return nil, err
	}
	if p.templates, err = loadTemplates(p.assets); err != nil {
		return nil, err
	}
	if p.docs, err = loadDocumentation(d.Docs); err != nil {
		return nil, err
	}
	if p.api, err = describeAPI(d.OpenAPI); err != nil {
		return nil, err
	}
	p.echo.HideBanner, p.echo.HidePort = true, true
	p.echo.HTTPErrorHandler = p.fail
	p.echo.Use(protect, unescape)
	for _, r := range p.routes() {
		p.echo.GET(r.path, r.handler)
		p.echo.HEAD(r.path, r.handler)
	}
	return p, nil
}

// ServeHTTP implements http.Handler.
func (p *Pages) ServeHTTP(w http.ResponseWriter, r *http.Request) { p.echo.ServeHTTP(w, r) }

type route struct {
	path    string
	handler echo.HandlerFunc
}

func (p *Pages) routes() []route {
	return []route{
		{"/", p.organisation},
		{"/teams", p.teams},
		{"/teams/:id", p.team},
		{"/services", p.services},
		{"/services/:id", p.service},
		{"/metrics/:id", p.metric},
		{"/deployments/:service/:id", p.deployment},
		{"/sources", p.sources},
		{"/sources/unmatched", p.unmatched},
		{"/sources/:name", p.source},
		{"/doctor", p.doctor},
		{"/docs", p.docsIndex},
		{"/docs/api", p.apiDocs},
		{"/docs/*", p.docsPage},
		{"/assets/:file", p.asset},
		{"/favicon.ico", p.favicon},
	}
}

// protect sets the headers that keep a page to itself.
func protect(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		h := c.Response().Header()
		h.Set("Content-Security-Policy", "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'")
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "same-origin")
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		return next(c)
	}
}

// unescape gives handlers the ids of an address as they are: where a slash of an id is escaped, the parts of the path
// come as they were written.
func unescape(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		if c.Request().URL.RawPath == "" {
			return next(c)
		}
		var values []string
		for _, written := range c.ParamValues() {
			value, err := url.PathUnescape(written)
			if err != nil {
				return fault.New(fault.NotFound, "there is no page %s", c.Request().URL.Path)
			}
			values = append(values, value)
		}
		c.SetParamValues(values...)
		return next(c)
	}
}

// page is what every page has.
type page struct {
	Title   string // of the window; the organisation's name follows
	Nav     string // the entry of the navigation that this page belongs to
	View    view
	Path    string      // of this page, without parameters
	Keep    [][2]string // parameters of this page alone, name and value
	Org     string
	Version string
	AsOf    time.Time
	Fresh   string // when each source was last read or heard
	Body    any
}

// Self is the address of this page with other parameters.
func (p page) Self(pairs ...string) string {
	var all []string
	for _, k := range p.Keep {
		all = append(all, k[0], k[1])
	}
	return p.View.Link(p.Path, append(all, pairs...)...)
}

// Chosen is what a parameter of this page is set to.
func (p page) Chosen(param string) string {
	for _, k := range p.Keep {
		if k[0] == param {
			return k[1]
		}
	}
	return ""
}

// show answers with a page.
func (p *Pages) show(c echo.Context, name string, pg page) error {
	pg.Org, pg.Version, pg.Path = p.cfg.Title, p.deps.Version, c.Request().URL.EscapedPath()
	pg.Fresh = p.fresh(c.Request().Context())
	var out bytes.Buffer
	t, ok := p.templates[name]
	if !ok {
		return fault.New(fault.Internal, "dashboards: no template %q", name)
	}
	if err := t.ExecuteTemplate(&out, "layout", pg); err != nil {
		return fmt.Errorf("dashboards: page %q: %w", name, err)
	}
	c.Response().Header().Set("Cache-Control", "no-cache")
	return c.HTMLBlob(http.StatusOK, out.Bytes())
}

// Frame answers with a page of the site around what another package has made. frames lets the page show a frame of this
// site in itself.
func (p *Pages) Frame(w http.ResponseWriter, r *http.Request, title, nav string, main template.HTML, frames bool) error {
	c := p.echo.NewContext(r, w)
	return protect(func(c echo.Context) error {
		if frames {
			h := c.Response().Header()
			h.Set("Content-Security-Policy", h.Get("Content-Security-Policy")+"; frame-src 'self'")
		}
		v, err := readView(nil, p.cfg.TimeZone, p.deps.Now())
		if err != nil {
			return err
		}
		return p.show(c, "framed", page{Title: title, Nav: nav, View: v, Body: main})
	})(c)
}

// Fail answers with the page about an error.
func (p *Pages) Fail(w http.ResponseWriter, r *http.Request, err error) {
	c := p.echo.NewContext(r, w)
	_ = protect(func(c echo.Context) error { p.fail(err, c); return nil })(c)
}

// failure is what the page about an error shows.
type failure struct {
	Status int
	Title  string
	Detail string
	Retry  bool
}

// fail is where every error becomes a page.
func (p *Pages) fail(err error, c echo.Context) {
	if c.Response().Committed {
		return
	}
	if routing, ok := errors.AsType[*echo.HTTPError](err); ok {
		err = fault.New(fault.NotFound, "there is no page %s", c.Request().URL.Path)
		if routing.Code == http.StatusMethodNotAllowed {
			err = &problem.Problem{Status: routing.Code, Detail: c.Request().Method + " is not possible here"}
		}
	}
	what := problem.From(err)
	if what.Status == http.StatusInternalServerError && !errors.Is(err, context.Canceled) {
		p.deps.Log.Error("a page failed", "path", c.Request().URL.Path, "error", err)
	}
	pg := page{Title: what.Title, Org: p.cfg.Title, Version: p.deps.Version, Path: "/", Body: failure{
		Status: what.Status, Title: what.Title, Detail: words.Upper(what.Detail), Retry: what.Status >= http.StatusInternalServerError,
	}}
	var out bytes.Buffer
	if err := p.templates["failure"].ExecuteTemplate(&out, "layout", pg); err != nil {
		p.deps.Log.Error("the page about a failure failed", "error", err)
	}
	c.Response().Header().Set("Cache-Control", "no-store")
	if what.Status == http.StatusServiceUnavailable {
		c.Response().Header().Set("Retry-After", problem.Retry)
	}
	_ = c.HTMLBlob(what.Status, out.Bytes()) // who does not wait for the answer does not miss it
}

// view reads the view of a request and refuses parameters that the page does not have.
func (p *Pages) view(c echo.Context, also ...string) (view, error) {
	if err := param.Only(c.QueryParams(), append(viewParams(), also...), " here"); err != nil {
		return view{}, err
	}
	return readView(c.QueryParams(), p.cfg.TimeZone, p.deps.Now())
}
