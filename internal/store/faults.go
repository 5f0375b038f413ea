package store

import (
	"context"
	"database/sql"
	"errors"
	"io"
	"net"
	"os"
	"runtime"
	"strings"
	"syscall"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"

	"cairn/internal/fault"
	"cairn/internal/store/chdb"
)

// Codes of ClickHouse's exceptions that say something about the installation and not about our statement.
const (
	timeoutExceeded     = 159
	unknownUser         = 192
	wrongPassword       = 193
	requiredPassword    = 194
	tooManyQueries      = 202
	networkError        = 210
	memoryLimit         = 241
	tableIsReadOnly     = 242
	notEnoughSpace      = 243
	tooManyParts        = 252
	noDatabaseAccess    = 291
	queryCancelled      = 394
	accessDenied        = 497
	authenticationFails = 516
	keeperException     = 999
)

// fault turns what the driver, the engine or the server said into a fault with one sentence. The end of the caller's
// own context and sql.ErrNoRows pass as they are.
func (s *Store) fault(ctx context.Context, err error) error {
	switch {
	case err == nil:
		return nil
	case ended(ctx) != nil:
		return ended(ctx)
	case errors.Is(err, sql.ErrNoRows):
		return sql.ErrNoRows
	case errors.Is(err, chdb.ErrClosed), errors.Is(err, clickhouse.ErrConnectionClosed):
		return fault.Replace(fault.Unavailable, err, "the store is closed")
	}
	if exception, ok := errors.AsType[*clickhouse.Exception](err); ok {
		return s.exception(exception.Code, exception.Message, err)
	}
	if refused, ok := errors.AsType[*chdb.Error](err); ok {
		return s.exception(0, refused.Text, err)
	}
	if reason, ok := unreachable(err); ok {
		return fault.Replace(fault.Unavailable, err, "%s does not answer: %s", s.place(), reason)
	}
	return fault.Wrap(fault.Internal, err, "the store")
}

// ended returns why ctx has ended, or nil. A connection that shares the deadline of its context may notice a moment
// before the context does.
func ended(ctx context.Context) error {
	if deadline, ok := ctx.Deadline(); ok && !time.Now().Before(deadline) {
		return context.DeadlineExceeded
	}
	return ctx.Err()
}

// exception is fault for a statement that was refused. A code of 0 is not known.
func (s *Store) exception(code int32, message string, err error) error {
	switch code {
	case unknownUser, wrongPassword, requiredPassword, authenticationFails:
		return fault.Replace(fault.Denied, err, "%s does not let user %q in: the user or the password is wrong", s.place(), s.user())
	case accessDenied, noDatabaseAccess:
		return fault.Replace(fault.Denied, err, "user %q lacks a right on %s: %s", s.user(), s.place(), firstSentence(message))
	case memoryLimit:
		return fault.Replace(fault.TooLarge, err, "a query needs more memory than %s gives it: ask for less time or a smaller scope", s.place())
	case timeoutExceeded, queryCancelled:
		return fault.Replace(fault.Unavailable, err, "%s stopped a query before its end", s.place())
	case tooManyQueries, networkError, tableIsReadOnly, tooManyParts, keeperException:
		return fault.Replace(fault.Unavailable, err, "%s cannot do it now: %s", s.place(), firstSentence(message))
	}
	switch {
	case code == notEnoughSpace, strings.Contains(message, "No space left on device"), strings.Contains(message, "not enough space"):
		return s.full(err)
	case strings.Contains(message, "Read-only file system"), strings.Contains(message, "errno: 13, strerror: Permission denied"):
		return fault.Replace(fault.Denied, err, "%s cannot write its data: %s", s.place(), firstSentence(message))
	}
	return fault.Replace(fault.Internal, err, "%s refused a statement: %s", s.place(), strings.TrimSpace(message))
}

// full is the fault of a full disk.
func (s *Store) full(err error) error {
	if s.cfg.Address != "" {
		return fault.Replace(fault.Unavailable, err, "the disk of %s is full: free some space on it", s.place())
	}
	return fault.Replace(fault.Unavailable, err, "the disk with the data folder %s is full: free some space on it", s.cfg.Data)
}

// place names what the store talks to.
func (s *Store) place() string {
	if s.cfg.Address == "" {
		return "the embedded engine"
	}
	return "the ClickHouse server at " + strings.Join(s.options.Addr, ",")
}

func (s *Store) user() string {
	if s.options.Auth.Username == "" {
		return "default"
	}
	return s.options.Auth.Username
}

// firstSentence cuts what a server says behind its message: the version, and a stack.
func firstSentence(message string) string {
	message, _, _ = strings.Cut(message, "\n")
	message, _, _ = strings.Cut(message, " (version ")
	message, _, _ = strings.Cut(message, ", Stack trace")
	return strings.TrimSpace(message)
}

// unreachable returns in a few words why there is no connection, when that is the matter.
func unreachable(err error) (reason string, ok bool) {
	if dns, ok := errors.AsType[*net.DNSError](err); ok {
		return "no such host " + dns.Name, true
	}
	if number, ok := errors.AsType[syscall.Errno](err); ok {
		return number.Error(), true
	}
	for _, known := range []error{os.ErrDeadlineExceeded, context.DeadlineExceeded, clickhouse.ErrAcquireConnTimeout} {
		if errors.Is(err, known) {
			return "no answer in time", true
		}
	}
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return "it closed the connection", true
	}
	if operation, ok := errors.AsType[*net.OpError](err); ok {
		return operation.Err.Error(), true
	}
	return "", false
}

// ErrHeld is the cause of the fault that Open returns when another process holds the data folder.
var ErrHeld = errors.New("the data folder is held by another process")

// howToGetLibrary ends the sentence about a library that is not there or will not do.
const howToGetLibrary = "get it with `make engine`, or name it with --library FILE or CAIRN_LIBRARY=FILE"

// startFault turns what chdb.Start said into a fault.
func (s *Store) startFault(ctx context.Context, err error, library string) error {
	machine := runtime.GOOS + "/" + runtime.GOARCH
	switch {
	case ended(ctx) != nil:
		return ended(ctx)
	case errors.Is(err, chdb.ErrNoLibrary):
		return fault.Replace(fault.Unavailable, err, "there is no engine library at %s: %s", library, howToGetLibrary)
	case errors.Is(err, chdb.ErrWrongLibrary):
		return fault.Replace(fault.Unavailable, err, "%s is not the engine library for this machine (%s): %s", library, machine, howToGetLibrary)
	case errors.Is(err, chdb.ErrOldLibrary):
		return fault.Replace(fault.Unavailable, err, "the engine library %s is too old for this program: %s", library, howToGetLibrary)
	}
	if reason := checkFolder(s.cfg.Data); reason != nil {
		return reason
	}
	return fault.Replace(fault.Internal, err, "the engine does not start over the data folder %s: either this process holds another folder, or the engine has printed why", s.cfg.Data)
}
