package ingest

import (
	"crypto/sha256"
	"sync"
)

// guard remembers which deliveries were handled, so that what a sender sends twice is handled once. It spares work and
// no more: what it has forgotten is handled again, which changes nothing. It holds up to twice its limit.
type guard struct {
	most int // deliveries of a generation

	mu         sync.Mutex
	young, old map[fingerprint]struct{}
	flying     map[fingerprint]chan struct{} // being handled; closed at the end
}

// fingerprint tells deliveries apart: by the sender's id, and by the body, in case a sender gives one id to several.
type fingerprint [sha256.Size]byte

func fingerprintOf(source, id string, body []byte) fingerprint {
	sum := sha256.New()
	for _, part := range []string{source, id} {
		sum.Write([]byte(part))
		sum.Write([]byte{0})
	}
	sum.Write(body)
	return fingerprint(sum.Sum(nil))
}

func newGuard(most int) *guard {
	return &guard{most: most, young: map[fingerprint]struct{}{}, flying: map[fingerprint]chan struct{}{}}
}

// enter returns true when the caller has to handle the delivery, and say by leave how that went. Where another is
// handling the same, it waits for the outcome.
func (g *guard) enter(f fingerprint) bool {
	for {
		g.mu.Lock()
		_, young := g.young[f]
		_, old := g.old[f]
		other := g.flying[f]
		if !young && !old && other == nil {
			g.flying[f] = make(chan struct{})
		}
		g.mu.Unlock()
		if young || old {
			return false
		}
		if other == nil {
			return true
		}
		<-other
	}
}

// leave ends what enter began. A delivery that is not handled may come again.
func (g *guard) leave(f fingerprint, handled bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	close(g.flying[f])
	delete(g.flying, f)
	if !handled {
		return
	}
	if len(g.young) >= g.most {
		g.young, g.old = make(map[fingerprint]struct{}), g.young
	}
	g.young[f] = struct{}{}
}

// forget lets a delivery come again.
func (g *guard) forget(f fingerprint) {
	g.mu.Lock()
	defer g.mu.Unlock()
	delete(g.young, f)
	delete(g.old, f)
}
