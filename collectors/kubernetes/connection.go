package kubernetes

import (
	"encoding/json"
	"net/http"
	"sync"
	"time"

	"cairn/internal/fault"
	"cairn/internal/hook"
	"cairn/internal/rules"
	"cairn/internal/signature"
	"cairn/internal/source"
)

// Connection is one cluster with a credential. It is used by several goroutines, each stream by one at a time.
type Connection struct {
	cfg      Config
	api      api
	naming   naming
	delivery delivery
	audit    *signature.Scheme // nil: the audit log is not heard
	askers   *hook.Memory[asker]

	mu    sync.Mutex
	kinds []kind
	// ahead is how far streams have been read behind the positions that are kept, where nothing was told since: it spares
	// writing a position for every quiet half minute.
	ahead map[string]ahead
}

// ahead is a version up to which there was nothing to tell after a position.
type ahead struct{ position, version string }

// rewrite is how long a position may stay behind. What it leaves out is read again after a restart, if the cluster still
// knows it; if not, a list tells what it came to.
const rewrite = 10 * time.Minute

// remembered is of how many objects it is kept in mind who asked, until they are read.
const remembered = 20_000

// New checks the settings, which carry the secrets themselves, and does no more. The client authenticates (Credential),
// limits and retries; server is the address of the cluster's API.
func New(cfg Config, _ *rules.Rules, client *http.Client, server string) (*Connection, error) {
	if err := cfg.check(); err != nil {
		return nil, err
	}
	c := &Connection{cfg: cfg, api: api{name: cfg.Name, client: client, server: server}, askers: hook.NewMemory[asker](remembered), ahead: map[string]ahead{}}
	var err error
	if c.naming, err = newNaming(cfg); err != nil {
		return nil, fault.Wrap(fault.Invalid, err, "connection %s", cfg.Name)
	}
	if c.delivery, err = newDelivery(cfg); err != nil {
		return nil, fault.Wrap(fault.Invalid, err, "connection %s", cfg.Name)
	}
	if len(cfg.AuditTokens) > 0 {
		if c.audit, err = signature.Bearer(cfg.AuditTokens...); err != nil {
			return nil, fault.Wrap(fault.Invalid, err, "connection %s: audit_tokens", cfg.Name)
		}
	}
	return c, nil
}

// Name is the connection's.
func (c *Connection) Name() string { return c.cfg.Name }

// Streams are the definitions, and the objects of each kind that was found in them.
func (c *Connection) Streams() []source.Stream {
	streams := []source.Stream{{Name: source.Definitions, Kind: source.Definitions, Every: sometimes}}
	for _, k := range c.known() {
		streams = append(streams, k.stream())
	}
	return streams
}

func (c *Connection) known() []kind {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.kinds
}

func (c *Connection) know(kinds []kind) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.kinds = kinds
}

// kindOf finds a kind by its stream.
func (c *Connection) kindOf(stream string) (kind, bool) {
	for _, k := range c.known() {
		if k.stream().Name == stream {
			return k, true
		}
	}
	return kind{}, false
}

// Recall takes a position of a stream that was saved in an earlier life. From that of the definitions follow the others.
func (c *Connection) Recall(stream, position string) error {
	if stream != source.Definitions {
		_, err := readPosition(stream, position)
		return err
	}
	var d defined
	if err := json.Unmarshal([]byte(position), &d); err != nil || d.V != positionVersion {
		return fault.New(fault.Invalid, "%s: the saved position is not one of this version: %.60q", stream, position)
	}
	c.know(d.Kinds)
	return nil
}

// Turn makes the source of one turn over a stream.
func (c *Connection) Turn(s source.Stream, position string, asOf time.Time) (*Turn, error) {
	t := &Turn{c: c, stream: s, position: position, asOf: asOf}
	if s.Name == source.Definitions {
		return t, nil
	}
	var found bool
	if t.kind, found = c.kindOf(s.Name); !found {
		return nil, fault.New(fault.NotFound, "%s is no longer defined in the cluster", s.Group)
	}
	var err error
	t.at, err = readPosition(s.Name, position)
	return t, err
}

// Refresh would read one thing again. Nothing asks for it: a list of news costs no more than a thing.
func (c *Connection) Refresh(w source.Wake, _ time.Time) (*Turn, error) {
	return nil, fault.New(fault.Invalid, "%s: objects are not read one by one", w.Stream)
}
