package collectors

import (
	"bytes"
	"container/list"
	"crypto/sha256"
	"net/http"
	"strings"
	"sync"

	"github.com/klauspost/compress/zstd"
)

// cache keeps answers that the server can confirm, compressed, up to a number of bytes. What was confirmed once stays
// longer than what was not: the pages of a long history are read once and do not push out the lists that are asked for
// again and again.
type cache struct {
	max int64

	mu      sync.Mutex
	entries map[string]*list.Element // of *kept
	fresh   *list.List               // not yet confirmed, latest first
	proven  *list.List               // confirmed, latest first
	size    int64                    // of all
	trusted int64                    // of those that are proven
	packer  *zstd.Encoder            // nil before the first use, like the next one
	reader  *zstd.Decoder
}

// kept is an answer that the server can confirm. It does not change.
type kept struct {
	key    string
	header http.Header
	body   []byte // compressed
	length int    // of the body as it was
	reader *zstd.Decoder
	size   int64
	proven bool // guarded by the cache
}

func newCache(limit int64) *cache {
	return &cache{max: limit, entries: map[string]*list.Element{}, fresh: list.New(), proven: list.New()}
}

// takes says whether the answer to a request may be kept: not when its reader asks about changes itself, or for a part.
func (c *cache) takes(req *http.Request) bool {
	if c.max <= 0 || req.Method != http.MethodGet && req.Method != "" || req.Body != nil && req.Body != http.NoBody {
		return false
	}
	for _, own := range []string{"If-None-Match", "If-Modified-Since", "If-Match", "If-Unmodified-Since", "If-Range", "Range"} {
		if req.Header.Get(own) != "" {
			return false
		}
	}
	return true
}

// cacheKey is what tells answers apart. A credential that is in the request takes part; one that is added later cannot.
func cacheKey(req *http.Request) string {
	credential := sha256.Sum256([]byte(req.Header.Get("Authorization") + "\x00" + req.Header.Get("Private-Token")))
	return req.URL.String() + "\n" + strings.Join(req.Header.Values("Accept"), ",") + "\n" + string(credential[:])
}

func (c *cache) get(key string) *kept {
	c.mu.Lock()
	defer c.mu.Unlock()
	element := c.entries[key]
	if element == nil {
		return nil
	}
	k := element.Value.(*kept)
	c.listOf(k).MoveToFront(element)
	return k
}

func (c *cache) listOf(k *kept) *list.List {
	if k.proven {
		return c.proven
	}
	return c.fresh
}

// put keeps an answer, if the server can confirm it later.
func (c *cache) put(key string, header http.Header, body []byte) {
	if header.Get("ETag") == "" && header.Get("Last-Modified") == "" ||
		strings.Contains(strings.ToLower(header.Get("Cache-Control")), "no-store") || header.Get("Vary") == "*" {
		c.remove(key)
		return
	}
	packer, reader, err := c.tools()
	if err != nil {
		return
	}
	k := &kept{key: key, header: header.Clone(), body: packer.EncodeAll(body, nil), length: len(body), reader: reader}
	k.body = bytes.Clone(k.body) // without the room to grow
	k.size = int64(len(k.body) + len(key) + 256)
	for name, values := range k.header {
		k.size += int64(len(name) + 32)
		for _, value := range values {
			k.size += int64(len(value) + 16)
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if before := c.entries[key]; before != nil {
		k.proven = before.Value.(*kept).proven
		c.forget(before)
	}
	if k.size > c.max/4 {
		return
	}
	c.entries[key] = c.listOf(k).PushFront(k)
	c.size += k.size
	if k.proven {
		c.trusted += k.size
	}
	c.shrink()
}

// tools returns what packs and unpacks.
func (c *cache) tools() (*zstd.Encoder, *zstd.Decoder, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.packer == nil {
		packer, err := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(2), zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithLowerEncoderMem(true))
		if err != nil {
			return nil, nil, err
		}
		reader, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(2), zstd.WithDecoderLowmem(true))
		if err != nil {
			return nil, nil, err
		}
		c.packer, c.reader = packer, reader
	}
	return c.packer, c.reader, nil
}

// confirm notes that the server has confirmed what was kept.
func (c *cache) confirm(key string, k *kept) {
	c.mu.Lock()
	defer c.mu.Unlock()
	element := c.entries[key]
	if element == nil || element.Value != k || k.proven {
		return
	}
	c.fresh.Remove(element)
	k.proven = true
	c.entries[key] = c.proven.PushFront(k)
	c.trusted += k.size
	for c.trusted > c.max/5*4 { // there is always room for what is new
		last := c.proven.Back()
		demoted := last.Value.(*kept)
		c.proven.Remove(last)
		demoted.proven = false
		c.trusted -= demoted.size
		c.entries[demoted.key] = c.fresh.PushFront(demoted)
	}
}

func (c *cache) remove(key string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if element := c.entries[key]; element != nil {
		c.forget(element)
	}
}

// shrink forgets what was not asked for the longest time.
func (c *cache) shrink() {
	for c.size > c.max {
		last := c.fresh.Back()
		if last == nil {
			last = c.proven.Back()
		}
		c.forget(last)
	}
}

func (c *cache) forget(element *list.Element) {
	k := element.Value.(*kept)
	c.listOf(k).Remove(element)
	delete(c.entries, k.key)
	c.size -= k.size
	if k.proven {
		c.trusted -= k.size
	}
}

// ask makes a request one for what has changed. A nil k leaves it alone.
func (k *kept) ask(h http.Header) {
	if k == nil {
		return
	}
	if etag := k.header.Get("ETag"); etag != "" {
		h.Set("If-None-Match", etag)
	}
	if modified := k.header.Get("Last-Modified"); modified != "" {
		h.Set("If-Modified-Since", modified)
	}
}

// unpack appends the body to an empty buffer.
func (k *kept) unpack(into *bytes.Buffer) error {
	into.Grow(k.length)
	body, err := k.reader.DecodeAll(k.body, into.AvailableBuffer())
	if err != nil {
		return err
	}
	_, err = into.Write(body)
	return err
}

// revive turns the server's confirmation into the answer that was kept, with what the confirmation says anew: its date,
// its limits.
func (k *kept) revive(res *http.Response) {
	header := k.header.Clone()
	for name, values := range res.Header {
		if !strings.HasPrefix(name, "Content-") && name != "Transfer-Encoding" {
			header[name] = values
		}
	}
	header.Set(UnchangedHeader, "1")
	res.Header = header
	res.StatusCode, res.Status = http.StatusOK, "200 OK"
	res.Uncompressed = true
}
