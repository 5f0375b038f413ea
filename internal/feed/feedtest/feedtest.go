// Package feedtest reads a connection of one stream to its end, in one go or broken off again and again.
package feedtest

import (
	"fmt"
	"testing"
	"time"

	"cairn/internal/event"
	"cairn/internal/feed"
	"cairn/internal/source"
)

// Connection is what is read.
type Connection interface {
	Streams() []source.Stream
	Turn(s source.Stream, position string, asOf time.Time) (*feed.Turn, error)
	Recall(stream, position string) error
	Refresh(w source.Wake, asOf time.Time) (*feed.Turn, error)
}

// Reader keeps what outlives a turn.
type Reader struct {
	Connection Connection
	Position   string
	Facts      []event.Event // everything that was told, in order
	Report     source.Report
	Turns      int
}

// CatchUp gives turns until nothing more is left. With crash > 0 a process ends whenever it has been told so many events,
// and the next goes on from what it saved; from one life to the next it is told one more, so that it gets on.
func (r *Reader) CatchUp(t testing.TB, asOf time.Time, crash int) error {
	t.Helper()
	for range 10_000 {
		turn, err := r.Connection.Turn(r.Connection.Streams()[0], r.Position, asOf)
		if err != nil {
			return err
		}
		r.Turns++
		told, crashed := 0, false
		saved := turn.Position()
		var pending []event.Event // told and not yet covered by a position
		for e, err := range turn.Events(t.Context()) {
			if err != nil {
				r.Position, r.Facts = turn.Position(), append(r.Facts, pending...)
				return err
			}
			if turn.Position() != saved {
				saved, r.Facts, pending = turn.Position(), append(r.Facts, pending...), nil
			}
			pending = append(pending, e)
			if told++; crash > 0 && told >= crash {
				crashed = true
				break
			}
		}
		if crashed { // what was pending is lost
			r.Position, crash = saved, crash+1
			if err := r.Connection.Recall(r.Connection.Streams()[0].Name, r.Position); err != nil {
				return err
			}
			continue
		}
		r.Facts = append(r.Facts, pending...)
		r.Position, r.Report = turn.Position(), turn.Report()
		if !r.Report.More {
			return nil
		}
	}
	return fmt.Errorf("it never ends")
}

// Refresh tells one thing again.
func (r *Reader) Refresh(t testing.TB, subject string, asOf time.Time) error {
	t.Helper()
	turn, err := r.Connection.Refresh(source.Wake{Stream: r.Connection.Streams()[0].Name, Subject: subject}, asOf)
	if err != nil {
		return err
	}
	for e, err := range turn.Events(t.Context()) {
		if err != nil {
			return err
		}
		r.Facts = append(r.Facts, e)
	}
	return nil
}
