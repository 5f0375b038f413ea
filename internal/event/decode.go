package event

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"reflect"
	"slices"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

// maxEventBytes bounds the text of one event.
const maxEventBytes = 32 << 20

// Decoder reads events from JSON text: one object, an array of objects, or one object a line (NDJSON), told apart by
// the first character. It is strict: whatever it does not understand is an error that names the place, and nothing is
// guessed. The zero value is ready; a Decoder keeps its buffers from one reading to the next and serves one reading at
// a time.
type Decoder struct {
	// MaxEvents is the most events that one reading takes; 0 means no limit.
	MaxEvents int

	lines   lines
	object  objectReader
	scratch Batch
}

// Decode appends the events of r to b. When anything is wrong with them it returns an *Errors with up to MaxErrors
// errors, and b is then of no use; other errors are a *TooManyError and whatever reading r returns.
func (d *Decoder) Decode(r io.Reader, b *Batch) error {
	return d.decode(r, b, func(*Batch) error { return nil })
}

// Each reads as Decode does, without holding all events at once: it hands yield batches of size events, the last one
// smaller. The batch is yield's until it returns. Bad events are in no batch, and the errors come at the end: who
// needs all or nothing reads twice. An error of yield ends the reading and is returned as it is.
func (d *Decoder) Each(r io.Reader, size int, yield func(*Batch) error) error {
	b := &d.scratch
	b.Reset()
	flush := func(b *Batch) error {
		if b.Len() < size {
			return nil
		}
		err := yield(b)
		b.Reset()
		return err
	}
	err := d.decode(r, b, flush)
	if bad := (*Errors)(nil); (err == nil || errors.As(err, &bad)) && b.Len() > 0 {
		if yieldErr := yield(b); yieldErr != nil {
			return yieldErr
		}
	}
	return err
}

// errStop ends a reading whose errors say why.
var errStop = errors.New("reading ends here")

func (d *Decoder) decode(r io.Reader, b *Batch, added func(*Batch) error) error {
	d.lines.reset(r)
	d.object.reset(b)
	first, err := d.lines.first()
	switch {
	case err != nil:
		return err
	case first == 0:
		return nil // no text at all
	case first == '[':
		err = d.array(added)
	case first == '{':
		err = d.ndjson(added)
	default:
		d.object.report(Error{Line: d.lines.line, Column: 1, Value: shorten(d.lines.peek()), Expected: expectedInput})
		err = errStop
	}
	if err != nil && err != errStop {
		return err
	}
	if len(d.object.errors) == 0 {
		return nil
	}
	return &Errors{List: slices.Clone(d.object.errors), Stopped: err == errStop}
}

const expectedInput = "one event as a JSON object, an array of events, or one event a line (NDJSON), in UTF-8"

// ndjson reads one object a line. An object may also go on over several lines, as tools print it for people. Text that
// is not JSON costs its line, and the lines below that begin no object.
func (d *Decoder) ndjson(added func(*Batch) error) error {
	for n := 0; ; {
		line, at, err := d.lines.next()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return d.tooLong(err)
		}
		if len(line) == 0 {
			continue
		}
		if n++; d.MaxEvents > 0 && n > d.MaxEvents {
			return &TooManyError{Limit: d.MaxEvents}
		}
		broken := d.object.read(line, at, nil)
		if broken != nil && broken.incomplete {
			whole, err := d.lines.extend(line)
			if err != nil {
				return d.tooLong(err)
			}
			if whole != nil {
				broken = d.object.read(whole, at, nil)
			}
		}
		if broken != nil {
			ended, err := d.lines.resume()
			if err != nil {
				return d.tooLong(err)
			}
			if ended && broken.incomplete {
				broken.Expected = "the rest of the event: the input ends in the middle of it"
			}
			d.object.report(broken.Error)
		}
		if d.object.full() {
			return errStop
		}
		if err := added(d.object.batch); err != nil {
			return err
		}
	}
}

func (d *Decoder) tooLong(err error) error {
	if err != errTooLong {
		return err
	}
	d.object.report(Error{Line: d.lines.line, Expected: fmt.Sprintf("an event of at most %d MiB", maxEventBytes>>20)})
	return errStop
}

