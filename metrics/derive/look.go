package derive

import (
	"context"
	"time"

	"cairn/internal/store"
)

// news is a subject whose facts arrived.
type news struct {
	kind, subject string
}

// direct is the kind of facts that nothing is derived from: metrics read them as they are.
const direct = "direct"

// horizon is how far the facts have been seen. A look compares what was ingested after since with what the look before
// it found there, so that a fact which becomes visible late is noticed, and one that was seen is not taken for new.
type horizon struct {
	position time.Time       // facts ingested up to here were seen, all but the latest overlap
	since    time.Time       // where the comparison begins
	seen     map[news]uint64 // fingerprint of each subject's facts ingested after since
}

// unseen is a horizon at the same position, from which a look finds everything in the overlap new.
func (h horizon) unseen() horizon {
	if h.position.IsZero() {
		return horizon{}
	}
	return horizon{position: h.position, since: h.position.Add(-overlap)}
}

// from is where the next look begins.
func (h horizon) from() time.Time {
	if h.since.IsZero() {
		return time.Unix(0, 0).UTC()
	}
	return h.since
}

// look finds the subjects whose facts arrived since the last look, and says what that means.
func (d *Deriver) look(ctx context.Context) (fresh []news, since horizon, err error) {
	since = d.horizon
	fresh, now, err := d.lookOnce(ctx)
	if err == nil && now.Before(since.position.Add(-overlap)) {
		// Facts are being stamped with instants that were seen already, nobody knows since when.
		d.log.Warn("the store's clock went back: deriving everything anew", "by", since.position.Sub(now))
		since, d.horizon = horizon{}, horizon{}
		d.drop()
		fresh, _, err = d.lookOnce(ctx)
	}
	return fresh, since, err
}

func (d *Deriver) lookOnce(ctx context.Context) (fresh []news, now time.Time, err error) {
	next := d.horizon
	next.seen = map[news]uint64{}
	if begin := next.position.Add(-overlap); !next.position.IsZero() && begin.After(next.since) {
		next.since = begin
	}
	var rows []struct {
		Kind    string `ch:"kind"`
		Subject string `ch:"subject"`
		Found   uint64 `ch:"found"`
		Kept    uint64 `ch:"kept"`
	}
	if err := d.st.Select(ctx, &rows, query("changed_facts"), store.Params{"since": d.horizon.from(), "next": next.from()}); err != nil {
		return nil, now, err
	}
	for _, r := range rows {
		n := news{r.Kind, r.Subject}
		if n.kind == "clock" {
			now = time.UnixMicro(int64(r.Found)).UTC()
			continue
		}
		if d.horizon.seen[n] != r.Found {
			fresh = append(fresh, n)
		}
		next.seen[n] = r.Kept
	}
	if now.After(next.position) {
		next.position = now
	}
	d.horizon = next
	return fresh, now, nil
}
