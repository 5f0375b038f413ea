package store_test

import (
	"context"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"cairn/internal/store"
	"cairn/internal/store/storetest"
)

func TestParamsArriveAsTheyAreSent(t *testing.T) {
	s := storetest.New(t)
	ctx := context.Background()
	berlin := time.FixedZone("CET", 3600)
	for _, tc := range []struct {
		name string
		sent any
		kind string
		want string
	}{
		{"a string", "shop", "String", "shop"},
		{"an empty string", "", "String", ""},
		{"a string of syntax", `a'b"c\d{x:String}`, "String", `a'b"c\d{x:String}`},
		{"a string of control characters", "a\tb\nc\rd\x00e\bf\fg", "String", "a\tb\nc\rd\x00e\bf\fg"},
		{"a string that looks like NULL", `\N`, "String", `\N`},
		{"a string in Chinese", "服务", "String", "服务"},
		{"bytes that are no UTF-8", "\xff\xfe", "String", "\xff\xfe"},
		{"nothing", nil, "Nullable(String)", "NULL"},
		{"true", true, "Bool", "true"},
		{"a small integer", int8(-5), "Int64", "-5"},
		{"the largest integer", uint64(1<<64 - 1), "UInt64", "18446744073709551615"},
		{"a fraction", 0.1, "Float64", "0.1"},
		{"a tiny fraction", 1e-30, "Float64", "1e-30"},
		{"an instant", time.Date(2026, 3, 1, 12, 30, 15, 123e6, time.UTC), "DateTime64(3)", "2026-03-01 12:30:15.123"},
		{"an instant of another zone", time.Date(2026, 3, 1, 13, 30, 15, 0, berlin), "DateTime64(3)", "2026-03-01 12:30:15.000"},
		{"an instant for a type with a zone", time.Date(2026, 3, 1, 12, 30, 15, 0, time.UTC), "DateTime64(3, 'Asia/Tokyo')", "2026-03-01 21:30:15.000"},
		{"an instant to the second", time.Date(2026, 3, 1, 12, 30, 15, 0, time.UTC), "DateTime", "2026-03-01 12:30:15"},
		{"an instant of 1970", time.Unix(61, 5e6), "DateTime64(3)", "1970-01-01 00:01:01.005"},
		{"the first instant", time.Unix(0, 0), "DateTime64(3)", "1970-01-01 00:00:00.000"},
		{"an instant before 1970", time.Date(1965, 2, 3, 4, 5, 6, 7e6, time.UTC), "DateTime64(3)", "1965-02-03 04:05:06.007"},
		{"a date", "2026-03-01", "Date", "2026-03-01"},
		{"strings", []string{"a", `b'\`, "c\n", ""}, "Array(String)", `['a','b\'\\','c\n','']`},
		{"no strings", []string{}, "Array(String)", "[]"},
		{"lists of strings", [][]string{{"a", "'"}, {}, nil}, "Array(Array(String))", `[['a','\''],[],[]]`},
		{"integers", []int64{-1, 2}, "Array(Int64)", "[-1,2]"},
		{"fractions", []float64{0.5, 2}, "Array(Float64)", "[0.5,2]"},
		{"instants", []time.Time{time.Unix(1e9, 0), time.Unix(1e9, 5e6)}, "Array(DateTime64(3))", "['2001-09-09 01:46:40.000','2001-09-09 01:46:40.005']"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var got string
			sql := "SELECT ifNull(toString({value:" + tc.kind + "}), 'NULL')"
			if err := s.QueryRow(ctx, sql, store.Params{"value": tc.sent}).Scan(&got); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("%v as %s (-want +got):\n%s", tc.sent, tc.kind, diff)
			}
		})
	}
}
