package hook

import (
	"sync"
	"time"
)

// Memory joins what several deliveries tell of one thing, where none of them tells it whole: what began it, what ended
// it. A fact is told as a whole, so the delivery that ended a thing needs what began it.
//
// Nothing is kept in it alone: it forgets when the process ends, whereupon intake has the kept deliveries heard again (see
// Joins of a receiver), and the oldest things when there are many. Whoever joins has to tell the more a later delivery the more parts it knows (see At), so that a telling
// that knows less never replaces one of the same moment that knows more; then neither order nor repetition matters, and
// telling the kept deliveries again mends what was forgotten.
type Memory[P any] struct {
	mu    sync.Mutex
	limit int
	known map[string]map[string]part[P]
	order []string // keys by age; the ring's next place is at
	at    int
}

type part[P any] struct {
	at   time.Time
	what P
}

// NewMemory makes a Memory of so many things.
func NewMemory[P any](limit int) *Memory[P] {
	return &Memory[P]{limit: limit, known: map[string]map[string]part[P]{}}
}

// Join adds the part of a thing that happened at an instant and returns all parts of it that are known. Of two parts of
// one name the later is known.
func (m *Memory[P]) Join(thing, name string, at time.Time, what P) map[string]P {
	m.mu.Lock()
	defer m.mu.Unlock()
	parts := m.known[thing]
	if parts == nil {
		parts = map[string]part[P]{}
		m.known[thing] = parts
		if len(m.order) < m.limit {
			m.order = append(m.order, thing)
		} else {
			delete(m.known, m.order[m.at])
			m.order[m.at] = thing
			m.at = (m.at + 1) % m.limit
		}
	}
	if before, there := parts[name]; !there || at.After(before.at) {
		parts[name] = part[P]{at, what}
	}
	all := make(map[string]P, len(parts))
	for name, p := range parts {
		all[name] = p.what
	}
	return all
}

// At is when something that has up to `all` parts is told from `known` of them, the latest of which happened at `last`: of
// tellings of one moment that which knows more is later.
func At(last time.Time, known, all int) time.Time {
	return last.Add(-time.Duration(max(all-known, 0)) * time.Millisecond)
}

// Of returns the parts of a thing that are known; nil when there are none.
func (m *Memory[P]) Of(thing string) map[string]P {
	m.mu.Lock()
	defer m.mu.Unlock()
	parts := m.known[thing]
	if parts == nil {
		return nil
	}
	all := make(map[string]P, len(parts))
	for name, p := range parts {
		all[name] = p.what
	}
	return all
}
