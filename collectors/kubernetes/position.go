package kubernetes

import (
	"encoding/json"
	"slices"
	"strconv"
	"time"

	"cairn/internal/fault"
)

// positionVersion is the version of all positions.
const positionVersion = 1

// position is how far the objects of a kind have been followed, and what is known of them.
type position struct {
	V int `json:"v"`
	// Version is the cluster's version of things up to which everything is told; "" before the first list is whole.
	Version string    `json:"version,omitempty"`
	Listed  time.Time `json:"listed,omitzero"` // when the latest list was begun
	At      time.Time `json:"at,omitzero"`     // when this was written
	// Round is the number of the latest list. While it is Listing, Next leads to its rest, and Start is its version.
	Round   int    `json:"round,omitempty"`
	Listing bool   `json:"listing,omitempty"`
	Next    string `json:"next,omitempty"`
	Start   string `json:"start,omitempty"`
	// Objects are those that are there, by uid.
	Objects map[string]*known `json:"objects,omitempty"`
}

// known is what is known of an object.
type known struct {
	Round   int      `json:"n"` // the latest list that had it
	Request *request `json:"r,omitempty"`
	// Told are the versions in which the deployments that the object holds were told, by a hash of what identifies them.
	Told map[uint64]uint64 `json:"t,omitempty"`
}

// maxKnown bounds the objects of a kind that are remembered. The rest is told all the same, but not when it goes between
// two watches, nor when it was ready first.
const maxKnown = 10_000

func readPosition(stream, text string) (*position, error) {
	p := &position{V: positionVersion}
	if text != "" {
		if err := json.Unmarshal([]byte(text), p); err != nil || p.V != positionVersion {
			return nil, fault.New(fault.Invalid, "%s: the saved position is not one of this version: %.60q", stream, text)
		}
	}
	if p.Objects == nil {
		p.Objects = map[string]*known{}
	}
	for uid, k := range p.Objects {
		if k == nil {
			delete(p.Objects, uid)
		}
	}
	return p, nil
}

// text writes a position, of no more than maxKnown objects: what is settled longest is forgotten first.
func text(p any) string {
	if p, is := p.(*position); is && len(p.Objects) > maxKnown {
		uids := make([]string, 0, len(p.Objects))
		for uid := range p.Objects {
			uids = append(uids, uid)
		}
		age := func(uid string) time.Time {
			if r := p.Objects[uid].Request; r != nil {
				return latest(r.Changed, r.Ready)
			}
			return time.Time{}
		}
		slices.SortFunc(uids, func(a, b string) int { return age(a).Compare(age(b)) })
		for _, uid := range uids[:len(uids)-maxKnown] {
			delete(p.Objects, uid)
		}
	}
	b, err := json.Marshal(p)
	if err != nil {
		panic(err) // positions are made of texts, numbers and instants
	}
	return string(b)
}

func itoa(n int64) string { return strconv.FormatInt(n, 10) }
