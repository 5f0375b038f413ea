package ingest

import (
	"context"
	"sync"
	"testing"

	"cairn/internal/store/storetest"
)

func TestOneSaltIsMadeHoweverManyTry(t *testing.T) {
	ctx := context.Background()
	st := storetest.New(t)
	s := salt{st}
	var all sync.WaitGroup
	for range 8 { // that found none before any was there
		all.Go(func() {
			if err := s.create(ctx); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	first, err := s.read(ctx)
	if err != nil || len(first) != 32 {
		t.Fatalf("got %x, %v", first, err)
	}
	var n uint64
	if err := st.QueryRow(ctx, "SELECT count() FROM installation", nil).Scan(&n); err != nil || n != 1 {
		t.Errorf("%d salts, %v", n, err)
	}
	if err := st.Exec(ctx, "INSERT INTO installation VALUES ('respondent_salt', 'abc', 2)", nil); err != nil {
		t.Fatal(err)
	}
	if got, err := s.read(ctx); err == nil {
		t.Errorf("a damaged salt was taken: %x", got)
	}
}
