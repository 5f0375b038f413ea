package api

import (
	_ "embed"
	"encoding/json"
	"net/http"

	"github.com/labstack/echo/v4"

	"cairn/internal/fault"
	"cairn/internal/store"
)

//go:embed position.sql
var positionQuery string

//go:embed set_position.sql
var setPositionQuery string

// Position is how far a collector has come in one stream.
type Position struct {
	Stream   string `json:"stream"`
	Position string `json:"position"` // "" at the beginning
}

func (s *Server) position(c echo.Context) error {
	var rows []struct {
		Position string `ch:"position"`
	}
	p := Position{Stream: c.QueryParam("stream")}
	if p.Stream == "" {
		return fault.New(fault.Invalid, "stream is missing: expected the name of a stream, such as a repository")
	}
	if err := s.deps.Store.Select(c.Request().Context(), &rows, positionQuery, store.Params{"owner": owner(c), "stream": p.Stream}); err != nil {
		return err
	}
	for _, r := range rows {
		p.Position = r.Position
	}
	return answer(c, p)
}

func owner(c echo.Context) string { return "collector " + named(c, "kind") }

// maxPosition bounds what a collector may remember of a stream.
const maxPosition = 8 << 20

func (s *Server) setPosition(c echo.Context) error {
	var p Position
	d := json.NewDecoder(http.MaxBytesReader(c.Response(), c.Request().Body, maxPosition))
	d.DisallowUnknownFields()
	if err := d.Decode(&p); err != nil {
		return fault.Wrap(fault.Invalid, err, "the position of a stream")
	}
	if p.Stream == "" {
		return fault.New(fault.Invalid, "stream is missing: expected the name of a stream, such as a repository")
	}
	ctx := s.deps.Store.Durable(c.Request().Context())
	if err := s.deps.Store.Exec(ctx, setPositionQuery, store.Params{"owner": owner(c), "stream": p.Stream, "position": p.Position}); err != nil {
		return err
	}
	return c.JSON(http.StatusOK, p)
}
