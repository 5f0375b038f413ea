package chdb

import (
	"context"
	"io"
	"strconv"
	"strings"
	"sync"
	"time"
)

// killEvery is the time between two attempts to kill one statement.
const killEvery = 20 * time.Millisecond

// mark returns a comment that no other statement of this process starts with.
func (e *Engine) mark() string {
	return "/* cairn " + strconv.FormatUint(e.ids.Add(1), 10) + " */ "
}

// killOnEnd kills the statement that starts with mark when ctx ends or the engine is being closed, until the returned
// function is called. It asks again and again, for a statement that has not begun cannot be killed yet. A kill that was
// begun has ended when that function returns: it looks for the statement first and stops it then, and what is the next on
// its connection by then would be stopped in its place.
func (e *Engine) killOnEnd(ctx context.Context, mark string) (stop func()) {
	over := make(chan struct{})
	var killing sync.WaitGroup
	kill := func() {
		defer killing.Done()
		for {
			e.kill(mark)
			select {
			case <-over:
				return
			case <-time.After(killEvery):
			}
		}
	}
	killing.Add(2)
	stopCtx := context.AfterFunc(ctx, kill)
	stopEnding := context.AfterFunc(e.ending, kill)
	return func() {
		close(over)
		for _, stop := range []func() bool{stopCtx, stopEnding} {
			if stop() {
				killing.Done()
			}
		}
		killing.Wait()
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
