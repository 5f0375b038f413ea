package chdb

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strings"

	chproto "github.com/ClickHouse/ch-go/proto"
	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/column"
	"github.com/ClickHouse/clickhouse-go/v2/lib/proto"
)

const (
	helloQuery  = "SELECT displayName(), version(), revision(), timezone()"
	insertChunk = 1 << 20 // bytes
)

// RoundTrip answers a request of clickhouse-go's HTTP protocol: a statement in the body, or in the URL with a body of
// Native data behind it; param_* in the URL are its parameters, other values its settings. What the engine refuses is
// a status 500 with the engine's text; an error is returned only when the statement did not reach the engine or the
// request's context ended.
func (e *Engine) RoundTrip(req *http.Request) (*http.Response, error) {
	if req.Body != nil {
		defer req.Body.Close()
	}
	r, err := parse(req)
	if err != nil {
		return nil, err
	}
	if r.sql == helloQuery {
		return e.hello(req)
	}
	body, size, err := e.answer(req.Context(), r, req.Body)
	if err != nil {
		return refuse(req, err)
	}
	return response(req, http.StatusOK, body, size), nil
}

// answer runs a request. The size is that of the body, or -1 when it is not known.
func (e *Engine) answer(ctx context.Context, r request, data io.Reader) (body io.ReadCloser, size int64, err error) {
	c, err := e.begin(ctx, r.state)
	if err != nil {
		return nil, 0, err
	}
	if r.insert {
		return http.NoBody, 0, e.insert(ctx, c, r, data)
	}
	if streams(r.sql) {
		body, size, err := e.stream(ctx, c, r)
		if err == nil && size == 0 {
			return e.header(ctx, r)
		}
		if !notStreamable(err) {
			return body, size, err
		}
		// Nothing has run yet: WITH … INSERT begins like a query.
		if c, err = e.begin(ctx, r.state); err != nil {
			return nil, 0, err
		}
	}
	blocks, err := e.run(ctx, c, r)
	return io.NopCloser(bytes.NewReader(blocks)), int64(len(blocks)), err
}

// request is what one HTTP request of the driver asks for.
type request struct {
	sql    string
	insert bool // the data of sql, an INSERT without FORMAT, are Native blocks in the body
	params map[string]string
	state  state
}

// notSettings are the values of the URL that are about the protocol. max_execution_time is one of them because the
// driver derives it from the context's deadline, which is kept here by killing the statement.
var notSettings = map[string]bool{
	"database": true, "query": true, "query_id": true, "quota_key": true, "default_format": true,
	"client_protocol_version": true, "compress": true, "decompress": true, "max_execution_time": true,
	"wait_end_of_query": true,
}

var formatNative = regexp.MustCompile(`(?i)\s+FORMAT\s+Native\s*$`)

func parse(req *http.Request) (request, error) {
	values, err := url.ParseQuery(req.URL.RawQuery)
	if err != nil {
		return request{}, fmt.Errorf("the driver's request: %w", err)
	}
	r := request{
		params: map[string]string{},
		state:  state{database: values.Get("database"), settings: map[string]string{}},
	}
	for name := range values {
		if param, ok := strings.CutPrefix(name, "param_"); ok {
			r.params[param] = values.Get(name)
		} else if !notSettings[name] {
			r.state.settings[name] = values.Get(name)
		}
	}
	if values.Has("query") {
		r.sql = values.Get("query")
		at := formatNative.FindStringIndex(r.sql)
		if at == nil {
			return request{}, fmt.Errorf("the embedded engine takes inserted data as Native only: %s", r.sql)
		}
		r.sql, r.insert = r.sql[:at[0]], true
		return r, nil
	}
	if strings.HasPrefix(req.Header.Get("Content-Type"), "multipart/") {
		return request{}, errors.New("the embedded engine takes no external tables")
	}
	body, err := io.ReadAll(req.Body)
	if err != nil {
		return request{}, err
	}
	r.sql = string(body)
	return r, nil
}

// streams says whether the engine can send the statement's answer in pieces.
func streams(sql string) bool {
	word := strings.ToUpper(firstWord(sql))
	return word == "SELECT" || word == "WITH" || word == "("
}

func notStreamable(err error) bool {
	refused, ok := errors.AsType[*Error](err)
	return ok && strings.Contains(refused.Text, "Streaming query is not supported")
}

