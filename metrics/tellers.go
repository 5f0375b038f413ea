package metrics

import (
	"context"
	"time"
)

// SourceTeller is a name that facts were told under: a source that is read or heard, or one that tells by itself, such as a
// pipeline that sends events.
type SourceTeller struct {
	Name   string       `json:"name"`
	Kinds  []SourceTold `json:"kinds"`  // what it told, the latest first
	Latest time.Time    `json:"latest"` // when a fact of it was last taken in
}

// SourceTold is one kind of facts that a source told.
type SourceTold struct {
	Kind   string    `json:"kind"`
	Latest time.Time `json:"latest"` // when one was last taken in
}

// tellers lists who told the facts that are kept.
func (e *Engine) tellers(ctx context.Context) ([]SourceTeller, error) {
	var rows []struct {
		Name   string    `ch:"name"`
		Kind   string    `ch:"kind"`
		Latest time.Time `ch:"latest"`
	}
	if err := e.st.Select(ctx, &rows, e.query("records/source_tellers"), nil); err != nil {
		return nil, err
	}
	list := []SourceTeller{}
	for _, r := range rows {
		if len(list) == 0 || list[len(list)-1].Name != r.Name {
			list = append(list, SourceTeller{Name: r.Name, Latest: r.Latest.UTC()})
		}
		last := &list[len(list)-1]
		last.Kinds = append(last.Kinds, SourceTold{r.Kind, r.Latest.UTC()})
	}
	return list, nil
}
