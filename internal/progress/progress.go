// Package progress shows a person how far a long piece of work has come: a bar that stays on its line on a terminal,
// and a plain line every few seconds anywhere else. It stands outside the data's way; what works reports through a
// Func and knows nothing of terminals.
package progress

import (
	"io"
	"os"
	"time"

	"golang.org/x/term"
)

// State is how far a piece of work has come.
type State struct {
	Stage string // what is being counted, in the plural: commits, tags
	Done  int64
	Total int64 // 0 as long as nobody knows; an estimate, Done may pass it
}

// Func takes reports. It is called from the goroutine that works, often, and must be quick. A nil Func is not called.
type Func func(State)

// Report calls f unless it is nil.
func (f Func) Report(s State) {
	if f != nil {
		f(s)
	}
}

// Config says where and how progress is shown.
type Config struct {
	Terminal bool             // a bar that rewrites its line, instead of plain lines
	Width    func() int       // columns of the terminal, asked at each drawing; nil: 80
	Now      func() time.Time // the clock
	Every    time.Duration    // the shortest time between two drawings or lines
}

// DefaultConfig returns the setting for plain lines.
func DefaultConfig() Config {
	return Config{Now: time.Now, Every: 5 * time.Second}
}

// For returns the setting that suits f: a bar when f is a terminal, else plain lines.
func For(f *os.File) Config {
	cfg := DefaultConfig()
	if fd := int(f.Fd()); term.IsTerminal(fd) {
		cfg.Terminal = true
		cfg.Every = 100 * time.Millisecond
		cfg.Width = func() int {
			width, _, err := term.GetSize(fd)
			if err != nil {
				return 0
			}
			return width
		}
	}
	return cfg
}

// Meter draws what it is told. It is for one goroutine.
type Meter struct {
	w       io.Writer
	cfg     Config
	state   State
	started time.Time // of the stage
	drawn   time.Time // last drawing, or the start of the stage
	line    bool      // the terminal's line holds a bar
}

// New returns a meter that draws on w.
func New(w io.Writer, cfg Config) *Meter {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Width == nil {
		cfg.Width = func() int { return 0 }
	}
	return &Meter{w: w, cfg: cfg}
}

// Report takes a state; it is a Func. A new stage ends the one before it.
func (m *Meter) Report(s State) {
	now := m.cfg.Now()
	if s.Stage != m.state.Stage {
		m.finish(now)
		m.started, m.drawn = now, now
	}
	m.state = s
	if now.Sub(m.drawn) < m.cfg.Every {
		return
	}
	m.drawn = now
	m.draw(now)
}

// Close ends the last stage and leaves the cursor at the start of an empty line.
func (m *Meter) Close() {
	m.finish(m.cfg.Now())
	m.state = State{}
}

// finish leaves one line that sums up the stage.
func (m *Meter) finish(now time.Time) {
	if m.state.Stage == "" {
		return
	}
	if m.line {
		io.WriteString(m.w, "\r\x1b[K")
		m.line = false
	}
	io.WriteString(m.w, m.state.summary(now.Sub(m.started))+"\n")
}

func (m *Meter) draw(now time.Time) {
	elapsed := now.Sub(m.started)
	if !m.cfg.Terminal {
		io.WriteString(m.w, m.state.plain(elapsed)+"\n")
		return
	}
	width := m.cfg.Width()
	if width <= 0 {
		width = 80
	}
	// The last column stays free: a terminal that wraps there would break the line.
	io.WriteString(m.w, "\r"+m.state.bar(elapsed, width-1)+"\x1b[K")
	m.line = true
}
