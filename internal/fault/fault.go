// Package fault names the few kinds of error that people and programs have to tell apart. It stands below every stage
// of the data's way: any package returns faults, cmd turns a kind into an exit code and internal/problem into an HTTP
// answer, both by the one table here.
//
// The message of a fault is a sentence for a person: it says what is wrong and, where there is one, what to do.
package fault

import (
	"context"
	"errors"
	"fmt"
)

// Kind is what sort of thing went wrong. The zero value is Internal: an error nobody gave a kind is our own mistake.
type Kind uint8

// The kinds of fault.
const (
	Internal    Kind = iota // a mistake of ours, or of something that should not fail
	Invalid                 // the input is wrong, and stays wrong when sent again
	NotFound                // what was asked for does not exist
	Denied                  // the caller, or this process, lacks the right
	Conflict                // the state of things does not allow it now
	TooLarge                // more than the limit allows
	Unavailable             // something that is needed is absent for now; the same request may work later
)

// row is what one kind means to each of the outside worlds.
type row struct {
	name   string
	status int // HTTP status
	exit   int // exit code of the process
}

// table returns the meaning of k; an unknown kind is Internal.
func (k Kind) table() row {
	switch k {
	case Invalid:
		return row{"invalid", 400, 2}
	case NotFound:
		return row{"not found", 404, 3}
	case Denied:
		return row{"denied", 403, 4}
	case Conflict:
		return row{"conflict", 409, 5}
	case TooLarge:
		return row{"too large", 413, 6}
	case Unavailable:
		return row{"unavailable", 503, 7}
	default:
		return row{"internal", 500, 1}
	}
}

// String returns the kind's name in lower case, such as "not found".
func (k Kind) String() string { return k.table().name }

// HTTPStatus returns the status code that answers a request which met a fault of this kind.
func (k Kind) HTTPStatus() int { return k.table().status }

// ExitCode returns the code with which a command ends that met a fault of this kind: 1 to 7, never 0.
func (k Kind) ExitCode() int { return k.table().exit }

// Error is an error with a kind.
type Error struct {
	Kind    Kind
	Message string // the whole text of the error
	Cause   error  // nil, or what lies below; reachable by errors.Is and errors.As
}

// Error implements error.
func (e *Error) Error() string { return e.Message }

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Cause }

// New returns a fault of kind k. The format takes %w as fmt.Errorf does.
func New(k Kind, format string, args ...any) error {
	err := fmt.Errorf(format, args...)
	return &Error{Kind: k, Message: err.Error(), Cause: errors.Unwrap(err)}
}

// Wrap returns a fault of kind k that reads "message: err". A nil err stays nil.
func Wrap(k Kind, err error, format string, args ...any) error {
	if err == nil {
		return nil
	}
	return &Error{Kind: k, Message: fmt.Sprintf(format, args...) + ": " + err.Error(), Cause: err}
}

// Replace returns a fault of kind k that reads as the message alone, for causes whose own text helps nobody. A nil
// err stays nil.
func Replace(k Kind, err error, format string, args ...any) error {
	if err == nil {
		return nil
	}
	return &Error{Kind: k, Message: fmt.Sprintf(format, args...), Cause: err}
}

// KindOf returns the kind of the outermost fault in err's chain. An error without one is Internal, except that an
// ended context is Unavailable: nothing is wrong, it was not waited for.
func KindOf(err error) Kind {
	if fault, ok := errors.AsType[*Error](err); ok {
		return fault.Kind
	}
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return Unavailable
	}
	return Internal
}
