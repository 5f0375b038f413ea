// Package readingtest reads a connection to its end, in one go or broken off again and again.
package readingtest

import (
	"fmt"
	"testing"
	"time"

	"cairn/internal/event"
	"cairn/internal/hook/hooktest"
	"cairn/internal/reading"
	"cairn/internal/source"
)

// Connection is what is read.
type Connection interface {
	Streams() []source.Stream
	Turn(s source.Stream, position string, asOf time.Time) (*reading.Turn, error)
	Recall(stream, position string) error
	Refresh(w source.Wake, asOf time.Time) (*reading.Turn, error)
}

// Reader keeps what outlives a turn.
type Reader struct {
	// New makes the connection again, as a process does that starts.
	New       func() Connection
	Positions map[string]string
	Facts     []event.Event // everything that was told, in order
	Reports   map[string]source.Report
	Now       Connection
}

// Known are the tellings that win.
func (r *Reader) Known() map[string]event.Event { return hooktest.Known(r.Facts) }

// CatchUp gives each stream turns until it has nothing more. With crash > 0 the process ends whenever it has been told so
// many events, and the next goes on from what was saved; from one life to the next it is told one more, so that it gets
// on.
func (r *Reader) CatchUp(t testing.TB, asOf time.Time, crash int) error {
	t.Helper()
	if r.Now == nil {
		r.start(t)
	}
	for n := 0; n < len(r.Now.Streams()); n++ {
		s := r.Now.Streams()[n]
		for turns := 0; ; turns++ {
			if turns > 10_000 {
				return fmt.Errorf("%s never ends", s.Name)
			}
			more, crashed, err := r.turn(t, s, asOf, crash)
			if err != nil {
				return fmt.Errorf("%s: %w", s.Name, err)
			}
			if crashed {
				crash++
				r.start(t)
				continue
			}
			if !more {
				break
			}
		}
	}
	return nil
}

func (r *Reader) start(t testing.TB) {
	t.Helper()
	r.Now = r.New()
	if r.Positions == nil {
		r.Positions, r.Reports = map[string]string{}, map[string]source.Report{}
	}
	for stream, position := range r.Positions {
		if err := r.Now.Recall(stream, position); err != nil {
			t.Fatal(err)
		}
	}
}

func (r *Reader) turn(t testing.TB, s source.Stream, asOf time.Time, crash int) (more, crashed bool, err error) {
	turn, err := r.Now.Turn(s, r.Positions[s.Name], asOf)
	if err != nil {
		return false, false, err
	}
	told, saved := 0, turn.Position()
	var pending []event.Event // told and not yet covered by a position
	for e, err := range turn.Events(t.Context()) {
		if turn.Position() != saved {
			saved, r.Facts, pending = turn.Position(), append(r.Facts, pending...), nil
		}
		if err != nil {
			r.Positions[s.Name], r.Facts = turn.Position(), append(r.Facts, pending...)
			return false, false, err
		}
		pending = append(pending, e)
		if told++; crash > 0 && told >= crash {
			r.Positions[s.Name] = saved // what was pending is lost
			return false, true, nil
		}
	}
	r.Facts = append(r.Facts, pending...)
	r.Positions[s.Name], r.Reports[s.Name] = turn.Position(), turn.Report()
	return turn.Report().More, false, nil
}

// Refresh tells one thing again.
func (r *Reader) Refresh(t testing.TB, w source.Wake, asOf time.Time) error {
	t.Helper()
	turn, err := r.Now.Refresh(w, asOf)
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
