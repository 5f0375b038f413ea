package ingest

import (
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strings"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"

	"cairn/internal/event"
	"cairn/internal/fault"
	"cairn/internal/problem"
)

// input is what reading one request needs, kept for the next one.
type input struct {
	decoder event.Decoder
	batch   event.Batch
	unpack  unpacker
}

func newInput(cfg Config) *input {
	return &input{decoder: event.Decoder{MaxEvents: cfg.MaxEvents}}
}

// maxKept is how many events of one request are worth keeping memory for.
const maxKept = 20_000

// read takes the events of a request into the batch.
func (in *input) read(w http.ResponseWriter, r *http.Request, cfg Config) error {
	if err := checkContentType(r.Header.Get("Content-Type")); err != nil {
		return err
	}
	coding, err := codingOf(r.Header.Values("Content-Encoding"))
	if err != nil {
		return err
	}
	most, name := cfg.MaxBody, "max_body"
	if coding != plain {
		most, name = cfg.MaxCompressed, "max_compressed"
	}
	tooLarge := fault.New(fault.TooLarge, "the body has more than %s (ingest.%s); send the events in several requests", size(most), name)
	if r.ContentLength > most {
		return tooLarge
	}
	body, err := in.unpack.open(http.MaxBytesReader(w, r.Body, most), coding)
	if err == nil {
		if coding != plain {
			body = &limited{r: body, left: cfg.MaxBody, over: fault.New(fault.TooLarge,
				"the body has more than %s when it is unpacked (ingest.max_body); send the events in several requests", size(cfg.MaxBody))}
		}
		err = in.decoder.Decode(body, &in.batch)
	}
	if err == nil {
		return nil
	}
	if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return tooLarge
	}
	return decodingFault(err, cfg.MaxEvents)
}

// decodingFault turns what a Decoder returns into a fault.
func decodingFault(err error, maxEvents int) error {
	if bad, ok := errors.AsType[*event.Errors](err); ok {
		return refusal(bad)
	}
	if _, ok := errors.AsType[*event.TooManyError](err); ok {
		return fault.New(fault.TooLarge, "a request takes at most %d events (ingest.max_events); send them in several requests", maxEvents)
	}
	if _, ok := errors.AsType[*fault.Error](err); ok {
		return err
	}
	return fault.Wrap(fault.Unavailable, err, "the body could not be read to its end")
}

func size(bytes int64) string {
	if bytes%(1<<20) == 0 {
		return fmt.Sprintf("%d MiB", bytes>>20)
	}
	return fmt.Sprintf("%d bytes", bytes)
}

// checkContentType refuses media types that are certainly no events. What curl sends by itself is accepted.
func checkContentType(value string) error {
	media, _, err := mime.ParseMediaType(value)
	if value == "" {
		return nil
	}
	switch media {
	case "application/json", "application/x-ndjson", "application/ndjson", "application/jsonl", "application/x-jsonlines",
		"text/plain", "application/octet-stream", "application/x-www-form-urlencoded":
		if err == nil {
			return nil
		}
	}
	return &problem.Problem{Status: http.StatusUnsupportedMediaType,
		Detail: fmt.Sprintf("Content-Type %q: events come as application/json or application/x-ndjson", value)}
}

// coding is how a text is packed.
type coding string

const (
	plain   coding = ""
	gzipped coding = "gzip"
	zstded  coding = "zstd"
)

func codingOf(values []string) (coding, error) {
	switch value := strings.ToLower(strings.TrimSpace(strings.Join(values, ", "))); value {
	case "", "identity":
		return plain, nil
	case "gzip", "x-gzip":
		return gzipped, nil
	case "zstd":
		return zstded, nil
	default:
		return plain, &problem.Problem{Status: http.StatusUnsupportedMediaType,
			Detail: fmt.Sprintf("Content-Encoding %q: gzip, zstd and identity are understood", value)}
	}
}

// unpacker unpacks one text after another.
type unpacker struct {
	gzip *gzip.Reader
	zstd *zstd.Decoder
}

// maxWindow bounds the memory that unpacking takes, whatever the packed text asks for.
const maxWindow = 32 << 20

// open returns the unpacked text of r. Packed text that is damaged or cut off is fault.Invalid; errors of r come
// through.
func (u *unpacker) open(r io.Reader, c coding) (io.Reader, error) {
	packed := &remembering{r: r}
	var err error
	switch c {
	case gzipped:
		if u.gzip == nil {
			u.gzip = new(gzip.Reader)
		}
		if err = u.gzip.Reset(packed); err == nil {
			return &unpacked{u.gzip, packed, c}, nil
		}
	case zstded:
		if u.zstd == nil {
			if u.zstd, err = zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(maxWindow)); err != nil {
				return nil, err
			}
		}
		if err = u.zstd.Reset(packed); err == nil {
			return &unpacked{u.zstd, packed, c}, nil
		}
	default:
		return r, nil
	}
	return nil, (&unpacked{nil, packed, c}).fault(err)
}

// remembering remembers the error of what is unpacked.
type remembering struct {
	r   io.Reader
	err error
}

func (s *remembering) Read(p []byte) (int, error) {
	n, err := s.r.Read(p)
	if err != nil && err != io.EOF {
		s.err = err
	}
	return n, err
}

// unpacked tells damage of the packed text from errors of what it reads.
type unpacked struct {
	r      io.Reader
	packed *remembering
	coding coding
}

func (u *unpacked) Read(p []byte) (int, error) {
	n, err := u.r.Read(p)
	if err != nil && err != io.EOF {
		err = u.fault(err)
	}
	return n, err
}

func (u *unpacked) fault(err error) error {
	switch {
	case u.packed.err != nil:
		return u.packed.err
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return fault.New(fault.Invalid, "the %s data ends in the middle: it is cut off", u.coding)
	}
	return fault.New(fault.Invalid, "the %s data is damaged: %w", u.coding, err)
}

// limited reads up to a number of bytes; more is an error.
type limited struct {
	r    io.Reader
	left int64
	over error
}

func (l *limited) Read(p []byte) (int, error) {
	n, err := l.r.Read(p[:min(int64(len(p)), l.left+1)])
	if int64(n) > l.left {
		return int(l.left), l.over
	}
	l.left -= int64(n)
	return n, err
}

func plural(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}
