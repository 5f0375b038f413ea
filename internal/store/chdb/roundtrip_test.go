package chdb

import (
	"strings"
	"testing"
)

func TestOnlyQueriesAreStreamed(t *testing.T) {
	for sql, want := range map[string]bool{
		"SELECT 1":                            true,
		"  select 1":                          true,
		"(SELECT 1)":                          true,
		"WITH 1 AS x SELECT x":                true,
		"-- why\n/* and\nhow */ SELECT 1":     true,
		"# why\nSELECT 1":                     true,
		"INSERT INTO t SELECT 1":              false,
		"CREATE TABLE t (n Int8)":             false,
		"DESCRIBE TABLE t":                    false,
		"SHOW TABLES":                         false,
		"EXPLAIN SELECT 1":                    false,
		"SELECTED":                            false,
		"/* SELECT 1":                         false,
		"-- SELECT 1":                         false,
		"":                                    false,
		" ":                                   false,
		"KILL QUERY WHERE query = 'SELECT 1'": false,
	} {
		if got := streams(sql); got != want {
			t.Errorf("streams(%q) = %v, want %v", sql, got, want)
		}
	}
}

func FuzzFirstWord(f *testing.F) {
	f.Add("SELECT 1", 2)
	f.Add("/* a */-- b\n(SELECT)", 0)
	f.Fuzz(func(t *testing.T, sql string, spaces int) {
		word := firstWord(sql)
		if !strings.Contains(sql, word) {
			t.Errorf("firstWord(%q) = %q, which is not in it", sql, word)
		}
		if behind := firstWord(strings.Repeat(" ", spaces&7) + "/* x */" + sql); behind != word {
			t.Errorf("firstWord(%q) = %q, and %q behind a comment", sql, word, behind)
		}
	})
}

func TestChangesOfASession(t *testing.T) {
	for _, tc := range []struct {
		name       string
		from, want state
		statements string
	}{
		{"nothing", state{"a", map[string]string{"x": "1"}}, state{"a", map[string]string{"x": "1"}}, ""},
		{"another database", state{database: "a"}, state{database: "b`c"}, "USE `b\\`c`"},
		{"any database will do", state{database: "a"}, state{}, ""},
		{"a new, another and an old setting", state{settings: map[string]string{"old": "1", "other": "1", "same": "1"}},
			state{settings: map[string]string{"other": "2", "same": "1", "new": "it's"}},
			"SET `new` = 'it\\'s', `old` = DEFAULT, `other` = '2'"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if got := strings.Join(tc.from.changes(tc.want), "; "); got != tc.statements {
				t.Errorf("got %s, want %s", got, tc.statements)
			}
		})
	}
}
