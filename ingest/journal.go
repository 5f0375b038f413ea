package ingest

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"syscall"

	"cairn/internal/fault"
)

// journal is a folder of append-only files, segments, in which webhooks lie from the moment they are answered until the
// store has them. Records that wait at the same time share one write and one sync. A file called mark says up to where
// the store has them; segments before it are deleted. One process holds the folder, by a lock on a file in it.
//
// A record is a head of 16 bytes (a magic, the length, the checksum of the content, the checksum of the head) and the
// content. What is no whole record is skipped up to the next one that is; at the end of the last segment, where the
// process ended in the middle of a write, it is cut off.
type journal struct {
	folder  string
	most    int64 // bytes of all segments
	segment int64 // bytes of one segment, and one write more

	commits *lane[*record]

	mu     sync.Mutex
	lock   *os.File // nil: not open
	mark   *os.File
	file   *os.File  // that is appended to; nil: the next write makes another
	end    place     // behind the last record that is synced
	sizes  []segment // in order; the last one is appended to
	total  int64     // bytes of all segments
	recent []*record // that are in memory still, in order, not carried yet
	held   int64     // bytes of recent
	taken  place     // up to where the store has the records
	left   int64     // records from there on

	appended chan struct{} // has one after records were appended
}

// place is where in the journal a record begins.
type place struct {
	segment uint64
	offset  int64
}

func (p place) before(q place) bool {
	return p.segment < q.segment || p.segment == q.segment && p.offset < q.offset
}

type segment struct {
	number uint64
	size   int64 // that is synced
}

