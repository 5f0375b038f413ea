package ingest

import (
	"context"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"cairn/internal/fault"
	"cairn/internal/source"
)

// payload is a delivery as it is kept: a row of the table payloads.
type payload struct {
	source     string
	receivedAt time.Time
	delivery   string
	event      string
	headers    map[string]string
	body       string
	outcome    string
	reason     string
	facts      uint32
	expiresAt  time.Time
}

func payloadTable() table[payload] {
	return table[payload]{"payloads", []column[payload]{
		word("source", func(p *payload) string { return p.source }),
		of("received_at", func(p *payload) time.Time { return p.receivedAt }),
		of("delivery", func(p *payload) string { return p.delivery }),
		word("event", func(p *payload) string { return p.event }),
		of("headers", func(p *payload) map[string]string { return p.headers }),
		of("body", func(p *payload) string { return p.body }),
		word("outcome", func(p *payload) string { return p.outcome }),
		of("reason", func(p *payload) string { return p.reason }),
		of("facts", func(p *payload) uint32 { return p.facts }),
		of("expires_at", func(p *payload) time.Time { return p.expiresAt }),
	}}
}

// maxPayloads bounds the bytes of the bodies that go into one insert.
const maxPayloads = 32 << 20

// newPayloadLane is a lane whose inserts are bounded by bytes and not by rows.
func newPayloadLane(i *Intake) *lane[payload] {
	l := newLane(i, payloadTable())
	l.most, l.weight = maxPayloads, func(r rows[payload]) int {
		size := 0
		for n := range r.events {
			size += len(r.events[n].body)
		}
		return size
	}
	return l
}

// keep stores the payloads durably.
func (h *Hooks) keep(ctx context.Context, payloads ...payload) error {
	err := h.payloads.pass(ctx, rows[payload]{events: payloads})
	if err != nil {
		return fault.Wrap(fault.KindOf(err), err, "ingest.Hooks: the payload")
	}
	return nil
}

// Bounds of what is kept of a delivery beside its body.
const (
	maxHeaders    = 32
	maxHeader     = 1000 // bytes of a header's value
	maxDeliveryID = 200
	maxEventName  = 64
	maxReason     = 1000
)

// headersOf is what is kept of a delivery's headers.
func headersOf(h http.Header) map[string]string {
	kept := make(map[string]string, len(h))
	for _, name := range slices.Sorted(maps.Keys(h)) {
		if len(kept) == maxHeaders {
			break
		}
		kept[cut(name, maxHeader)] = cut(strings.Join(h[name], ", "), maxHeader)
	}
	return kept
}

// deliveryOf is the delivery that the payload was.
func (p *payload) deliveryOf() source.Delivery {
	header := make(http.Header, len(p.headers))
	for name, value := range p.headers {
		header.Set(name, value)
	}
	return source.Delivery{Source: p.source, ID: p.delivery, Event: p.event, ReceivedAt: p.receivedAt, Header: header, Body: []byte(p.body)}
}

// cut is the beginning of a text, as valid UTF-8 and in one line.
func cut(text string, most int) string {
	cutOff := len(text) > most
	if cutOff {
		text = text[:most]
	}
	text = strings.Map(func(r rune) rune {
		if r < ' ' {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(text, ""))
	if cutOff {
		text += "…"
	}
	return text
}