// firstWord returns the first word of a statement, or its first other character, behind spaces and comments.
func firstWord(sql string) string {
	for {
		sql = strings.TrimLeft(sql, " \t\r\n\f\v")
		var end string
		switch {
		case strings.HasPrefix(sql, "--"), strings.HasPrefix(sql, "#"):
			end = "\n"
		case strings.HasPrefix(sql, "/*"):
			end = "*/"
		default:
			n := strings.IndexFunc(sql, func(c rune) bool { return (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') })
			if n < 0 {
				return sql
			}
			return sql[:max(n, min(1, len(sql)))]
		}
		_, rest, ok := strings.Cut(sql, end)
		if !ok {
			return ""
		}
		sql = rest
	}
}

// header answers a query that has no rows with a block of its columns and no rows, as a server does. The engine writes
// no block for no rows.
func (e *Engine) header(ctx context.Context, r request) (io.ReadCloser, int64, error) {
	r.sql = "DESCRIBE (" + strings.TrimRight(r.sql, "; \t\r\n") + "\n)"
	c, err := e.begin(ctx, r.state)
	if err != nil {
		return nil, 0, err
	}
	described, err := e.run(ctx, c, r)
	var columns proto.Block
	if err == nil {
		err = columns.Decode(chproto.NewReader(bytes.NewReader(described)), 0)
	}
	if ctx.Err() != nil {
		return nil, 0, ctx.Err()
	}
	if err != nil || len(columns.Columns) < 2 {
		return http.NoBody, 0, nil // the answer is right, and only its columns are not known
	}
	names, types := columns.Columns[0], columns.Columns[1]
	buffer := &chproto.Buffer{}
	buffer.PutUVarInt(uint64(names.Rows()))
	buffer.PutUVarInt(0)
	for i := range names.Rows() {
		buffer.PutString(names.Row(i, false).(string))
		buffer.PutString(types.Row(i, false).(string))
	}
	return io.NopCloser(bytes.NewReader(buffer.Buf)), int64(len(buffer.Buf)), nil
}

// changesSession says whether behind the statement the session is not what its conn believes.
func changesSession(sql string) bool {
	word := strings.ToUpper(firstWord(sql))
	return word == "USE" || word == "SET"
}

// run executes a statement whose answer is small and returns the answer in Native format.
func (e *Engine) run(ctx context.Context, c *conn, r request) ([]byte, error) {
	mark := e.mark()
	stop := e.killOnEnd(ctx, mark)
	data, err := e.lib.take(e.lib.call(e.lib.queryWithParams, c.session, mark+r.sql, "Native", r.params))
	stop()
	e.finish(c, !changesSession(r.sql))
	if err != nil {
		return nil, e.reason(ctx, err)
	}
	return data, nil
}

// insert executes an INSERT with the blocks that body gives.
func (e *Engine) insert(ctx context.Context, c *conn, r request, body io.Reader) error {
	mark := e.mark()
	stop := e.killOnEnd(ctx, mark)
	stream := e.lib.call(e.lib.insertWithParams, c.session, mark+r.sql, "Native", r.params)
	err := e.fill(ctx, stream, body)
	stop()
	e.lib.insertDestroy(stream)
	e.finish(c, err == nil)
	if err != nil {
		return e.reason(ctx, err)
	}
	return nil
}

// fill appends body to the stream and commits it.
func (e *Engine) fill(ctx context.Context, stream handle, body io.Reader) error {
	if text := e.lib.insertError(stream); text != "" {
		return &Error{Text: text}
	}
	buffer := e.buffers.Get().(*[insertChunk]byte)
	defer e.buffers.Put(buffer)
	chunk := buffer[:]
	total := 0
	for {
		n, err := io.ReadFull(body, chunk)
		if n > 0 && ctx.Err() == nil {
			total += n
			if e.lib.insertAppend(stream, &chunk[0], uintptr(n)) != 0 {
				if text := e.lib.insertError(stream); text != "" {
					return &Error{Text: text}
				}
				return errors.New("the engine takes no more data")
			}
		}
		if ctx.Err() != nil {
			err = ctx.Err()
		}
		if err == io.EOF || err == io.ErrUnexpectedEOF {
			break
		}
		if err != nil {
			e.lib.insertCancel(stream)
			return err
		}
	}
	if total == 0 {
		// The driver sends no empty batches: it could not encode this one, and hides why.
		e.lib.insertCancel(stream)
		return errors.New("the driver could not encode the batch; do its columns have the same length?")
	}
	_, err := e.lib.take(e.lib.insertDone(stream))
	return err
}

func response(req *http.Request, status int, body io.ReadCloser, size int64) *http.Response {
	return &http.Response{
		Status: http.StatusText(status), StatusCode: status, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: http.Header{}, Body: body, ContentLength: size, Request: req,
	}
}

var errorCode = regexp.MustCompile(`Code: (\d+)`)

// refuse answers with the engine's error text, the way a server does, or returns err when it is none of the engine's.
func refuse(req *http.Request, err error) (*http.Response, error) {
	refused, ok := errors.AsType[*Error](err)
	if !ok {
		return nil, err
	}
	body := io.NopCloser(strings.NewReader(refused.Text))
	r := response(req, http.StatusInternalServerError, body, int64(len(refused.Text)))
	if code := errorCode.FindStringSubmatch(refused.Text); code != nil {
		r.Header.Set("X-ClickHouse-Exception-Code", code[1])
	}
	return r, nil
}

// hello answers the driver's first query. The revision it is told is 0, because that is how the engine writes Native
// blocks; the answer itself is read at the driver's own revision.
func (e *Engine) hello(req *http.Request) (*http.Response, error) {
	block := proto.NewBlock()
	for _, c := range []struct {
		name string
		kind column.Type
	}{
		{"displayName()", "String"}, {"version()", "String"}, {"revision()", "UInt32"}, {"timezone()", "String"},
	} {
		if err := block.AddColumn(c.name, c.kind); err != nil {
			return nil, err
		}
	}
	if err := block.Append("embedded", e.version, uint32(0), "UTC"); err != nil {
		return nil, err
	}
	buffer := &chproto.Buffer{}
	if err := block.Encode(buffer, clickhouse.ClientTCPProtocolVersion); err != nil {
		return nil, err
	}
	body := io.NopCloser(bytes.NewReader(buffer.Buf))
	return response(req, http.StatusOK, body, int64(len(buffer.Buf))), nil
}
