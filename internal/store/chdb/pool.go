package chdb

import (
	"context"
	"fmt"
	"slices"
	"strings"
)

const (
	maxConnections = 64 // statements at work at once; each holds a connection
	maxIdle        = 16 // connections kept for the next statement
)

// conn is one connection: a session that runs one statement at a time.
type conn struct {
	closer  handle // what chdb_close_conn takes
	session handle // what every other function takes
	state   state
}

// connect opens a connection, or returns nil.
func (e *Engine) connect() *conn {
	closer := e.lib.open(e.args)
	if closer == nil {
		return nil
	}
	return &conn{closer: closer, session: *(*handle)(closer)}
}

// begin takes a connection for one statement and brings it to the wanted state. The caller gives it back with finish.
func (e *Engine) begin(ctx context.Context, want state) (*conn, error) {
	select {
	case e.slots <- struct{}{}:
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-e.ending.Done():
		return nil, ErrClosed
	}
	c, err := e.take(want)
	if err == nil {
		err = e.bring(c, want)
		if err == nil {
			return c, nil
		}
		e.finish(c, false)
		return nil, err
	}
	<-e.slots
	return nil, err
}

// take returns an idle connection, by preference one that is in the wanted state already, or a new one.
func (e *Engine) take(want state) (*conn, error) {
	e.idleMu.Lock()
	if e.closed {
		e.idleMu.Unlock()
		return nil, ErrClosed
	}
	e.running.Add(1)
	var c *conn
	if n := len(e.idle); n > 0 {
		at := n - 1
		for i, candidate := range slices.Backward(e.idle) {
			if candidate.state.equal(want) {
				at = i
				break
			}
		}
		c = e.idle[at]
		e.idle = slices.Delete(e.idle, at, at+1)
	}
	e.idleMu.Unlock()
	if c == nil {
		c = e.connect()
	}
	if c == nil {
		e.running.Done()
		return nil, ErrStart
	}
	return c, nil
}

// finish gives a connection back. One that is not known to be in order is closed.
func (e *Engine) finish(c *conn, inOrder bool) {
	e.idleMu.Lock()
	keep := inOrder && !e.closed && len(e.idle) < maxIdle
	if keep {
		e.idle = append(e.idle, c)
	}
	e.idleMu.Unlock()
	if !keep {
		e.lib.closeConn(c.closer)
	}
	<-e.slots
	e.running.Done()
}

// bring makes the session's database and settings those of want.
func (e *Engine) bring(c *conn, want state) error {
	for _, statement := range c.state.changes(want) {
		if _, err := e.lib.take(e.lib.call(e.lib.queryWithParams, c.session, statement, "Null", nil)); err != nil {
			return err
		}
	}
	c.state = want
	return nil
}

// state is what a statement finds in its session.
type state struct {
	database string
	settings map[string]string
}

func (s state) equal(other state) bool {
	return len(s.changes(other)) == 0
}

// changes returns the statements that lead from s to want.
func (s state) changes(want state) []string {
	var statements, sets []string
	if want.database != "" && want.database != s.database {
		statements = append(statements, "USE "+quoteName(want.database))
	}
	for name, value := range want.settings {
		if old, ok := s.settings[name]; !ok || old != value {
			sets = append(sets, fmt.Sprintf("%s = %s", quoteName(name), quote(value)))
		}
	}
	for name := range s.settings {
		if _, ok := want.settings[name]; !ok {
			sets = append(sets, quoteName(name)+" = DEFAULT")
		}
	}
	if len(sets) > 0 {
		slices.Sort(sets)
		statements = append(statements, "SET "+strings.Join(sets, ", "))
	}
	return statements
}
