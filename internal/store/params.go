package store

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"

	"cairn/internal/fault"
)

// Params are the values of a statement's {name:Type} places, bound by the server. A value is a string, bool, integer,
// float64, time.Time, or a slice of those or of slices of strings; nil is NULL. A time.Time is an instant and fits DateTime64(n) of any zone;
// a Date is given as a string.
type Params map[string]any

// withParams returns ctx with p in the engine's text form.
func withParams(ctx context.Context, p Params) (context.Context, error) {
	if len(p) == 0 {
		return ctx, nil
	}
	texts := make(clickhouse.Parameters, len(p))
	for name, value := range p {
		text, err := paramText(value)
		if err != nil {
			return nil, fault.New(fault.Internal, "parameter %s of a statement: %w", name, err)
		}
		texts[name] = text
	}
	return clickhouse.Context(ctx, clickhouse.WithParameters(texts)), nil
}

// escaped protects the characters that have a meaning in the engine's escaped text format.
var escaped = strings.NewReplacer(`\`, `\\`, "\t", `\t`, "\n", `\n`, "\r", `\r`, "\x00", `\0`, "\b", `\b`, "\f", `\f`)

// quoted does so within a quoted string.
var quoted = strings.NewReplacer(`\`, `\\`, `'`, `\'`, "\t", `\t`, "\n", `\n`, "\r", `\r`, "\x00", `\0`, "\b", `\b`, "\f", `\f`)

// paramText returns the text of a value that stands alone. The engine reads it as a field of escaped text.
func paramText(value any) (string, error) {
	switch v := value.(type) {
	case nil:
		return `\N`, nil
	case string:
		return escaped.Replace(v), nil
	case time.Time:
		return timeText(v), nil
	}
	return elementText(value)
}

// elementText returns the text of a value within an array.
func elementText(value any) (string, error) {
	switch v := value.(type) {
	case nil:
		return "NULL", nil
	case string:
		return "'" + quoted.Replace(v) + "'", nil
	case time.Time:
		return "'" + timeText(v) + "'", nil
	case bool:
		return strconv.FormatBool(v), nil
	case float64:
		return strconv.FormatFloat(v, 'g', -1, 64), nil
	case int, int8, int16, int32, int64, uint, uint8, uint16, uint32, uint64:
		return fmt.Sprint(v), nil
	case []string:
		return arrayText(v)
	case [][]string:
		return arrayText(v)
	case []int64:
		return arrayText(v)
	case []int:
		return arrayText(v)
	case []float64:
		return arrayText(v)
	case []bool:
		return arrayText(v)
	case []time.Time:
		return arrayText(v)
	}
	return "", fmt.Errorf("a value of type %T cannot be sent", value)
}

func arrayText[T any](list []T) (string, error) {
	var b strings.Builder
	b.WriteByte('[')
	for i, v := range list {
		text, err := elementText(v)
		if err != nil {
			return "", err
		}
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(text)
	}
	b.WriteByte(']')
	return b.String(), nil
}

// timeText returns an instant as seconds since 1970, which mean the same in every zone; the engine reads a parameter's
// date and time in the zone of its type. Instants before 1970 can only be written that way, in UTC.
func timeText(t time.Time) string {
	if t.Unix() < 0 {
		return t.UTC().Format("2006-01-02 15:04:05.999999999")
	}
	text := fmt.Sprintf("%010d", t.Unix())
	if t.Nanosecond() == 0 {
		return text
	}
	return text + strings.TrimRight(fmt.Sprintf(".%09d", t.Nanosecond()), "0")
}