const (
	recordHead   = 16
	recordMagic  = 0x9ec0a1f7
	segmentBytes = 64 << 20
	commitBytes  = 8 << 20  // of records that share a write
	recentBytes  = 64 << 20 // of records that are kept in memory on their way to the store
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

func newJournal(folder string, most int64) *journal {
	j := &journal{folder: folder, most: most, segment: min(segmentBytes, most/4), appended: make(chan struct{}, 1)}
	j.commits = &lane[*record]{most: int(min(commitBytes, j.segment)), insert: j.write, weight: func(r rows[*record]) int {
		size := 0
		for _, one := range r.events {
			size += one.size
		}
		return size
	}}
	return j
}

// exists says whether an earlier process has left a journal.
func (j *journal) exists() bool {
	_, err := os.Stat(j.folder)
	return err == nil
}

func (j *journal) path(number uint64) string {
	return filepath.Join(j.folder, fmt.Sprintf("%016x.segment", number))
}

// open takes the folder and returns from where on the store may not have the records. Opening again returns false.
func (j *journal) open() (from place, fresh bool, err error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.lock != nil {
		return place{}, false, nil
	}
	defer func() {
		if err != nil {
			j.release()
		}
	}()
	if err := os.MkdirAll(j.folder, 0o750); err != nil {
		return from, false, j.fault(err)
	}
	if j.lock, err = os.OpenFile(filepath.Join(j.folder, "lock"), os.O_RDWR|os.O_CREATE, 0o640); err != nil {
		return from, false, j.fault(err)
	}
	switch err := syscall.Flock(int(j.lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); {
	case errors.Is(err, syscall.EWOULDBLOCK):
		return from, false, fault.New(fault.Conflict, "the journal of webhooks %s is held by another process: talk to the server that runs on it, stop that process, or name another data folder with --data", j.folder)
	case err != nil:
		return from, false, j.fault(err)
	}
	if j.mark, err = os.OpenFile(filepath.Join(j.folder, "mark"), os.O_RDWR|os.O_CREATE, 0o640); err != nil {
		return from, false, j.fault(err)
	}
	if err := j.list(); err != nil {
		return from, false, j.fault(err)
	}
	marked := j.readMark()
	if n := len(j.sizes); n > 0 {
		if err := j.cutTail(&j.sizes[n-1]); err != nil {
			return from, false, j.fault(err)
		}
		j.end = place{j.sizes[n-1].number, j.sizes[n-1].size}
		from = place{segment: j.sizes[0].number}
	} else {
		// The numbers go on, so that a mark that is left cannot hide what comes.
		j.end = place{segment: marked.segment + 1}
		from = j.end
	}
	for _, s := range j.sizes {
		j.total += s.size
		if s.number == marked.segment && marked.offset <= s.size {
			from = marked
		}
	}
	j.taken = from
	if j.left, err = j.countFrom(from); err != nil {
		return from, false, j.fault(err)
	}
	return from, true, nil
}

// countFrom is how many records there are from a place on.
func (j *journal) countFrom(from place) (n int64, err error) {
	for _, s := range j.sizes {
		at := place{segment: s.number}
		if s.number == from.segment {
			at = from
		}
		if s.number < from.segment || at.offset >= s.size {
			continue
		}
		records, _, _, err := j.read(at, s.size, math.MaxInt, math.MaxInt64)
		if err != nil {
			return 0, err
		}
		n += int64(len(records))
	}
	return n, nil
}

// behind is how many records the store does not have yet, and how many bytes they take in the journal.
func (j *journal) behind() (records, bytes int64) {
	j.mu.Lock()
	defer j.mu.Unlock()
	for _, s := range j.sizes {
		switch {
		case s.number == j.taken.segment:
			bytes += max(0, s.size-j.taken.offset)
		case s.number > j.taken.segment:
			bytes += s.size
		}
	}
	return j.left, bytes
}

// list finds the segments.
func (j *journal) list() error {
	j.sizes, j.total = nil, 0
	entries, err := os.ReadDir(j.folder)
	if err != nil {
		return err
	}
	for _, e := range entries {
		var number uint64
		if n, _ := fmt.Sscanf(e.Name(), "%x.segment", &number); n != 1 || filepath.Join(j.folder, e.Name()) != j.path(number) {
			continue
		}
		info, err := e.Info()
		if err != nil {
			return err
		}
		j.sizes = append(j.sizes, segment{number, info.Size()})
	}
	slices.SortFunc(j.sizes, func(a, b segment) int {
		if a.number < b.number {
			return -1
		}
		return 1
	})
	return nil
}

// cutTail cuts off what at the end of the last segment is no whole record: nobody was told that it is kept.
func (j *journal) cutTail(s *segment) error {
	data, err := os.ReadFile(j.path(s.number))
	if err != nil {
		return err
	}
	good := 0
	for at := 0; at < len(data); {
		content, _, next := nextRecord(data[at:])
		if content == nil {
			break
		}
		at += next
		good = at
	}
	if good < len(data) {
		if err := os.Truncate(j.path(s.number), int64(good)); err != nil {
			return err
		}
	}
	s.size = int64(good)
	return nil
}

func (j *journal) release() {
	for _, f := range []**os.File{&j.file, &j.mark, &j.lock} {
		if *f != nil {
			_ = (*f).Close()
			*f = nil
		}
	}
	j.recent, j.held = nil, 0
}

func (j *journal) close() {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.release()
}

// append returns when the record is synced. Every error is fault.Unavailable, and then nothing of it is in the journal.
func (j *journal) append(ctx context.Context, r *record) error {
	j.mu.Lock()
	total := j.total
	j.mu.Unlock()
	if total+int64(r.size) > j.most {
		return fault.New(fault.Unavailable, "the store has not taken webhooks for so long that their journal is full (webhooks.journal): send it again later")
	}
	return j.commits.pass(ctx, rows[*record]{events: []*record{r}})
}

// write appends the records by one write and one sync. One goroutine at a time.
func (j *journal) write(_ context.Context, groups []rows[*record], n int) error {
	j.mu.Lock()
	open, file, end := j.lock != nil, j.file, j.end
	j.mu.Unlock()
	if !open {
		return fault.New(fault.Unavailable, "cairn is ending: send the webhook again")
	}
	if file == nil || end.offset >= j.segment {
		var err error
		if file, end, err = j.another(); err != nil {
			return j.fault(err)
		}
	}
	buffer := make([]byte, 0, n*recordHead)
	at := end
	for _, g := range groups {
		for _, r := range g.events {
			r.at = at
			buffer = appendRecord(buffer, r)
			at.offset = end.offset + int64(len(buffer))
			r.next = at
		}
	}
	_, err := file.WriteAt(buffer, end.offset)
	if err == nil {
		err = syscall.Fdatasync(int(file.Fd()))
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	if err != nil {
		// What may lie behind the end was promised to nobody. The system is not trusted with this file again.
		_ = file.Truncate(end.offset)
		_ = file.Close()
		j.file = nil
		return j.fault(err)
	}
	j.end = at
	j.total += int64(len(buffer))
	j.left += int64(n)
	j.sizes[len(j.sizes)-1].size = at.offset
	for _, g := range groups {
		for _, r := range g.events {
			if j.held+int64(r.size) <= recentBytes {
				j.held += int64(r.size)
				j.recent = append(j.recent, r)
			}
		}
	}
	j.signal()
	return nil
}

// another begins a segment.
func (j *journal) another() (*os.File, place, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	number := j.end.segment
	if len(j.sizes) > 0 {
		number = j.sizes[len(j.sizes)-1].number + 1
	}
	file, err := os.OpenFile(j.path(number), os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o640)
	if err != nil {
		return nil, place{}, err
	}
	folder, err := os.Open(j.folder)
	if err == nil {
		err = errors.Join(folder.Sync(), folder.Close())
	}
	if err != nil {
		_ = file.Close()
		_ = os.Remove(j.path(number))
		return nil, place{}, err
	}
	if j.file != nil {
		_ = j.file.Close()
	}
	j.file, j.end = file, place{segment: number}
	j.sizes = append(j.sizes, segment{number: number})
	return file, j.end, nil
}

// fault says what the operating system said about the folder.
func (j *journal) fault(err error) error {
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
		return fault.Replace(fault.Unavailable, err, "the disk with the journal of webhooks %s is full: free some space on it", j.folder)
	}
	return fault.Wrap(fault.Unavailable, err, "the journal of webhooks %s", j.folder)
}

// take returns the records from a place on, in order, up to so many and so many bytes, and the place behind them. Bytes
// that are no record are skipped and told as damaged.
func (j *journal) take(from place, most int, bytes int64) (records []*record, next place, damaged int64, err error) {
	next = from
	i := 0 // in recent, of which only advance takes something away
	for len(records) < most && bytes > 0 {
		j.mu.Lock()
		for i < len(j.recent) && j.recent[i].at.before(next) {
			i++
		}
		n := len(records)
		for i < len(j.recent) && len(records) < most && bytes > 0 && j.recent[i].at == next {
			r := j.recent[i]
			records, next, bytes, i = append(records, r), r.next, bytes-int64(r.size), i+1
		}
		limit, moved := int64(0), len(records) > n
		for _, s := range j.sizes {
			if moved || s.number == next.segment && next.offset < s.size {
				limit = s.size
				break
			}
			if s.number > next.segment {
				next, moved = place{segment: s.number}, true
				break
			}
		}
		if i < len(j.recent) && j.recent[i].at.segment == next.segment {
			limit = min(limit, j.recent[i].at.offset) // what is in memory is not read
		}
		j.mu.Unlock()
		if moved {
			continue
		}
		if limit <= next.offset {
			break
		}
		found, until, lost, err := j.read(next, limit, most-len(records), bytes)
		if err != nil {
			return records, next, damaged, j.fault(err)
		}
		for _, r := range found {
			bytes -= int64(r.size)
		}
		records, next, damaged = append(records, found...), until, damaged+lost
	}
	return records, next, damaged, nil
}

// read reads records of one segment from the disk.
func (j *journal) read(from place, limit int64, most int, bytes int64) (records []*record, next place, damaged int64, err error) {
	file, err := os.Open(j.path(from.segment))
	if err != nil {
		return nil, from, 0, err
	}
	defer file.Close()
	data := make([]byte, limit-from.offset)
	if _, err := file.ReadAt(data, from.offset); err != nil {
		return nil, from, 0, err
	}
	for next = from; len(data) > 0 && len(records) < most && bytes > 0; {
		content, skipped, length := nextRecord(data)
		damaged += int64(skipped)
		at := place{next.segment, next.offset + int64(skipped)}
		data, next.offset = data[length:], next.offset+int64(length)
		if content == nil {
			break
		}
		r, err := parseRecord(content)
		if err != nil {
			damaged += int64(len(content))
			continue
		}
		r.at, r.next = at, next
		records, bytes = append(records, r), bytes-int64(r.size)
	}
	return records, next, damaged, nil
}

// advance says that the store has what lies before a place, so many records more, and deletes the segments of which it has all. A mark that is
// lost makes records be carried again, which changes nothing, so it is not synced.
func (j *journal) advance(to place, records int) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.mark == nil {
		return nil
	}
	j.taken, j.left = to, max(0, j.left-int64(records))
	if to == j.end {
		j.left = 0 // whatever of it was damaged
	}
	text := binary.LittleEndian.AppendUint64(nil, to.segment)
	text = binary.LittleEndian.AppendUint64(text, uint64(to.offset))
	text = binary.LittleEndian.AppendUint32(text, crc32.Checksum(text, castagnoli))
	if _, err := j.mark.WriteAt(text, 0); err != nil {
		return j.fault(err)
	}
	for len(j.recent) > 0 && j.recent[0].at.before(to) {
		j.held -= int64(j.recent[0].size)
		j.recent[0] = nil
		j.recent = j.recent[1:]
	}
	for len(j.sizes) > 0 {
		s := j.sizes[0]
		written := j.file != nil && s.number == j.end.segment
		if s.number > to.segment || s.number == to.segment && (to.offset < s.size || written) {
			break
		}
		if err := os.Remove(j.path(s.number)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return j.fault(err)
		}
		j.sizes, j.total = j.sizes[1:], j.total-s.size
		if len(j.sizes) == 0 { // the numbers go on
			j.end = place{segment: s.number + 1}
		}
	}
	return nil
}

// asideFile is where records are that the store refuses for good, one behind the other.
const asideFile = "refused"

// putAside adds records to that file.
func (j *journal) putAside(records []*record) error {
	var text []byte
	for _, r := range records {
		text = appendRecord(text, r)
	}
	file, err := os.OpenFile(filepath.Join(j.folder, asideFile), os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o640)
	if err != nil {
		return j.fault(err)
	}
	_, err = file.Write(text)
	if err = errors.Join(err, file.Sync(), file.Close()); err != nil {
		return j.fault(err)
	}
	return nil
}

func (j *journal) readMark() place {
	text := make([]byte, 20)
	if n, _ := j.mark.ReadAt(text, 0); n < len(text) || crc32.Checksum(text[:16], castagnoli) != binary.LittleEndian.Uint32(text[16:]) {
		return place{}
	}
	return place{binary.LittleEndian.Uint64(text), int64(binary.LittleEndian.Uint64(text[8:]))}
}

// synced is the place behind the last record.
func (j *journal) synced() place {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.end
}

// waiting is how many bytes of records wait in memory.
func (j *journal) waiting() int64 {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.held
}

// signal has the carrier look.
func (j *journal) signal() {
	select {
	case j.appended <- struct{}{}:
	default:
	}
}

// appendRecord adds head and content.
func appendRecord(b []byte, r *record) []byte {
	start := len(b)
	b = append(b, make([]byte, recordHead)...)
	b = r.appendContent(b)
	head, content := b[start:start+recordHead], b[start+recordHead:]
	binary.LittleEndian.PutUint32(head, recordMagic)
	binary.LittleEndian.PutUint32(head[4:], uint32(len(content)))
	binary.LittleEndian.PutUint32(head[8:], crc32.Checksum(content, castagnoli))
	binary.LittleEndian.PutUint32(head[12:], crc32.Checksum(head[:12], castagnoli))
	return b
}

var magicBytes = binary.LittleEndian.AppendUint32(nil, recordMagic)

// nextRecord returns the content of the first whole record of data, the bytes before it, and where it ends. Without one
// content is nil and all bytes are before it.
func nextRecord(data []byte) (content []byte, skipped, end int) {
	for at := 0; at+recordHead <= len(data); at++ {
		head := data[at : at+recordHead]
		if head[0] != magicBytes[0] || binary.LittleEndian.Uint32(head) != recordMagic || crc32.Checksum(head[:12], castagnoli) != binary.LittleEndian.Uint32(head[12:]) {
			continue
		}
		length := int64(binary.LittleEndian.Uint32(head[4:]))
		if end := int64(at+recordHead) + length; end <= int64(len(data)) {
			content := data[at+recordHead : end : end]
			if crc32.Checksum(content, castagnoli) == binary.LittleEndian.Uint32(head[8:]) {
				return content, at, int(end)
			}
		}
	}
	return nil, len(data), len(data)
}
