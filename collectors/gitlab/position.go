package gitlab

import (
	"bytes"
	"encoding/json"
	"strconv"

	"cairn/internal/fault"
)

// versioned is what every position begins with.
type versioned struct {
	V int `json:"v"`
}

// positionVersion is the version of all positions.
const positionVersion = 1

// readPosition reads the position of a stream; "" is the beginning.
func readPosition[P any](stream, text string) (P, error) {
	var p P
	if text == "" {
		return p, nil
	}
	var v versioned
	if err := json.Unmarshal([]byte(text), &v); err != nil || v.V != positionVersion {
		return p, fault.New(fault.Invalid, "%s: the saved position is not one of this version: %.60q", stream, text)
	}
	decoder := json.NewDecoder(bytes.NewReader([]byte(text)))
	if err := decoder.Decode(&p); err != nil {
		return p, fault.New(fault.Invalid, "%s: the saved position cannot be read: %.60q", stream, text)
	}
	return p, nil
}

// move makes p the turn's position. What was told before is covered by it.
func (t *Turn) move(p any) {
	text, err := json.Marshal(p)
	if err != nil {
		panic(err) // positions are made of texts, numbers and instants
	}
	t.position = string(text)
}

func itoa[N int | int64](n N) string { return strconv.FormatInt(int64(n), 10) }
