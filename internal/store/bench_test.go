package store_test

import (
	"fmt"
	"testing"
	"time"

	"cairn/internal/store"
	"cairn/internal/store/storetest"
)

// BenchmarkInsertRaw is how fast the engine takes commits that come column by column in batches of 100,000: what
// intake can be measured against.
func BenchmarkInsertRaw(b *testing.B) {
	const rows = 100_000
	s := storetest.New(b)
	shas, parents, times, paths := make([]string, rows), make([][]string, rows), make([]time.Time, rows), make([][]string, rows)
	repositories, authors, subjects, versions := make([]string, rows), make([]string, rows), make([]string, rows), make([]uint64, rows)
	for i := range rows {
		repositories[i], authors[i] = "acme/shop", fmt.Sprintf("dev%d@acme.example", i%50)
		shas[i], parents[i] = fmt.Sprintf("%040x", i*7919), []string{fmt.Sprintf("%040x", i*7919-1)}
		times[i] = time.Unix(1.7e9+int64(i)*60, 0)
		paths[i] = []string{fmt.Sprintf("internal/package%d/file%d.go", i%40, i%400), "go.mod"}
		subjects[i], versions[i] = fmt.Sprintf("change the %dth thing", i), uint64(i)
	}
	var inserted int
	for b.Loop() {
		batch, err := s.Batch(s.Durable(b.Context()),
			"INSERT INTO commits (repository, sha, parents, author, authored_at, committed_at, paths, subject, updated_at, version)")
		if err != nil {
			b.Fatal(err)
		}
		for i, values := range []any{repositories, shas, parents, authors, times, times, paths, subjects, times, versions} {
			if err := batch.Column(i).Append(values); err != nil {
				b.Fatal(err)
			}
		}
		if err := batch.Send(); err != nil {
			b.Fatal(err)
		}
		inserted += rows
	}
	b.ReportMetric(float64(inserted)/b.Elapsed().Seconds(), "rows/s")
}

// BenchmarkInsertSmall is a durable insert of 100 rows, one after the other.
func BenchmarkInsertSmall(b *testing.B) {
	s := storetest.New(b)
	for b.Loop() {
		if err := insertCommits(s, "acme/shop", 100); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkSelectSmall is a grouped query over ten thousand rows, as a page asks for one after the other.
func BenchmarkSelectSmall(b *testing.B) {
	s := storetest.New(b)
	if err := insertCommits(s, "acme/shop", 10_000); err != nil {
		b.Fatal(err)
	}
	query := func(b *testing.B) {
		var got []struct {
			Day time.Time `ch:"day"`
			N   uint64    `ch:"n"`
		}
		const sql = "SELECT toStartOfDay(committed_at) AS day, count() AS n FROM commits FINAL WHERE repository = {repository:String} GROUP BY day"
		if err := s.Select(b.Context(), &got, sql, store.Params{"repository": "acme/shop"}); err != nil {
			b.Error(err)
		}
		if len(got) != 1 || got[0].N != 10_000 {
			b.Errorf("got %v, want one day of 10000 commits", got)
		}
	}
	b.Run("serial", func(b *testing.B) {
		for b.Loop() {
			query(b)
		}
	})
	b.Run("parallel", func(b *testing.B) {
		b.SetParallelism(8)
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				query(b)
			}
		})
	})
}

// BenchmarkOpen is a start over a database that is up to date, in a process whose engine runs.
func BenchmarkOpen(b *testing.B) {
	s := storetest.New(b)
	for b.Loop() {
		again, err := storetest.TryAgain(s)
		if err != nil {
			b.Fatal(err)
		}
		if err := again.Close(); err != nil {
			b.Fatal(err)
		}
	}
}
