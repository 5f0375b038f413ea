package ingest

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"maps"
	"net/http"
	"strings"

	"cairn/internal/event"
	"cairn/internal/fault"
	"cairn/internal/problem"
)

// Path is where Handler belongs.
const Path = "/api/v1/events"

// Receipt is the answer to a request whose events are stored durably.
type Receipt struct {
	Accepted int            `json:"accepted"` // events
	ByKind   map[string]int `json:"by_kind"`
}

// Handler takes events by POST: one as a JSON object, an array, or one a line, plain or packed with gzip or zstd. 200
// means that all are stored durably; otherwise none of a refused request is, and of one that failed some may be:
// sending it again is harmless.
func (i *Intake) Handler() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		receipt, err := i.receive(w, r)
		if err != nil {
			if i.Failed != nil && fault.KindOf(err) == fault.Internal {
				i.Failed(r, err)
			}
			problem.Write(w, r, AsProblem(err))
			return
		}
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Cache-Control", "no-store")
		_ = json.NewEncoder(w).Encode(receipt) // who does not wait for the answer does not miss it
	})
}

func (i *Intake) receive(w http.ResponseWriter, r *http.Request) (*Receipt, error) {
	if r.Method != http.MethodPost {
		w.Header().Set("Allow", http.MethodPost)
		return nil, &problem.Problem{Status: http.StatusMethodNotAllowed, Detail: "events are sent by POST"}
	}
	return i.take(r.Context(), func(in *input) error { return in.read(w, r, i.cfg) })
}

// take stores the events that read puts into its batch.
func (i *Intake) take(ctx context.Context, read func(*input) error) (*Receipt, error) {
	in := i.inputs.Get().(*input)
	in.batch.Reset()
	if err := read(in); err != nil {
		i.inputs.Put(in)
		return nil, err
	}
	receipt := &Receipt{Accepted: in.batch.Len(), ByKind: maps.Collect(in.batch.Counts())}
	err := i.write(ctx, &in.batch)
	if receipt.Accepted <= maxKept {
		i.inputs.Put(in)
	}
	if err != nil {
		return nil, err
	}
	return receipt, nil
}

// Send implements Sender: it stores the events of an NDJSON text as Handler does, without HTTP.
func (i *Intake) Send(ctx context.Context, ndjson []byte) error {
	_, err := i.take(ctx, func(in *input) error {
		if err := in.decoder.Decode(bytes.NewReader(ndjson), &in.batch); err != nil {
			return decodingFault(err, i.cfg.MaxEvents)
		}
		return nil
	})
	return err
}

// AsProblem gives bad events in err the form of an answer that lists them; any other error it returns as it is.
func AsProblem(err error) error {
	bad, ok := errors.AsType[*event.Errors](err)
	if !ok {
		return err
	}
	items := make([]problem.Item, len(bad.List))
	for n, e := range bad.List {
		items[n] = problem.Item(e)
	}
	detail := strings.Builder{}
	detail.WriteString("nothing was stored: ")
	if len(items) == 1 {
		detail.WriteString(bad.List[0].Error())
	} else {
		detail.WriteString(plural(len(items), "fault") + " in the events, the first: " + bad.List[0].Error())
	}
	if bad.Stopped {
		detail.WriteString("; nothing behind the last one was read")
	}
	return &problem.Problem{Status: fault.Invalid.HTTPStatus(), Detail: detail.String(), Errors: items}
}
