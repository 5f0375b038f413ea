package ingest

import (
	"context"
	"time"

	"cairn/internal/event"
	"cairn/internal/fault"
	"cairn/internal/store"
)

// rows are events of one kind on their way into their table, with what is stored beside their fields.
type rows[T any] struct {
	events   []T
	versions []uint64    // event.Version of each
	told     []time.Time // event.ToldAt of each
}

// table says how the events of one kind become rows.
type table[T any] struct {
	name    string
	columns []column[T]
}

// column is one column of a table: its name, and how its values are appended for several groups of rows.
type column[T any] struct {
	name   string
	append func(into appender, groups []rows[T], n int) error
}

// appender takes a slice with one value a row; it copies what it needs. It is a column of a batch.
type appender interface{ Append(values any) error }

// of is a column whose values are read from the event. The driver knows what to do with a V.
func of[T, V any](name string, get func(*T) V) column[T] {
	return column[T]{name, func(into appender, groups []rows[T], n int) error {
		values := make([]V, 0, n)
		for _, g := range groups {
			for i := range g.events {
				values = append(values, get(&g.events[i]))
			}
		}
		return into.Append(values)
	}}
}

// word is a column of a few texts that come again and again, LowCardinality(String). The driver takes each value as an
// interface, so each distinct text is boxed once and not once a row.
func word[T any](name string, get func(*T) string) column[T] {
	return column[T]{name, func(into appender, groups []rows[T], n int) error {
		values := make([]any, 0, n)
		boxed := make(map[string]any)
		last, lastBoxed := "", any("")
		for _, g := range groups {
			for i := range g.events {
				s := get(&g.events[i])
				if s != last {
					box, known := boxed[s]
					if !known {
						box = s
						boxed[s] = box
					}
					last, lastBoxed = s, box
				}
				values = append(values, lastBoxed)
			}
		}
		return into.Append(values)
	}}
}

// maybe is a column of instants of which the zero one is NULL.
func maybe[T any](name string, get func(*T) *time.Time) column[T] {
	return of(name, func(e *T) *time.Time {
		if t := get(e); !t.IsZero() {
			return t
		}
		return nil
	})
}

// always is a column of instants of which the zero one is 1970.
func always[T any](name string, get func(*T) time.Time) column[T] {
	return of(name, func(e *T) time.Time { return orEpoch(get(e)) })
}

func orEpoch(t time.Time) time.Time {
	if t.IsZero() {
		return time.UnixMilli(0)
	}
	return t
}

// newTable adds the columns that all tables end with.
func newTable[T any](name string, common func(*T) *event.Telling, columns ...column[T]) table[T] {
	columns = append(columns,
		word("source", func(e *T) string { return common(e).Source }),
		column[T]{"updated_at", func(into appender, groups []rows[T], n int) error {
			values := make([]time.Time, 0, n)
			for _, g := range groups {
				values = append(values, g.told...)
			}
			return into.Append(values)
		}},
		column[T]{"version", func(into appender, groups []rows[T], n int) error {
			values := make([]uint64, 0, n)
			for _, g := range groups {
				values = append(values, g.versions...)
			}
			return into.Append(values)
		}},
	)
	return table[T]{name, columns}
}

// statement is the beginning of an insert; ingested_at is the engine's to fill in.
func (t *table[T]) statement() string {
	s := "INSERT INTO " + t.name + " ("
	for i, c := range t.columns {
		if i > 0 {
			s += ", "
		}
		s += c.name
	}
	return s + ")"
}

// insert stores all rows of the groups, which have n together, in one insert, durably. That the store denies it, or has
// too little memory for it, is not the sender's fault: to the sender the store is unavailable.
func (t *table[T]) insert(ctx context.Context, st *store.Store, groups []rows[T], n int) error {
	err := t.send(ctx, st, groups, n)
	switch fault.KindOf(err) {
	case fault.Denied, fault.TooLarge:
		return fault.Replace(fault.Unavailable, err, "%s", err.Error())
	}
	return err
}

func (t *table[T]) send(ctx context.Context, st *store.Store, groups []rows[T], n int) error {
	b, err := st.Batch(st.Durable(ctx), t.statement())
	if err != nil {
		return err
	}
	for i, c := range t.columns {
		if err := c.append(b.Column(i), groups, n); err != nil {
			_ = b.Abort()
			return err
		}
	}
	return b.Send()
}
