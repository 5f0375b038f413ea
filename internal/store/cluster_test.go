package store_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"cairn/internal/store"
	"cairn/internal/store/chdb"
	"cairn/migrations"
)

// clusterConfig describes two shards of two replicas, seen from one of them. None of the hosts is there: the engine
// makes the tables without talking to them.
const clusterConfig = `<clickhouse>
  <remote_servers><cairn>
    <shard><internal_replication>true</internal_replication>
      <replica><host>127.0.0.1</host><port>1</port></replica><replica><host>127.0.0.2</host><port>1</port></replica></shard>
    <shard><internal_replication>true</internal_replication>
      <replica><host>127.0.0.3</host><port>1</port></replica><replica><host>127.0.0.4</host><port>1</port></replica></shard>
  </cairn></remote_servers>
  <macros><shard>1</shard><replica>1</replica></macros>
  <zookeeper><node><host>127.0.0.1</host><port>%d</port></node></zookeeper>
</clickhouse>`

// TestTheEngineTakesTheClusterForm executes every migration in its form for a cluster, on the real engine with a real
// ZooKeeper. Three things it cannot show: ON CLUSTER, which the embedded engine parses and does not execute, is cut out;
// and, because its replicated tables stay read-only, rows, and the columns that a shard's table got later: that statement
// is the same as in the plain form.
func TestTheEngineTakesTheClusterForm(t *testing.T) {
	folder := t.TempDir()
	config := filepath.Join(folder, "config.xml")
	program := child(t, "cluster", filepath.Join(folder, "data"), config)
	if err := os.WriteFile(config, fmt.Appendf(nil, clusterConfig, startZooKeeper(t)), 0o600); err != nil {
		t.Fatal(err)
	}
	if got := output(t, program); got != "as it should be" {
		t.Error(got)
	}
}

// startZooKeeper starts Debian's ZooKeeper and returns its port.
func startZooKeeper(t *testing.T) int {
	t.Helper()
	const classes = "/usr/share/java/zookeeper.jar"
	java, err := exec.LookPath("java")
	if _, missing := os.Stat(classes); err != nil || missing != nil {
		if os.Getenv("CI") != "" {
			t.Fatal("zookeeper is not installed")
		}
		t.Skip("zookeeper is not installed")
	}
	folder, port := t.TempDir(), freePort(t)
	config := filepath.Join(folder, "zoo.cfg")
	text := fmt.Sprintf("tickTime=500\ndataDir=%s/data\nclientPort=%d\nclientPortAddress=127.0.0.1\nadmin.enableServer=false\n", folder, port)
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	server := exec.Command(java, "-Xmx128m", "-cp", classes, "org.apache.zookeeper.server.quorum.QuorumPeerMain", config)
	var words bytes.Buffer
	server.Stdout, server.Stderr = &words, &words
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = server.Process.Kill()
		_ = server.Wait()
		if t.Failed() {
			t.Log(words.String())
		}
	})
	for range 300 {
		if strings.Contains(ask(port, "srvr"), "Mode: standalone") {
			return port
		}
		time.Sleep(100 * time.Millisecond)
	}
	t.Fatal("zookeeper does not answer")
	return 0
}

// ask returns ZooKeeper's answer to one of its four-letter words; it listens before it serves.
func ask(port int, word string) string {
	conn, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", port))
	if err != nil {
		return ""
	}
	defer conn.Close()
	_, _ = conn.Write([]byte(word))
	_ = conn.SetReadDeadline(time.Now().Add(time.Second))
	answer, _ := io.ReadAll(conn)
	return string(answer)
}

