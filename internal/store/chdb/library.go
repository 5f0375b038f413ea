package chdb

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"runtime"
	"unsafe"

	"github.com/ebitengine/purego"
)

// Errors of Load, told apart so that the caller can say what to do about each.
var (
	ErrNoLibrary    = errors.New("the file does not exist")
	ErrWrongLibrary = errors.New("the file is not an engine library for this machine")
	ErrOldLibrary   = errors.New("the engine library is too old")
)

// handle is a pointer into the engine's memory; Go never looks behind it.
type handle = unsafe.Pointer

// Library is libchdb, loaded into this process. Its functions are those of chdb.h, with explicit lengths.
type Library struct {
	setSignalHandlers func(enabled int32)
	connect           func(argc int32, argv unsafe.Pointer) handle
	closeConn         func(conn handle)
	queryWithParams   func(conn handle, sql *byte, sqlLen uintptr, format *byte, formatLen uintptr, names, nameLens, values, valueLens unsafe.Pointer, count uintptr) handle
	streamWithParams  func(conn handle, sql *byte, sqlLen uintptr, format *byte, formatLen uintptr, names, nameLens, values, valueLens unsafe.Pointer, count uintptr) handle
	streamFetch       func(conn, stream handle) handle
	streamCancel      func(conn, stream handle)
	insertWithParams  func(conn handle, sql *byte, sqlLen uintptr, format *byte, formatLen uintptr, names, nameLens, values, valueLens unsafe.Pointer, count uintptr) handle
	insertAppend      func(stream handle, data *byte, length uintptr) int32
	insertDone        func(stream handle) handle
	insertCancel      func(stream handle)
	insertError       func(stream handle) string
	insertDestroy     func(stream handle)
	resultBuffer      func(result handle) *byte
	resultLength      func(result handle) uintptr
	resultError       func(result handle) string
	resultDestroy     func(result handle)
}

// Load loads the library at path. Loading the same file again gives the same library; the engine that lives in it is
// one per process. Errors wrap ErrNoLibrary, ErrWrongLibrary or ErrOldLibrary.
func Load(path string) (*Library, error) {
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%w: %s", ErrNoLibrary, path)
	} else if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrWrongLibrary, err)
	}
	lib, err := purego.Dlopen(path, purego.RTLD_NOW|purego.RTLD_LOCAL)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrWrongLibrary, err)
	}
	l := &Library{}
	functions := []struct {
		name string
		to   any
	}{
		{"chdb_connect", &l.connect},
		{"chdb_close_conn", &l.closeConn},
		{"chdb_query_with_params_n", &l.queryWithParams},
		{"chdb_stream_query_with_params_n", &l.streamWithParams},
		{"chdb_stream_fetch_result", &l.streamFetch},
		{"chdb_stream_cancel_query", &l.streamCancel},
		{"chdb_stream_insert_with_params_n", &l.insertWithParams},
		{"chdb_stream_append", &l.insertAppend},
		{"chdb_stream_done", &l.insertDone},
		{"chdb_stream_cancel_insert", &l.insertCancel},
		{"chdb_stream_insert_error", &l.insertError},
		{"chdb_destroy_insert_stream", &l.insertDestroy},
		{"chdb_result_buffer", &l.resultBuffer},
		{"chdb_result_length", &l.resultLength},
		{"chdb_result_error", &l.resultError},
		{"chdb_destroy_query_result", &l.resultDestroy},
		{"chdb_set_signal_handlers_enabled", &l.setSignalHandlers},
	}
	for i, f := range functions {
		address, err := purego.Dlsym(lib, f.name)
		if err != nil {
			if i == 0 {
				return nil, fmt.Errorf("%w: no function %s in %s", ErrWrongLibrary, f.name, path)
			}
			return nil, fmt.Errorf("%w: no function %s in %s", ErrOldLibrary, f.name, path)
		}
		purego.RegisterFunc(f.to, address)
	}
	return l, nil
}

// open opens a connection with the given arguments, or returns nil. The engine says nothing about why.
func (l *Library) open(args []string) handle {
	var pins runtime.Pinner
	defer pins.Unpin()
	argv := make([]*byte, len(args)+1)
	for i, arg := range args {
		text := append([]byte(arg), 0)
		pins.Pin(&text[0])
		argv[i] = &text[0]
	}
	pins.Pin(&argv[0])
	return l.connect(int32(len(args)), unsafe.Pointer(&argv[0]))
}

// A params is a set of names and values in the shape the engine takes them.
type params struct {
	names, values       []*byte
	nameLens, valueLens []uintptr
	pins                runtime.Pinner
}

func newParams(values map[string]string) *params {
	p := &params{}
	for name, value := range values {
		p.names = append(p.names, p.text(name))
		p.nameLens = append(p.nameLens, uintptr(len(name)))
		p.values = append(p.values, p.text(value))
		p.valueLens = append(p.valueLens, uintptr(len(value)))
	}
	return p
}

// text returns s as pinned bytes with a zero behind them, never nil.
func (p *params) text(s string) *byte {
	b := append([]byte(s), 0)
	p.pins.Pin(&b[0])
	return &b[0]
}

func (p *params) free() { p.pins.Unpin() }

type paramsCall func(conn handle, sql *byte, sqlLen uintptr, format *byte, formatLen uintptr, names, nameLens, values, valueLens unsafe.Pointer, count uintptr) handle

// call calls one of the three functions that take a statement with parameters.
func (l *Library) call(f paramsCall, conn handle, sql, format string, values map[string]string) handle {
	p := newParams(values)
	defer p.free()
	result := f(conn, p.text(sql), uintptr(len(sql)), p.text(format), uintptr(len(format)),
		first(p, p.names), first(p, p.nameLens), first(p, p.values), first(p, p.valueLens), uintptr(len(p.names)))
	runtime.KeepAlive(p)
	return result
}

// first returns the address of the first element, pinned, or nil when there is none.
func first[T any](p *params, list []T) unsafe.Pointer {
	if len(list) == 0 {
		return nil
	}
	p.pins.Pin(&list[0])
	return unsafe.Pointer(&list[0])
}

// take copies the bytes of a result and destroys it.
func (l *Library) take(result handle) ([]byte, error) {
	defer l.destroy(result)
	data, err := l.look(result)
	return bytes.Clone(data), err
}

// look returns the bytes of a result, which are the engine's: they are gone when the result is destroyed.
func (l *Library) look(result handle) ([]byte, error) {
	if result == nil {
		return nil, errors.New("the engine returned nothing")
	}
	if text := l.resultError(result); text != "" {
		return nil, &Error{Text: text}
	}
	n := l.resultLength(result)
	if n == 0 {
		return nil, nil
	}
	return unsafe.Slice(l.resultBuffer(result), n), nil
}

func (l *Library) destroy(result handle) {
	if result != nil {
		l.resultDestroy(result)
	}
}

// Error is what the engine answered instead of a result, in its own words: "Code: 60. DB::Exception: …".
type Error struct{ Text string }

// Error implements error.
func (e *Error) Error() string { return e.Text }
