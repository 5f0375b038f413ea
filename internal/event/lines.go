package event

import (
	"bytes"
	"errors"
	"io"
	"slices"
	"unicode/utf8"
)

// errTooLong says that one line or event is longer than maxEventBytes.
var errTooLong = errors.New("event too long")

// lines cuts a stream into lines without copying them: each is valid until the next call.
type lines struct {
	r    io.Reader
	buf  []byte
	at   int   // what lies before was handed out
	scan int   // no newline between at and here
	err  error // of r, once buf holds everything before it
	line int   // number of the line at buf[at], from 1
	last int   // where the line begins that was handed out last
	lead int   // bytes before the first text on its line
	// patience is how many more bytes extend may look at in vain, so that broken input is not read again and again.
	patience int
}

const firstBuffer = 256 << 10

func (l *lines) reset(r io.Reader) {
	buf := l.buf[:0]
	if cap(buf) > 4*firstBuffer {
		buf = nil // one huge event need not be remembered
	}
	if buf == nil {
		buf = make([]byte, 0, firstBuffer)
	}
	*l = lines{r: r, buf: buf, line: 1, patience: 2 * maxEventBytes}
}

// fill reads more into the buffer. It may move what is in it.
func (l *lines) fill() {
	if l.at > 0 {
		n := copy(l.buf, l.buf[l.at:])
		l.buf, l.scan, l.at = l.buf[:n], l.scan-l.at, 0
	}
	if len(l.buf) == cap(l.buf) {
		l.buf = slices.Grow(l.buf, cap(l.buf))
	}
	for range 100 {
		n, err := l.r.Read(l.buf[len(l.buf):cap(l.buf)])
		l.buf = l.buf[:len(l.buf)+n]
		if err != nil {
			l.err = err
			return
		}
		if n > 0 {
			return
		}
	}
	l.err = io.ErrNoProgress
}

var byteOrderMark = []byte("\uFEFF")

// first skips a byte order mark and white space and returns the first byte behind them, which stays unread; 0 when
// there is none.
func (l *lines) first() (byte, error) {
	for len(l.buf) < len(byteOrderMark) && l.err == nil {
		l.fill()
	}
	if bytes.HasPrefix(l.buf, byteOrderMark) {
		l.at = len(byteOrderMark)
	}
	for {
		for ; l.at < len(l.buf); l.at++ {
			switch c := l.buf[l.at]; c {
			case '\n':
				l.line++
				l.lead = 0
			case ' ', '\t', '\r':
				l.lead++
			default:
				l.scan = l.at
				return c, nil
			}
		}
		if l.err == io.EOF {
			return 0, nil
		}
		if l.err != nil {
			return 0, l.err
		}
		l.scan = l.at
		l.fill()
	}
}

// peek returns what is left of the current line, as far as a message shows it.
func (l *lines) peek() []byte {
	for l.err == nil && len(l.buf)-l.at < maxShown*utf8.UTFMax {
		l.fill()
	}
	line, _, _ := bytes.Cut(l.buf[l.at:], newline)
	return line
}

// next returns the next line, without white space at its end, and its number. At the end it returns io.EOF.
func (l *lines) next() (line []byte, number int, err error) {
	for {
		if n := bytes.IndexByte(l.buf[l.scan:], '\n'); n >= 0 {
			line, l.last, l.at = l.buf[l.at:l.scan+n], l.at, l.scan+n+1
			break
		}
		l.scan = len(l.buf)
		if l.err != nil {
			if l.err != io.EOF || l.at == len(l.buf) {
				return nil, l.line, l.err
			}
			line, l.last, l.at = l.buf[l.at:], l.at, len(l.buf)
			break
		}
		if len(l.buf)-l.at > maxEventBytes {
			return nil, l.line, errTooLong
		}
		l.fill()
	}
	l.scan = l.at
	l.line++
	return bytes.TrimRight(line, " \t\r"), l.line - 1, nil
}

