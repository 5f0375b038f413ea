package git

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"strings"
)

// logFormat makes every record of `git log -z --name-only` readable without doubt, whatever people write:
//
//	NUL sha NUL parents NUL authored NUL committed NUL author NUL e-mail NUL message NUL [LF path NUL path NUL …]
//
// git cuts the parts of a commit at a NUL, and no path is empty or has one, so a NUL where a path would begin is the
// start of the next record.
const logFormat = "tformat:%x00%H%x00%P%x00%at%x00%ct%x00%an%x00%ae%x00%B"

// record is one commit as git log tells it. The fields are git's own words: times are seconds since 1970, and empty
// where git cannot read them.
type record struct {
	sha       string
	parents   []string
	authored  string
	committed string
	author    string
	email     string
	message   string
	paths     []string // nil when git lists none
}

// errRecord is what is wrong with a log that is not in logFormat.
var errRecord = errors.New("not a record of git log")

// logReader reads records in logFormat, holding one at a time.
type logReader struct {
	r     *bufio.Reader
	field []byte // what is being read, when it does not fit r's buffer
	paths []byte // the paths of a record, each with its NUL
}

func newLogReader(r *bufio.Reader) *logReader { return &logReader{r: r} }

// next returns the next record, io.EOF after the last one, and io.ErrUnexpectedEOF inside one.
func (l *logReader) next() (record, error) {
	start, err := l.r.ReadByte()
	if err != nil {
		return record{}, err
	}
	if start != 0 {
		return record{}, fmt.Errorf("%w: it begins with %q", errRecord, start)
	}
	var rec record
	var parents string
	for _, field := range []*string{&rec.sha, &parents, &rec.authored, &rec.committed, &rec.author, &rec.email, &rec.message} {
		text, err := l.read()
		if err != nil {
			return record{}, err
		}
		*field = string(text)
	}
	if !isSHA(rec.sha) {
		return record{}, fmt.Errorf("%w: %q is no sha", errRecord, rec.sha)
	}
	if rec.parents, err = splitSHAs(parents); err != nil {
		return record{}, err
	}
	if rec.paths, err = l.names(); err != nil {
		return record{}, err
	}
	return rec, nil
}

// names reads the paths of a record.
func (l *logReader) names() ([]string, error) {
	first, err := l.r.Peek(1)
	if err == io.EOF {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	if first[0] == 0 {
		return nil, nil
	}
	if first[0] != '\n' {
		return nil, fmt.Errorf("%w: %q before its paths", errRecord, first[0])
	}
	if _, err := l.r.Discard(1); err != nil {
		return nil, err
	}
	l.paths = l.paths[:0]
	count := 0
	for {
		path, err := l.read()
		if err != nil {
			return nil, err
		}
		if len(path) == 0 {
			return nil, fmt.Errorf("%w: an empty path", errRecord)
		}
		l.paths = append(append(l.paths, path...), 0)
		count++
		next, err := l.r.Peek(1)
		if err != nil && err != io.EOF {
			return nil, err
		}
		if err == io.EOF || next[0] == 0 {
			break
		}
	}
	// One string holds all of them.
	all, paths := string(l.paths), make([]string, 0, count)
	for start, i := 0, 0; i < len(all); i++ {
		if all[i] == 0 {
			paths = append(paths, all[start:i])
			start = i + 1
		}
	}
	return paths, nil
}

// read returns the bytes up to the next NUL, valid until the next call.
func (l *logReader) read() ([]byte, error) {
	text, err := l.r.ReadSlice(0)
	if err == nil {
		return text[:len(text)-1], nil
	}
	l.field = append(l.field[:0], text...)
	for errors.Is(err, bufio.ErrBufferFull) {
		text, err = l.r.ReadSlice(0)
		l.field = append(l.field, text...)
	}
	if err == io.EOF {
		return nil, io.ErrUnexpectedEOF
	}
	if err != nil {
		return nil, err
	}
	return l.field[:len(l.field)-1], nil
}

// splitSHAs splits shas that are separated by one space.
func splitSHAs(list string) ([]string, error) {
	if list == "" {
		return nil, nil
	}
	shas := strings.Split(list, " ")
	for _, sha := range shas {
		if !isSHA(sha) {
			return nil, fmt.Errorf("%w: parent %q is no sha", errRecord, sha)
		}
	}
	return shas, nil
}

// isSHA tells whether s names an object in full: 40 hexadecimal digits, or 64 in a repository with SHA-256.
func isSHA(s string) bool {
	return (len(s) == 40 || len(s) == 64) && isHex(s)
}

func isHex(s string) bool {
	for i := range len(s) {
		if c := s[i]; (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return false
		}
	}
	return true
}