// array reads the elements of an array, which may stand on any lines.
func (d *Decoder) array(added func(*Batch) error) error {
	source := lineCounter{r: &d.lines, line: d.lines.line, begin: -int64(d.lines.lead)}
	defer func() { d.lines.line, _ = source.position(source.read) }()
	json := jsontext.NewDecoder(&source, jsontext.AllowDuplicateNames(true))
	if _, err := json.ReadToken(); err != nil {
		return err // the bracket was seen before: only reading can fail
	}
	n := 0
	for ; json.PeekKind() != ']'; n++ {
		if json.PeekKind() != jsontext.KindInvalid && d.MaxEvents > 0 && n >= d.MaxEvents {
			return &TooManyError{Limit: d.MaxEvents}
		}
		element, err := json.ReadValue()
		if err != nil {
			return d.brokenArray(&source, err, n)
		}
		start := json.InputOffset() - int64(len(element))
		line, _ := source.position(start)
		source.forget(start)
		index := n
		if broken := d.object.read(element, line, &index); broken != nil {
			d.object.report(broken.Error)
		}
		if d.object.full() {
			return errStop
		}
		if err := added(d.object.batch); err != nil {
			return err
		}
	}
	if _, err := json.ReadToken(); err != nil {
		return d.brokenArray(&source, err, n)
	}
	if _, err := json.ReadToken(); err != io.EOF {
		if syntactic := (*jsontext.SyntacticError)(nil); err != nil && !errors.As(err, &syntactic) {
			return err
		}
		line, column := source.position(json.InputOffset() - 1)
		d.object.report(Error{Line: line, Column: column, Expected: "nothing behind the end of the array"})
		return errStop
	}
	return nil
}

// brokenArray reports the syntax error at element n, behind which nothing can be read.
func (d *Decoder) brokenArray(source *lineCounter, err error, n int) error {
	syntactic := (*jsontext.SyntacticError)(nil)
	if !errors.As(err, &syntactic) {
		return err
	}
	e := Error{Index: &n, Expected: expectedJSON(syntactic)}
	e.Line, e.Column = source.position(syntactic.ByteOffset)
	if errors.Is(err, io.ErrUnexpectedEOF) {
		e.Column = 0
		e.Expected = "the rest of the array: the input ends in the middle of it"
	}
	d.object.report(e)
	return errStop
}

func expectedJSON(err *jsontext.SyntacticError) string {
	reason := strings.TrimPrefix(err.Err.Error(), "jsontext: ")
	return "well-formed JSON: " + reason
}

// objectReader reads single objects into a batch and collects what is wrong with them.
type objectReader struct {
	json   *jsontext.Decoder
	input  bytes.Buffer
	batch  *Batch
	slices reflect.Value // *batch
	errors []Error

	// Of the object that is being read:
	raw     []byte
	text    string // raw, once a string was needed
	line    int
	index   *int
	plan    *plan
	before  int      // errors before this object
	strings []string // elements of the list that is being read
	spare   []string // memory for lists
	unquote []byte
}

func (o *objectReader) reset(b *Batch) {
	if o.json == nil {
		o.json = jsontext.NewDecoder(&o.input)
	}
	o.batch = b
	o.slices = reflect.ValueOf(b).Elem()
	o.errors = o.errors[:0]
	o.spare = nil
}

func (o *objectReader) full() bool { return len(o.errors) >= MaxErrors }

func (o *objectReader) report(e Error) {
	if !o.full() {
		o.errors = append(o.errors, e)
	}
}

// brokenText is a fault of the text and not of the event.
type brokenText struct {
	Error
	incomplete bool // more text could mend it
}

// read decodes one object, which starts on the line, into the batch. Text that is not JSON is returned and not reported.
func (o *objectReader) read(raw []byte, line int, index *int) *brokenText {
	o.raw, o.text, o.line, o.index, o.plan, o.before = raw, "", line, index, nil, len(o.errors)
	o.restart()
	if o.json.PeekKind() != jsontext.KindBeginObject {
		if _, err := o.json.ReadValue(); err != nil {
			return o.broken(err)
		}
		o.fail("", raw, "an event as a JSON object")
		return nil
	}
	kind, seenType, err := o.kind()
	if err != nil {
		return o.broken(err)
	}
	if kind == nil {
		return nil
	}
	o.plan = kind
	slice := o.slices.Field(kind.at)
	n := slice.Len()
	slice.Grow(1)
	slice.SetLen(n + 1)
	v := slice.Index(n)
	v.SetZero()
	err = o.members(kind, v, true, seenType)
	if err == nil {
		err = o.end()
	}
	if len(o.errors) == o.before && err == nil {
		crossCheck(v.Addr().Interface().(Event), o.cross)
	}
	if len(o.errors) > o.before || err != nil {
		slice.SetLen(n)
	}
	if err != nil {
		o.errors = o.errors[:o.before] // the text itself is broken: that alone is worth saying
		return o.broken(err)
	}
	return nil
}

