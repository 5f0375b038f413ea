package ingest

import (
	"encoding/binary"
	"errors"
	"maps"
	"slices"
	"time"

	"cairn/internal/event"
	"cairn/internal/source"
)

// record is a delivery on its way through the journal.
type record struct {
	payload
	fingerprint fingerprint   // zero when it was read back from the journal
	size        int           // about the bytes that it takes
	at, next    place         // where it begins and ends
	heard       bool          // meaning and facts are known; else they are worked out when it is carried
	facts       []event.Event // good ones
	meaning     meaning
}

// newRecord is the record of a delivery.
func newRecord(d source.Delivery, keep time.Duration) *record {
	r := &record{payload: payload{
		source: d.Source, receivedAt: d.ReceivedAt, delivery: d.ID, event: d.Event, headers: headersOf(d.Header), body: string(d.Body),
		expiresAt: d.ReceivedAt.Add(keep),
	}}
	r.size = r.length()
	return r
}

// length bounds the bytes of the record in the journal.
func (r *record) length() int {
	n := recordHead + 64 + len(r.source) + len(r.delivery) + len(r.event) + len(r.body)
	for name, value := range r.headers {
		n += len(name) + len(value) + 8
	}
	return n
}

// recordForm is the first byte of a record's content.
const recordForm = 1

func (r *record) appendContent(b []byte) []byte {
	b = append(b, recordForm)
	b = binary.AppendVarint(b, r.receivedAt.UnixMilli())
	b = binary.AppendVarint(b, r.expiresAt.UnixMilli())
	b = binary.AppendUvarint(b, uint64(len(r.headers)))
	for _, name := range slices.Sorted(maps.Keys(r.headers)) {
		b = appendText(appendText(b, name), r.headers[name])
	}
	for _, text := range []string{r.source, r.delivery, r.event, r.body} {
		b = appendText(b, text)
	}
	return b
}

func appendText(b []byte, text string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(text))), text...)
}

var errNoRecord = errors.New("not the content of a record")

// parseRecord reads what appendContent wrote.
func parseRecord(content []byte) (*record, error) {
	if len(content) == 0 || content[0] != recordForm {
		return nil, errNoRecord
	}
	rest, bad := content[1:], false
	number := func() int64 {
		v, n := binary.Varint(rest)
		if n <= 0 {
			bad, rest = true, nil
			return 0
		}
		rest = rest[n:]
		return v
	}
	text := func() string {
		v, n := binary.Uvarint(rest)
		if n <= 0 || v > uint64(len(rest)-n) {
			bad, rest = true, nil
			return ""
		}
		s := string(rest[n : n+int(v)])
		rest = rest[n+int(v):]
		return s
	}
	r := &record{}
	r.receivedAt, r.expiresAt = time.UnixMilli(number()).UTC(), time.UnixMilli(number()).UTC()
	count, n := binary.Uvarint(rest)
	if n <= 0 || count > maxHeaders {
		return nil, errNoRecord
	}
	rest = rest[n:]
	r.headers = make(map[string]string, count)
	for range count {
		name := text()
		r.headers[name] = text()
	}
	r.source, r.delivery, r.event, r.body = text(), text(), text(), text()
	if bad || len(rest) > 0 {
		return nil, errNoRecord
	}
	r.size = r.length()
	return r, nil
}
