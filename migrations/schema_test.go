package migrations_test

import (
	"context"
	"flag"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"cairn/internal/store"
	"cairn/internal/store/storetest"
	"cairn/migrations"
)

var update = flag.Bool("update", false, "write schema.sql anew")

// TestSchemaIsTheSumOfTheMigrations compares schema.sql with what the engine has after all migrations. When a
// migration is added, go test ./migrations -update writes it anew.
func TestSchemaIsTheSumOfTheMigrations(t *testing.T) {
	got := schema(t, storetest.New(t))
	if *update {
		if err := os.WriteFile("schema.sql", []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile("schema.sql")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("schema.sql is not the sum of the migrations; go test ./migrations -update writes it anew (-file +engine):\n%s", diff)
	}
}

// schema returns the statements that would make the tables of s as they are, by name.
func schema(t *testing.T, s *store.Store) string {
	t.Helper()
	var tables []struct {
		Name string `ch:"name"`
	}
	const sql = "SELECT name FROM system.tables WHERE database = {database:String} AND name != 'goose_db_version' ORDER BY name"
	if err := s.Select(context.Background(), &tables, sql, store.Params{"database": s.Database()}); err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	out.WriteString("-- The sum of the migrations, as the engine tells it. Written by: go test ./migrations -update\n")
	for _, table := range tables {
		var statement string
		if err := s.QueryRow(context.Background(), "SHOW CREATE TABLE "+table.Name, nil).Scan(&statement); err != nil {
			t.Fatal(err)
		}
		out.WriteString("\n" + strings.Replace(statement, s.Database()+".", "", 1) + ";\n")
	}
	return out.String()
}

// A migration must be harmless when it is applied twice: two processes may start at once.
var repeatable = regexp.MustCompile(`^(CREATE TABLE IF NOT EXISTS|ALTER TABLE \w+ (ADD|DROP|MODIFY) COLUMN IF (NOT )?EXISTS|DROP TABLE IF EXISTS) `)

func TestEveryStatementCanBeRepeated(t *testing.T) {
	for name, text := range files(t) {
		_, body, ok := strings.Cut(text, "-- +goose Up\n")
		if !ok {
			t.Errorf("%s: no line -- +goose Up", name)
		}
		for statement := range strings.SplitSeq(body, ";") {
			if statement = strings.TrimSpace(statement); statement != "" && !repeatable.MatchString(statement) {
				t.Errorf("%s: this statement does something when it is repeated:\n%s", name, statement)
			}
		}
	}
}

// What is told or remembered must survive a power cut; what attribution derives can be derived again.
func TestFactsAreWrittenThroughToTheDisk(t *testing.T) {
	for name, text := range files(t) {
		_, body, _ := strings.Cut(text, "-- +goose Up\n")
		for statement := range strings.SplitSeq(body, ";") {
			table := regexp.MustCompile(`CREATE TABLE IF NOT EXISTS (\w+)`).FindStringSubmatch(statement)
			if table == nil {
				continue
			}
			derived := strings.HasPrefix(table[1], "attributed_") || table[1] == "waiting_changes"
			durable := strings.Contains(statement, "\nSETTINGS fsync_after_insert = 1, fsync_part_directory = 1")
			if durable == derived {
				t.Errorf("%s: table %s: derived %v, written through %v", name, table[1], derived, durable)
			}
		}
	}
}

func TestMigrationsOnlyGoForward(t *testing.T) {
	for name, text := range files(t) {
		if strings.Contains(text, "+goose Down") {
			t.Errorf("%s has a way back", name)
		}
	}
}

// files returns the texts of the migrations by name.
func files(t *testing.T) map[string]string {
	t.Helper()
	texts := map[string]string{}
	names, err := os.ReadDir(".")
	if err != nil {
		t.Fatal(err)
	}
	for _, entry := range names {
		if strings.HasSuffix(entry.Name(), ".sql") && entry.Name() != "schema.sql" {
			file, err := migrations.FS().Open(entry.Name())
			if err != nil {
				t.Fatalf("%s is not part of the program: %v", entry.Name(), err)
			}
			_ = file.Close()
			text, err := os.ReadFile(entry.Name())
			if err != nil {
				t.Fatal(err)
			}
			texts[entry.Name()] = string(text)
		}
	}
	if len(texts) == 0 {
		t.Fatal("no migrations")
	}
	return texts
}