func (o *objectReader) restart() {
	o.input = *bytes.NewBuffer(o.raw)
	o.json.Reset(&o.input, jsontext.AllowDuplicateNames(true))
}

// broken says where and how the text is not JSON.
func (o *objectReader) broken(err error) *brokenText {
	e := Error{Line: o.line, Index: o.index, Expected: "well-formed JSON"}
	if o.plan != nil {
		e.Type = o.plan.kind
	}
	offset := int64(len(o.raw))
	if syntactic := (*jsontext.SyntacticError)(nil); errors.As(err, &syntactic) {
		offset = min(offset, syntactic.ByteOffset)
		e.Expected = expectedJSON(syntactic)
	}
	read := o.raw[:offset]
	e.Line += bytes.Count(read, newline)
	e.Column = len(read) - bytes.LastIndexByte(read, '\n')
	e.Value = shorten(o.raw[offset:])
	incomplete := errors.Is(err, io.ErrUnexpectedEOF)
	if incomplete {
		e.Value, e.Expected = "", "the rest of the event: it ends neither on its line nor on the lines below"
	}
	return &brokenText{e, incomplete}
}

var newline = []byte{'\n'}

// end checks that nothing stands behind the object.
func (o *objectReader) end() error {
	rest := bytes.TrimLeft(o.raw[o.json.InputOffset():], " \t\r\n")
	if len(rest) == 0 {
		return nil
	}
	return &jsontext.SyntacticError{
		ByteOffset: int64(len(o.raw) - len(rest)),
		Err:        errors.New("one event a line, and nothing behind it"),
	}
}

// kind finds the plan that the member "type" names and leaves the decoder behind that member if it is the first, which
// seen says, else behind the opening brace. The plan is nil when there is none, which is then reported.
func (o *objectReader) kind() (p *plan, seen bool, err error) {
	if _, err := o.json.ReadToken(); err != nil {
		return nil, false, err
	}
	var found jsontext.Value
	for first := true; o.json.PeekKind() != jsontext.KindEndObject; first = false {
		name, err := o.json.ReadValue()
		if err != nil {
			return nil, false, err
		}
		isType := o.is(name, "type")
		value, err := o.json.ReadValue()
		if err != nil {
			return nil, false, err
		}
		if !isType {
			continue
		}
		if value.Kind() == jsontext.KindString {
			text, _ := jsontext.AppendUnquote(o.unquote[:0], value)
			o.unquote = text[:0]
			if p := vocabulary.byKind[string(text)]; p != nil {
				if !first {
					o.restart()
					_, err = o.json.ReadToken()
				}
				return p, first, err
			}
		}
		found = value.Clone()
		break
	}
	for o.json.PeekKind() != jsontext.KindEndObject { // the rest must be JSON at least
		if err := o.json.SkipValue(); err != nil {
			return nil, false, err
		}
	}
	if _, err := o.json.ReadToken(); err != nil {
		return nil, false, err
	}
	if err := o.end(); err != nil {
		return nil, false, err
	}
	kinds := Kinds()
	o.fail("/type", found, "one of "+strings.Join(kinds, ", ")+didYouMean(strings.Trim(string(found), `"`), kinds))
	return nil, false, nil
}

// is says whether a quoted name is the given one.
func (o *objectReader) is(quoted jsontext.Value, name string) bool {
	if len(quoted) == len(name)+2 && string(quoted[1:len(quoted)-1]) == name {
		return true
	}
	if bytes.IndexByte(quoted, '\\') < 0 {
		return false
	}
	s, _ := jsontext.AppendUnquote(nil, quoted)
	return string(s) == name
}

// fail reports that the value at the pointer, which was just read, is not what was expected.
func (o *objectReader) fail(pointer string, value []byte, expected string) {
	line := o.line
	if o.json != nil {
		read := o.raw[:min(int(o.json.InputOffset()), len(o.raw))]
		line += bytes.Count(read[:max(0, len(read)-len(value))], newline)
	}
	e := Error{Line: line, Index: o.index, Field: pointer, Value: shorten(value), Expected: expected}
	if o.plan != nil {
		e.Type = o.plan.kind
	}
	o.report(e)
}

// cross reports what a comparison of fields found.
func (o *objectReader) cross(pointer, value, expected string) {
	o.report(Error{Line: o.line, Index: o.index, Type: o.plan.kind, Field: pointer, Value: value, Expected: expected})
}

// Line is the number of the line, from 1, that the last reading has come to.
func (d *Decoder) Line() int { return max(d.lines.line, 1) }
