package git

import (
	"cmp"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"slices"
	"time"

	"github.com/cespare/xxhash/v2"

	"cairn/internal/fault"
)

// cursorVersion changes when an older program could not read a newer cursor.
const cursorVersion = 1

// cursor is what was told of one repository: the position at which the next run resumes. One cursor serves all services
// that are collected from the repository, so that its commits are told once.
type cursor struct {
	Version    int    `json:"v"`
	Repository string `json:"repository"`
	// Tips are commits from which everything that was told can be reached, packed: none is an ancestor of another.
	Tips string `json:"tips,omitempty"`
	// Cut tells where a shallow history ended; "" when it was whole.
	Cut      string             `json:"cut,omitempty"`
	Default  branchTold         `json:"default"`
	Fact     told               `json:"fact"` // the repository itself
	Services map[string]shipped `json:"services,omitempty"`
	// Releases holds 16 bytes for each tag that was told as an artifact, ReleasesLatest the latest updated_at of one.
	Releases       string `json:"releases,omitempty"`
	ReleasesLatest int64  `json:"releases_latest,omitempty"`
}

// branchTold is the last telling of the default branch.
type branchTold struct {
	Name string `json:"name,omitempty"`
	SHA  string `json:"sha,omitempty"`
	Told int64  `json:"told,omitempty"` // updated_at, milliseconds
}

// told remembers the last telling of a fact without an instant of its own.
type told struct {
	Hash    string `json:"hash,omitempty"`
	Changes int64  `json:"changes,omitempty"` // how often it changed since the first telling
}

// shipped is what was told of one service.
type shipped struct {
	Fact told `json:"fact"`
	// Settings identifies the settings that decide what a deployment is.
	Settings string `json:"settings,omitempty"`
	// Latest is the latest updated_at of a deployment, milliseconds.
	Latest int64 `json:"latest,omitempty"`
	// Tags holds 16 bytes for each tag that was told as a deployment: hashes of its name and of what it named.
	Tags string `json:"tags,omitempty"`
	// Line is how far the deployed branch was told.
	Line line `json:"line"`
}

// line is a commit of the deployed branch and when it landed there.
type line struct {
	SHA string `json:"sha,omitempty"`
	At  int64  `json:"at,omitempty"` // milliseconds
}

// readCursor reads a position; "" is the beginning.
func readCursor(position, repository string) (cursor, error) {
	fresh := cursor{Version: cursorVersion, Repository: repository}
	if position == "" {
		return fresh, nil
	}
	var c cursor
	if err := json.Unmarshal([]byte(position), &c); err != nil {
		return fresh, fault.New(fault.Invalid, "the saved position of %s cannot be read: %w; collect again with --full", repository, err)
	}
	if c.Version != cursorVersion {
		return fresh, fault.New(fault.Invalid, "the saved position of %s has version %d, this program reads version %d: collect again with --full", repository, c.Version, cursorVersion)
	}
	if c.Repository != repository {
		return fresh, fault.New(fault.Invalid, "the saved position belongs to repository %s, not to %s", c.Repository, repository)
	}
	return c, nil
}

func (c cursor) String() string {
	text, err := json.Marshal(c)
	if err != nil {
		panic(err) // strings and integers always encode
	}
	return string(text)
}

// change notes the telling of a fact without an instant of its own and returns its updated_at: 1970, plus a
// millisecond for each change. So a later telling of ours wins over an earlier one, and anybody else's over both.
func (t *told) change(content []byte) (at time.Time, changed bool) {
	hash := strconvHex(xxhash.Sum64(content))
	switch {
	case t.Hash == "":
		changed = true
	case t.Hash != hash:
		t.Changes++
		changed = true
	}
	t.Hash = hash
	return time.UnixMilli(t.Changes).UTC(), changed
}

func strconvHex(n uint64) string {
	return hex.EncodeToString(binary.BigEndian.AppendUint64(nil, n))
}

// packSHAs writes shas of one length as base64 of their bytes, with the length in bytes in front.
func packSHAs(shas []string) string {
	if len(shas) == 0 {
		return ""
	}
	packed := []byte{byte(len(shas[0]) / 2)}
	for _, sha := range shas {
		raw, err := hex.DecodeString(sha)
		if err != nil || len(raw) != int(packed[0]) {
			continue // a repository has shas of one length
		}
		packed = append(packed, raw...)
	}
	return base64.RawStdEncoding.EncodeToString(packed)
}

// unpackSHAs reads what packSHAs wrote. What it cannot read is left out: it is told again.
func unpackSHAs(text string) []string {
	packed, err := base64.RawStdEncoding.DecodeString(text)
	if err != nil || len(packed) == 0 || packed[0] != 20 && packed[0] != 32 {
		return nil
	}
	size := int(packed[0])
	var shas []string
	for raw := range slices.Chunk(packed[1:], size) {
		if len(raw) == size {
			shas = append(shas, hex.EncodeToString(raw))
		}
	}
	return shas
}

// tagStates maps the hash of a tag's name to the hash of what it named.
type tagStates map[uint64]uint64

func hashOf(text string) uint64 { return xxhash.Sum64String(text) }

func (s tagStates) pack() string {
	type pair struct{ name, object uint64 }
	pairs := make([]pair, 0, len(s))
	for name, object := range s {
		pairs = append(pairs, pair{name, object})
	}
	slices.SortFunc(pairs, func(a, b pair) int { return cmp.Compare(a.name, b.name) })
	packed := make([]byte, 0, 16*len(pairs))
	for _, p := range pairs {
		packed = binary.BigEndian.AppendUint64(packed, p.name)
		packed = binary.BigEndian.AppendUint64(packed, p.object)
	}
	return base64.RawStdEncoding.EncodeToString(packed)
}

func unpackTags(text string) tagStates {
	states := tagStates{}
	packed, err := base64.RawStdEncoding.DecodeString(text)
	if err != nil {
		return states
	}
	for len(packed) >= 16 {
		states[binary.BigEndian.Uint64(packed)] = binary.BigEndian.Uint64(packed[8:])
		packed = packed[16:]
	}
	return states
}
