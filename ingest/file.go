package ingest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"cairn/internal/event"
	"cairn/internal/fault"
)

// Sender takes a piece of NDJSON, at most FileEvents events, and returns when they are stored durably. Errors are
// faults. It is called with one piece after the other, and never again after an error.
type Sender interface {
	Send(ctx context.Context, ndjson []byte) error
}

// Progress is how far a file has come.
type Progress struct {
	Checked int // events read and found good
	Sent    int // events stored
	Total   int // events of the file; 0 while it is still checked
}

// FileEvents is how many events of a file go into one request, and fileBytes how many bytes, if that comes first.
const (
	FileEvents = 10_000
	fileBytes  = 8 << 20
)

// File sends the events of a file, which may be packed with gzip or zstd; "-" is stdin. All of it is checked before the
// first event is sent, so that one bad event refuses the whole file; stdin waits in a temporary file meanwhile. When
// sending breaks off, sending the file again is harmless. It returns the number of events. Bad events are
// fault.Invalid with an *event.Errors as the cause.
func File(ctx context.Context, path string, stdin io.Reader, to Sender, progress func(Progress)) (int, error) {
	if progress == nil {
		progress = func(Progress) {}
	}
	f := &file{name: path, progress: progress}
	if path == "-" {
		f.name = "standard input"
		spooled, err := spool(ctx, stdin)
		if err != nil {
			return 0, err
		}
		defer func() {
			_ = spooled.Close()
			_ = os.Remove(spooled.Name())
		}()
		f.content = spooled
	} else {
		opened, err := os.Open(path)
		if err != nil {
			return 0, fileFault(path, err)
		}
		defer opened.Close()
		if info, err := opened.Stat(); err == nil && info.IsDir() {
			return 0, fault.New(fault.Invalid, "%s is a folder; a file of events is expected", path)
		}
		f.content = opened
	}
	if err := f.check(ctx); err != nil {
		return 0, err
	}
	return f.total, f.send(ctx, to)
}

func fileFault(path string, err error) error {
	switch {
	case errors.Is(err, os.ErrNotExist):
		return fault.Replace(fault.NotFound, err, "there is no file %s", path)
	case errors.Is(err, os.ErrPermission):
		return fault.Replace(fault.Denied, err, "the file %s may not be read", path)
	}
	return fault.Wrap(fault.Invalid, err, "%s", path)
}

// spool copies r into a temporary file, which is the caller's to remove.
func spool(ctx context.Context, r io.Reader) (*os.File, error) {
	f, err := os.CreateTemp("", "cairn-ingest-*")
	if err != nil {
		return nil, fault.Wrap(fault.Unavailable, err, "a temporary file for standard input")
	}
	if _, err = io.Copy(f, interruptible{ctx, r}); err != nil {
		_ = f.Close()
		_ = os.Remove(f.Name())
		return nil, fault.Wrap(fault.Unavailable, err, "standard input")
	}
	return f, nil
}

// interruptible is a reader that fails once ctx has ended.
type interruptible struct {
	ctx context.Context
	r   io.Reader
}

func (i interruptible) Read(p []byte) (int, error) {
	if err := i.ctx.Err(); err != nil {
		return 0, err
	}
	return i.r.Read(p)
}

// file is one file on its way.
type file struct {
	name     string
	content  io.ReadSeeker
	progress func(Progress)
	total    int
	decoder  event.Decoder
	unpack   unpacker
}

// checkStep is how many events are decoded between two reports of progress.
const checkStep = 1000

// each reads the file from its beginning.
func (f *file) each(ctx context.Context, yield func(*event.Batch) error) error {
	if _, err := f.content.Seek(0, io.SeekStart); err != nil {
		return fileFault(f.name, err)
	}
	var magic [4]byte
	n, err := io.ReadFull(f.content, magic[:])
	if err != nil && err != io.EOF && err != io.ErrUnexpectedEOF {
		return fileFault(f.name, err)
	}
	c := codingOfContent(magic[:n])
	text, err := f.unpack.open(io.MultiReader(bytes.NewReader(magic[:n]), interruptible{ctx, f.content}), c)
	if err == nil {
		err = f.decoder.Each(text, checkStep, yield)
	}
	bad, isBad := errors.AsType[*event.Errors](err)
	switch {
	case err == nil || ctx.Err() != nil:
		return err
	case isBad:
		return fault.New(fault.Invalid, "nothing of %s was stored:\n%w", f.name, bad)
	case c != plain && fault.KindOf(err) == fault.Invalid:
		return fault.Wrap(fault.Invalid, err, "nothing of %s was stored: after line %d", f.name, f.decoder.Line())
	}
	return err
}

// codingOfContent tells how a file is packed by its first bytes.
func codingOfContent(first []byte) coding {
	switch {
	case bytes.HasPrefix(first, []byte{0x1f, 0x8b}):
		return gzipped
	case bytes.HasPrefix(first, []byte{0x28, 0xb5, 0x2f, 0xfd}):
		return zstded
	}
	return plain
}

func (f *file) check(ctx context.Context) error {
	return f.each(ctx, func(b *event.Batch) error {
		f.total += b.Len()
		f.progress(Progress{Checked: f.total})
		return ctx.Err()
	})
}

func (f *file) send(ctx context.Context, to Sender) error {
	var piece bytes.Buffer
	sent, waiting := 0, 0
	flush := func() error {
		if waiting == 0 {
			return nil
		}
		if err := to.Send(ctx, piece.Bytes()); err != nil {
			return fmt.Errorf("after %d of %d events of %s: %w", sent, f.total, f.name, err)
		}
		sent += waiting
		waiting = 0
		piece.Reset()
		f.progress(Progress{Checked: f.total, Sent: sent, Total: f.total})
		return nil
	}
	var line []byte
	err := f.each(ctx, func(b *event.Batch) error {
		for e := range b.All() {
			line = append(event.AppendJSON(line[:0], e), '\n')
			piece.Write(line)
			if waiting++; waiting < FileEvents && piece.Len() < fileBytes {
				continue
			}
			if err := flush(); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	return flush()
}
