package chdb

import (
	"bytes"
	"context"
	"io"
	"sync"
)

// readAhead is how many bytes of an answer are fetched before it is handed over. An answer that ends within them frees
// its connection at once, however slowly it is read.
const readAhead = 2 << 20

// stream opens a query whose answer may be large. When all of the answer is within readAhead its size is returned,
// else -1 and a body that fetches the rest as it is read.
func (e *Engine) stream(ctx context.Context, c *conn, r request) (io.ReadCloser, int64, error) {
	mark := e.mark()
	s := &stream{engine: e, conn: c, ctx: ctx, stopKilling: e.killOnEnd(ctx, mark)}
	s.result = e.lib.call(e.lib.streamWithParams, c.session, mark+r.sql, "Native", r.params)
	if text := e.lib.resultError(s.result); text != "" {
		s.stopKilling()
		e.lib.resultDestroy(s.result)
		e.finish(c, true)
		return nil, 0, e.reason(ctx, &Error{Text: text})
	}
	for size := 0; size < readAhead; {
		n, err := s.fetch()
		if err == io.EOF {
			whole := make([]byte, 0, size)
			for _, c := range s.fetched {
				whole = append(whole, c.rest...)
			}
			s.drop()
			return io.NopCloser(bytes.NewReader(whole)), int64(size), nil
		}
		if err != nil {
			s.drop()
			return nil, 0, err
		}
		size += n
	}
	// Nobody may be reading when the context ends; the connection is freed all the same.
	stopCtx := context.AfterFunc(ctx, s.abort)
	stopEnding := context.AfterFunc(e.ending, s.abort)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stopAborting = func() { stopCtx(); stopEnding() }
	return s, -1, nil
}

// stream is the body of a large answer. It holds its connection until it is read to its end or closed, or its context
// ends.
type stream struct {
	engine       *Engine
	ctx          context.Context
	stopKilling  func()
	stopAborting func()

	mu     sync.Mutex // held while the engine works on the answer
	conn   *conn
	result handle
	err    error // why nothing more is fetched; set once

	fetched []chunk // and not yet read; the reader's alone
}

// chunk is a part of an answer in the engine's memory.
type chunk struct {
	result handle
	rest   []byte // of the result's buffer, not read
}

// fetch gets the next blocks and returns their size, or io.EOF, or what went wrong; after an error the connection is
// given back.
func (s *stream) fetch() (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err != nil {
		return 0, s.err
	}
	result := s.engine.lib.streamFetch(s.conn.session, s.result)
	blocks, err := s.engine.lib.look(result)
	if err == nil && len(blocks) > 0 {
		s.fetched = append(s.fetched, chunk{result, blocks})
		return len(blocks), nil
	}
	s.engine.lib.destroy(result)
	if err == nil {
		err = io.EOF
	}
	s.end(s.engine.reason(s.ctx, err))
	return 0, s.err
}

// drop forgets what is fetched.
func (s *stream) drop() {
	for _, c := range s.fetched {
		s.engine.lib.destroy(c.result)
	}
	s.fetched = nil
}

// abort ends the answer when its context or the engine has ended.
func (s *stream) abort() { s.close(s.engine.reason(s.ctx, io.ErrClosedPipe)) }

func (s *stream) close(why error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err == nil {
		s.end(why)
	}
}

// end gives the connection back. It is called once, with mu held or before anybody else knows s.
func (s *stream) end(why error) {
	s.err = why
	s.stopKilling()
	if s.stopAborting != nil {
		s.stopAborting()
	}
	if why != io.EOF {
		s.engine.lib.streamCancel(s.conn.session, s.result)
	}
	s.engine.lib.resultDestroy(s.result)
	s.engine.finish(s.conn, why == io.EOF)
}

// Read implements io.Reader.
func (s *stream) Read(p []byte) (int, error) {
	if len(s.fetched) == 0 {
		if _, err := s.fetch(); err != nil {
			return 0, err
		}
	}
	c := &s.fetched[0]
	n := copy(p, c.rest)
	if c.rest = c.rest[n:]; len(c.rest) == 0 {
		s.engine.lib.destroy(c.result)
		s.fetched = s.fetched[1:]
	}
	return n, nil
}

// Close implements io.Closer. The rest of the answer is not computed.
func (s *stream) Close() error {
	s.close(io.ErrClosedPipe)
	s.drop()
	return nil
}
