package fault_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"testing"

	"cairn/internal/fault"
)

var kinds = []fault.Kind{
	fault.Internal, fault.Invalid, fault.NotFound, fault.Denied, fault.Conflict, fault.TooLarge, fault.Unavailable,
}

func TestEveryKindHasItsOwnStatusAndExitCode(t *testing.T) {
	statuses, codes, names := map[int]fault.Kind{}, map[int]fault.Kind{}, map[string]fault.Kind{}
	for _, k := range kinds {
		if other, taken := statuses[k.HTTPStatus()]; taken {
			t.Errorf("kinds %v and %v share status %d", other, k, k.HTTPStatus())
		}
		if other, taken := codes[k.ExitCode()]; taken {
			t.Errorf("kinds %v and %v share exit code %d", other, k, k.ExitCode())
		}
		if other, taken := names[k.String()]; taken {
			t.Errorf("kinds %d and %d share the name %q", other, k, k)
		}
		if k.ExitCode() == 0 {
			t.Errorf("kind %v ends a process with code 0, which means success", k)
		}
		statuses[k.HTTPStatus()], codes[k.ExitCode()], names[k.String()] = k, k, k
	}
}

func TestKindOf(t *testing.T) {
	for _, tc := range []struct {
		name string
		err  error
		want fault.Kind
	}{
		{"nothing", nil, fault.Internal},
		{"a plain error", io.EOF, fault.Internal},
		{"a fault", fault.New(fault.NotFound, "no metric %q", "x"), fault.NotFound},
		{"a fault below plain wrapping", fmt.Errorf("metrics.Series: %w", fault.New(fault.Invalid, "from is after to")), fault.Invalid},
		{"the outermost of two", fault.Wrap(fault.Unavailable, fault.New(fault.Invalid, "inner"), "outer"), fault.Unavailable},
		{"an ended context", fmt.Errorf("store.Query: %w", context.Canceled), fault.Unavailable},
		{"a passed deadline", context.DeadlineExceeded, fault.Unavailable},
		{"a fault beside an ended context", fault.Wrap(fault.Conflict, context.Canceled, "held"), fault.Conflict},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if got := fault.KindOf(tc.err); got != tc.want {
				t.Errorf("KindOf(%v) = %v, want %v", tc.err, got, tc.want)
			}
		})
	}
}

func TestMessagesKeepTheirCause(t *testing.T) {
	for _, tc := range []struct {
		name, want string
		err        error
	}{
		{"new with a verb for errors", "reading: EOF", fault.New(fault.Invalid, "reading: %w", io.EOF)},
		{"wrap adds in front", "reading x: EOF", fault.Wrap(fault.Invalid, io.EOF, "reading %s", "x")},
		{"replace stands alone", "the file x is cut short", fault.Replace(fault.Invalid, io.EOF, "the file %s is cut short", "x")},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if got := tc.err.Error(); got != tc.want {
				t.Errorf("message is %q, want %q", got, tc.want)
			}
			if !errors.Is(tc.err, io.EOF) {
				t.Errorf("%v does not lead to its cause", tc.err)
			}
		})
	}
}

func TestNoErrorStaysNoError(t *testing.T) {
	if err := fault.Wrap(fault.Invalid, nil, "x"); err != nil {
		t.Errorf("Wrap of nil = %v, want nil", err)
	}
	if err := fault.Replace(fault.Invalid, nil, "x"); err != nil {
		t.Errorf("Replace of nil = %v, want nil", err)
	}
}