// applyClusterForm makes the tables of the cluster form beside those of the plain form and compares them.
func applyClusterForm(args []string) error {
	library, err := store.FindLibrary()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	engine, err := chdb.Start(ctx, chdb.Config{Library: library, Path: args[0], ConfigFile: args[1]})
	if err != nil {
		return err
	}
	// It is not closed: the engine fails when it shuts down replicated tables that never became active.
	connect := func(database string) (driver.Conn, error) {
		return clickhouse.Open(&clickhouse.Options{
			Protocol: clickhouse.HTTP, Addr: []string{"embedded"}, Auth: clickhouse.Auth{Database: database},
			TransportFunc: func(*http.Transport) (http.RoundTripper, error) { return engine, nil },
		})
	}
	admin, err := connect("default")
	if err != nil {
		return err
	}
	altered := []string{"none"}
	for database, files := range map[string]fs.FS{"plain": migrations.FS(), "cluster": migrations.Cluster("cairn")} {
		conn, err := connect(database)
		if err != nil {
			return err
		}
		if err := admin.Exec(ctx, "CREATE DATABASE "+database); err != nil {
			return err
		}
		statements, err := statementsOf(files)
		if err != nil {
			return err
		}
		if database == "cluster" {
			statements = append(statements, store.VersionTable("cairn"))
		} else {
			statements = append(statements, store.VersionTable(""))
		}
		for _, statement := range statements {
			if err := conn.Exec(ctx, "EXPLAIN AST "+statement); err != nil {
				return fmt.Errorf("%w\n%s", err, statement)
			}
			err := conn.Exec(ctx, strings.Replace(statement, " ON CLUSTER cairn", "", 1))
			if table, ok := strings.CutPrefix(statement, "ALTER TABLE "); ok && database == "cluster" && err != nil && strings.Contains(err.Error(), "TABLE_IS_READ_ONLY") {
				altered = append(altered, strings.Fields(table)[0])
				continue
			}
			if err != nil {
				return fmt.Errorf("%w\n%s", err, statement)
			}
		}
	}
	return errors.Join(
		// Every table of the plain form is there twice, with the same columns; goose's own once.
		wantNothing(ctx, admin, `
			SELECT concat(p.table, '.', p.name, ' has another type or default in a shard: ', c.type)
			FROM system.columns AS p
			LEFT JOIN system.columns AS c ON c.database = 'cluster' AND c.name = p.name AND c.type = p.type
				AND c.default_expression = p.default_expression AND c.is_in_sorting_key = p.is_in_sorting_key
				AND c.table = if(p.table = 'goose_db_version', p.table, p.table || '_local')
			WHERE p.database = 'plain' AND c.table = '' AND p.table || '_local' NOT IN ('`+strings.Join(altered, "', '")+`')`),
		wantNothing(ctx, admin, `
			SELECT concat(p.table, '.', p.name, ' has another type or default over the shards: ', c.type)
			FROM system.columns AS p
			LEFT JOIN system.columns AS c ON c.database = 'cluster' AND c.table = p.table AND c.name = p.name AND c.type = p.type
				AND c.default_expression = p.default_expression
			WHERE p.database = 'plain' AND c.table = ''`),
		wantNothing(ctx, admin, `
			SELECT concat(name, ' has the engine ', engine) FROM system.tables
			WHERE database = 'cluster' AND engine != multiIf(name = 'goose_db_version', 'ReplicatedMergeTree',
				name = 'deliveries_local', 'ReplicatedSummingMergeTree', name = 'report_mails_local', 'ReplicatedMergeTree',
				endsWith(name, '_local'), 'ReplicatedReplacingMergeTree', 'Distributed')`),
		wantNothing(ctx, admin, `
			SELECT concat(count()::String, ' tables') FROM system.tables WHERE database = 'cluster'
			HAVING count() != (SELECT 2 * count() - 1 FROM system.tables WHERE database = 'plain')`),
		wantNothing(ctx, admin, `
			SELECT concat(p.name, ' is durable on one machine only') FROM system.tables AS p
			INNER JOIN system.tables AS c ON c.database = 'cluster' AND c.name = p.name || '_local'
			WHERE p.database = 'plain' AND extract(p.engine_full, 'SETTINGS.*') != extract(c.engine_full, 'SETTINGS.*')`),
		wantNothing(ctx, admin, `SELECT concat('a row: ', sha) FROM cluster.commits_local FINAL`),
		say("as it should be"),
	)
}

func say(line string) error {
	_, err := fmt.Println(line)
	return err
}

// wantNothing returns the first lines that the query answers with as an error.
func wantNothing(ctx context.Context, conn driver.Conn, query string) error {
	var lines []struct {
		Line string `ch:"line"`
	}
	if err := conn.Select(ctx, &lines, "SELECT * FROM ("+query+") AS q (line) LIMIT 5"); err != nil {
		return fmt.Errorf("%w\n%s", err, query)
	}
	for _, l := range lines {
		return errors.New(l.Line)
	}
	return nil
}

// statementsOf returns the statements of the migrations in their order.
func statementsOf(files fs.FS) ([]string, error) {
	names, err := fs.Glob(files, "*.sql")
	if err != nil {
		return nil, err
	}
	var statements []string
	for _, name := range names {
		text, err := fs.ReadFile(files, name)
		if err != nil {
			return nil, err
		}
		_, body, _ := strings.Cut(string(text), "-- +goose Up\n")
		for statement := range strings.SplitSeq(body, ";") {
			if statement = strings.TrimSpace(statement); statement != "" {
				statements = append(statements, statement)
			}
		}
	}
	return statements, nil
}
