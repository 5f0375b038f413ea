// Package api is the HTTP interface: what people's programs, the terminal and other tools ask. It stands at the end of
// the data's way: it reads requests, asks the metrics, and writes JSON or CSV; facts come in through the handler it is given.
// Every error is answered from one place, as problem+json.
package api

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"time"

	"github.com/labstack/echo/v4"

	"cairn/internal/event"
	"cairn/internal/fault"
	"cairn/internal/problem"
	"cairn/internal/store"
	"cairn/metrics"
)

// Deps is what the interface stands on.
type Deps struct {
	Engine   *metrics.Engine
	Store    *store.Store // positions of collectors
	Events   http.Handler // takes POST /api/v1/events
	Replay   http.Handler // takes POST /api/v1/replay; nil where no source is configured
	Log      *slog.Logger
	Instance string // names this process among others
	Version  string
}

// Server answers requests.
type Server struct {
	deps Deps
	echo *echo.Echo
}

// New returns a server with its routes. It does not listen.
func New(d Deps) *Server {
	s := &Server{deps: d, echo: echo.New()}
	s.echo.HideBanner, s.echo.HidePort = true, true
	s.echo.HTTPErrorHandler = s.fail
	for _, r := range s.routes() {
		s.echo.Add(r.method, r.path, r.handle)
		if r.method == http.MethodGet {
			s.echo.Add(http.MethodHead, r.path, r.handle)
		}
	}
	return s
}

// ServeHTTP implements http.Handler.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) { s.echo.ServeHTTP(w, r) }

// fail is where every error becomes an answer.
func (s *Server) fail(err error, c echo.Context) {
	if c.Response().Committed {
		return
	}
	if routing, ok := errors.AsType[*echo.HTTPError](err); ok {
		switch routing.Code {
		case http.StatusNotFound:
			err = fault.New(fault.NotFound, "there is nothing at %s", c.Request().URL.Path)
		case http.StatusMethodNotAllowed:
			err = &problem.Problem{Status: routing.Code, Detail: c.Request().Method + " is not possible at " + c.Request().URL.Path}
		}
	}
	if fault.KindOf(err) == fault.Internal && !errors.Is(err, context.Canceled) {
		if _, ok := errors.AsType[*problem.Problem](err); !ok {
			s.deps.Log.Error("a request failed", "method", c.Request().Method, "path", c.Request().URL.Path, "error", err)
		}
	}
	problem.Write(c.Response(), c.Request(), err)
}

// Health is the answer of /healthz.
type Health struct {
	Status   string `json:"status"`
	Instance string `json:"instance"`
	Version  string `json:"version"`
}

func (s *Server) health(c echo.Context) error {
	var one uint8
	ctx, cancel := context.WithTimeout(c.Request().Context(), 5*time.Second)
	defer cancel()
	if err := s.deps.Store.QueryRow(ctx, "SELECT 1", nil).Scan(&one); err != nil {
		return fault.Wrap(fault.Unavailable, err, "the store does not answer")
	}
	c.Response().Header().Set("Cache-Control", "no-store")
	if c.Request().Method == http.MethodHead {
		return c.NoContent(http.StatusOK)
	}
	return c.JSON(http.StatusOK, Health{Status: "ok", Instance: s.deps.Instance, Version: s.deps.Version})
}

func (s *Server) schema(c echo.Context) error {
	return write(c, "application/schema+json", event.Schema(), event.Schema())
}