// resume skips lines until one begins with a brace. It says whether the input ended before that.
func (l *lines) resume() (ended bool, err error) {
	for {
		for l.at == len(l.buf) && l.err == nil {
			l.scan = l.at
			l.fill()
		}
		if l.at == len(l.buf) {
			if l.err == io.EOF {
				return true, nil
			}
			return false, l.err
		}
		if l.buf[l.at] == '{' {
			return false, nil
		}
		if _, _, err := l.next(); err != nil {
			return err == io.EOF, err
		}
	}
}

// extend adds to the line that next just returned the following ones up to the one that closes its object. When
// nothing closes it, extend returns nil and the following lines stay unread.
func (l *lines) extend(line []byte) (whole []byte, err error) {
	var nest nesting
	if l.patience <= 0 || !nest.scan(line) {
		return nil, nil
	}
	number, behind := l.line, l.at-l.last
	l.at = l.last // so that fill keeps the line
	for size := behind; ; {
		rest := l.buf[l.at+size:]
		n := bytes.IndexByte(rest, '\n')
		if n < 0 && l.err == nil && len(l.buf)-l.at <= maxEventBytes {
			l.scan = l.at
			l.fill()
			continue
		}
		if n < 0 && l.err != nil && l.err != io.EOF {
			return nil, l.err
		}
		step := n + 1
		if n < 0 {
			step = len(rest)
		}
		open := step > 0 && nest.scan(rest[:step])
		size += step
		number++
		if open && nest.depth == 0 {
			whole = l.buf[l.at : l.at+size]
			l.at += size
			l.scan, l.line = l.at, number
			return bytes.TrimSpace(whole), nil
		}
		if !open || n < 0 {
			l.patience -= size
			l.at += behind
			l.scan = l.at
			return nil, nil
		}
	}
}

// nesting follows brackets and strings through JSON text.
type nesting struct {
	depth  int
	string bool
}

// scan reads more text. It returns false when no text could follow that makes an object of it.
func (s *nesting) scan(text []byte) bool {
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case s.string && c == '\\':
			i++
		case c == '"':
			s.string = !s.string
		case s.string:
			if c == '\n' {
				return false
			}
		case c == '{' || c == '[':
			s.depth++
		case c == '}' || c == ']':
			if s.depth--; s.depth < 0 {
				return false
			}
		}
	}
	return !s.string
}

// Read hands out what was not read as lines.
func (l *lines) Read(p []byte) (int, error) {
	if l.at < len(l.buf) {
		n := copy(p, l.buf[l.at:])
		l.at += n
		return n, nil
	}
	if l.err != nil {
		return 0, l.err
	}
	return l.r.Read(p)
}

// lineCounter remembers where the lines begin in what is read through it.
type lineCounter struct {
	r      io.Reader
	read   int64   // bytes so far
	line   int     // number of the line that begins at begin
	starts []int64 // offsets at which the lines after it begin, ascending
	begin  int64
}

func (c *lineCounter) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	for i, b := range p[:n] {
		if b == '\n' {
			c.starts = append(c.starts, c.read+int64(i)+1)
		}
	}
	c.read += int64(n)
	return n, err
}

// position returns line and column, from 1, of the byte at the offset.
func (c *lineCounter) position(offset int64) (line, column int) {
	n, found := slices.BinarySearch(c.starts, offset)
	if found {
		n++
	}
	begin := c.begin
	if n > 0 {
		begin = c.starts[n-1]
	}
	return c.line + n, int(offset-begin) + 1
}

// forget drops the lines before the one with the offset, which nobody will ask for again.
func (c *lineCounter) forget(offset int64) {
	if len(c.starts) < 4096 {
		return
	}
	n, found := slices.BinarySearch(c.starts, offset)
	if found {
		n++
	}
	if n > 0 {
		c.line, c.begin = c.line+n, c.starts[n-1]
		c.starts = slices.Delete(c.starts, 0, n)
	}
}
