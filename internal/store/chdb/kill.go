package chdb

import (
	"context"
	"io"
	"strconv"
	"strings"
	"time"
)

// killEvery is the time between two attempts to kill one statement.
const killEvery = 20 * time.Millisecond

// mark returns a comment that no other statement of this process starts with.
func (e *Engine) mark() string {
	return "/* cairn " + strconv.FormatUint(e.ids.Add(1), 10) + " */ "
}

// killOnEnd kills the statement that starts with mark when ctx ends or the engine is being closed, until the returned
// function is called. It asks again and again, for a statement that has not begun cannot be killed yet.
func (e *Engine) killOnEnd(ctx context.Context, mark string) (stop func()) {
	over := make(chan struct{})
	kill := func() {
		for {
			e.kill(mark)
			select {
			case <-over:
				return
			case <-time.After(killEvery):
			}
		}
	}
	stopCtx := context.AfterFunc(ctx, kill)
	stopEnding := context.AfterFunc(e.ending, kill)
	return func() {
		close(over)
		stopCtx()
		stopEnding()
	}
}

// reason returns why a statement failed with err: the end of its context, that of the engine, or err itself.
func (e *Engine) reason(ctx context.Context, err error) error {
	switch {
	case err == io.EOF:
		return err
	case ctx.Err() != nil:
		return ctx.Err()
	case e.ending.Err() != nil:
		return ErrClosed
	}
	return err
}

func (e *Engine) kill(mark string) {
	e.controlMu.Lock()
	defer e.controlMu.Unlock()
	if e.control == nil {
		return // the engine is closed
	}
	statement := "KILL QUERY WHERE startsWith(query, " + quote(strings.TrimSpace(mark)) + ") ASYNC"
	// A kill that is refused is asked again by the caller.
	_, _ = e.lib.take(e.lib.call(e.lib.queryWithParams, e.control.session, statement, "Null", nil))
}

// quote returns s as a string literal of the engine's SQL.
func quote(s string) string {
	return "'" + strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(s) + "'"
}

// quoteName returns s as an identifier of the engine's SQL.
func quoteName(s string) string {
	return "`" + strings.NewReplacer(`\`, `\\`, "`", "\\`").Replace(s) + "`"
}
