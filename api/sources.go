package api

import (
	"github.com/labstack/echo/v4"

	"cairn/internal/fault"
	"cairn/metrics"
)

func (s *Server) sources(c echo.Context) error {
	list, err := s.deps.Engine.Sources(c.Request().Context())
	if err != nil {
		return err
	}
	return answer(c, list)
}

// unmatched is what was told and could not be joined.
func (s *Server) unmatched(c echo.Context) error {
	u, err := s.deps.Engine.Unmatched(c.Request().Context())
	if err != nil {
		return err
	}
	return answer(c, u)
}

func (s *Server) source(c echo.Context) error {
	p, err := paging(c)
	if err != nil {
		return err
	}
	q := c.QueryParams()
	f := metrics.StreamFilter{Outcome: q.Get("outcome"), Subject: q.Get("subject"), Kind: q.Get("kind")}
	if f.Problems, err = yes(q, "problems"); err != nil {
		return err
	}
	list, err := s.deps.Engine.Source(c.Request().Context(), named(c, "name"), f, p)
	if err != nil {
		return err
	}
	linkNext(c, "cursor", list.Next)
	return answer(c, list)
}

// replay has webhooks told again that were kept.
func (s *Server) replay(c echo.Context) error {
	if s.deps.Replay == nil {
		return fault.New(fault.NotFound, "no source is configured: there are no webhooks to tell again; cairn connect says how to begin")
	}
	s.deps.Replay.ServeHTTP(c.Response(), c.Request())
	return nil
}

// replaySchema describes what became of the webhooks.
func replaySchema() Schema {
	return Schema{"type": "string", "description": "One JSON object a line, for each webhook that was told again, as it happens: what it was and what became of it."}
}

// deliveryOutcomes are what becomes of webhooks.
func deliveryOutcomes() []string { return []string{"told", "woken", "ignored", "unreadable"} }
