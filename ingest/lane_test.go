package ingest

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"cairn/internal/fault"
)

// slowTable is a table whose inserts take a second each and are remembered by their number of rows.
type slowTable struct {
	mu      sync.Mutex
	inserts []int
	running int
	fail    func(groups []rows[int]) error
}

func (s *slowTable) insert(ctx context.Context, groups []rows[int], n int) error {
	s.mu.Lock()
	s.inserts = append(s.inserts, n)
	s.running++
	if s.running > 1 {
		panic("two inserts into one table at the same time")
	}
	s.mu.Unlock()
	time.Sleep(time.Second)
	s.mu.Lock()
	s.running--
	s.mu.Unlock()
	if s.fail != nil {
		return s.fail(groups)
	}
	return ctx.Err()
}

func of1(n ...int) rows[int] { return rows[int]{events: n} }

func TestWhoWaitsGoesTogether(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var s slowTable
		l := &lane[int]{most: 100, insert: s.insert}
		begin := time.Now()
		var all sync.WaitGroup
		for range 50 {
			all.Go(func() {
				if err := l.pass(t.Context(), of1(1)); err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
		synctest.Wait()
		if len(s.inserts) > 2 || time.Since(begin) > 2*time.Second {
			t.Errorf("50 writes made the inserts %v in %s", s.inserts, time.Since(begin))
		}
		if err := l.pass(t.Context(), of1(1)); err != nil || time.Since(begin) > 3*time.Second {
			t.Errorf("a lone write took until %s: %v", time.Since(begin), err)
		}
	})
}

func TestAnInsertHasALimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var s slowTable
		l := &lane[int]{most: 4, insert: s.insert}
		var all sync.WaitGroup
		for i, r := range []rows[int]{of1(1), of1(1, 2, 3), of1(1), of1(1, 2, 3, 4, 5, 6), of1(1)} {
			time.Sleep(time.Millisecond * time.Duration(i))
			all.Go(func() {
				if err := l.pass(t.Context(), r); err != nil {
					t.Error(err)
				}
			})
			synctest.Wait()
		}
		all.Wait()
		if diff := cmp.Diff([]int{1, 4, 6, 1}, s.inserts); diff != "" {
			t.Error(diff)
		}
	})
}

func TestWhoGoesAwayWhileWaitingIsNotStored(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var s slowTable
		l := &lane[int]{most: 100, insert: s.insert}
		ctx, cancel := context.WithCancel(t.Context())
		var all sync.WaitGroup
		all.Go(func() { // begins at once; its insert goes on although its client goes away
			if err := l.pass(ctx, of1(1)); err != nil {
				t.Error(err)
			}
		})
		synctest.Wait()
		all.Go(func() {
			if err := l.pass(ctx, of1(1, 2)); !errors.Is(err, context.Canceled) {
				t.Errorf("got %v", err)
			}
		})
		all.Go(func() {
			if err := l.pass(t.Context(), of1(1, 2, 3)); err != nil {
				t.Error(err)
			}
		})
		synctest.Wait()
		cancel()
		all.Wait()
		if diff := cmp.Diff([]int{1, 3}, s.inserts); diff != "" {
			t.Error(diff)
		}
	})
}

func TestOneBadRequestDoesNotSpoilTheOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		bad := errors.New("a value that the engine refuses")
		s := slowTable{fail: func(groups []rows[int]) error {
			for _, g := range groups {
				if g.events[0] == 13 {
					return bad
				}
			}
			return nil
		}}
		l := &lane[int]{most: 100, insert: s.insert}
		var all sync.WaitGroup
		for _, n := range []int{1, 2, 13, 3} {
			all.Go(func() {
				err := l.pass(t.Context(), of1(n))
				if (err != nil) != (n == 13) {
					t.Errorf("%d: got %v", n, err)
				}
			})
			synctest.Wait()
		}
		all.Wait()
		if diff := cmp.Diff([]int{1, 3, 1, 1, 1}, s.inserts); diff != "" {
			t.Error(diff)
		}
	})
}

func TestAStoreThatIsDownIsNotAskedAgainAndAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := slowTable{fail: func([]rows[int]) error { return fault.New(fault.Unavailable, "down") }}
		l := &lane[int]{most: 100, insert: s.insert}
		var all sync.WaitGroup
		for range 10 {
			all.Go(func() {
				if err := l.pass(t.Context(), of1(1)); fault.KindOf(err) != fault.Unavailable {
					t.Errorf("got %v", err)
				}
			})
			synctest.Wait()
		}
		all.Wait()
		if diff := cmp.Diff([]int{1, 9}, s.inserts); diff != "" {
			t.Error(diff)
		}
	})
}

func TestALaneSurvivesAPanic(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var s slowTable
		s.fail = func([]rows[int]) error {
			if len(s.inserts) == 1 {
				panic("a mistake of ours")
			}
			return nil
		}
		l := &lane[int]{most: 100, insert: s.insert}
		var all sync.WaitGroup
		all.Go(func() {
			defer func() {
				if recover() == nil {
					t.Error("the panic is lost")
				}
			}()
			_ = l.pass(t.Context(), of1(1))
		})
		synctest.Wait()
		all.Go(func() {
			if err := l.pass(t.Context(), of1(2)); err != nil {
				t.Error(err)
			}
		})
		all.Wait()
	})
}
