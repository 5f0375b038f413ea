package store_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"cairn/internal/fault"
	"cairn/internal/store"
)

// The server's configuration: nothing but a port, folders, and a user who has a password and no right to our database.
const (
	serverConfig = `<yandex>
  <logger><level>warning</level><console>1</console></logger>
  <tcp_port>%d</tcp_port><listen_host>127.0.0.1</listen_host>
  <path>%[2]s/data/</path><tmp_path>%[2]s/tmp/</tmp_path><user_files_path>%[2]s/files/</user_files_path>
  <mark_cache_size>67108864</mark_cache_size>
  <users_config>users.xml</users_config><default_profile>default</default_profile>
</yandex>`
	serverUsers = `<yandex>
  <profiles><default/></profiles><quotas><default/></quotas>
  <users>
    <default><password/><networks><ip>::/0</ip></networks><profile>default</profile><quota>default</quota></default>
    <guest><password>secret</password><networks><ip>::/0</ip></networks><profile>default</profile><quota>default</quota>
      <allow_databases><database>default</database></allow_databases></guest>
  </users>
</yandex>`
)

// startServer starts a ClickHouse server and returns its address. Debian's is of 2018: it proves the way there, the
// protocol and the words about a server, and is too old for our SQL.
func startServer(t *testing.T) string {
	t.Helper()
	program, err := exec.LookPath("clickhouse-server")
	if err != nil {
		program = "/usr/sbin/clickhouse-server"
	}
	if _, err := os.Stat(program); err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal("clickhouse-server is not installed")
		}
		t.Skip("clickhouse-server is not installed")
	}
	folder, port := t.TempDir(), freePort(t)
	for name, text := range map[string]string{"config.xml": fmt.Sprintf(serverConfig, port, folder), "users.xml": serverUsers} {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	server := exec.Command(program, "--config-file="+filepath.Join(folder, "config.xml"))
	server.Dir = folder
	var words strings.Builder
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
	address := fmt.Sprintf("127.0.0.1:%d", port)
	for range 300 {
		if conn, err := net.Dial("tcp", address); err == nil {
			_ = conn.Close()
			return address
		}
		time.Sleep(100 * time.Millisecond)
	}
	t.Fatal("the server does not listen")
	return ""
}

func freePort(t *testing.T) int {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	return listener.Addr().(*net.TCPAddr).Port
}

func TestTheNativeProtocolReachesAServer(t *testing.T) {
	s, err := store.New(store.Config{Address: "clickhouse://default@" + startServer(t)})
	if err != nil {
		t.Fatal(err)
	}
	if err := store.OpenWithoutSettings(s); err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	ctx := t.Context()
	const table = "CREATE TABLE facts (service String, at DateTime, paths Array(String), size Nullable(Int64)) ENGINE = MergeTree ORDER BY service"
	if err := s.Exec(ctx, table, nil); err != nil {
		t.Fatal(err)
	}
	at := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	for _, fill := range []func(store.Batch) error{
		func(b store.Batch) error {
			return errors.Join(b.Append("shop", at, []string{"main.go"}, new(int64(5))), b.Append("billing", at, []string{}, nil))
		},
		func(b store.Batch) error {
			return errors.Join(b.Column(0).Append([]string{"till"}), b.Column(1).Append([]time.Time{at}),
				b.Column(2).Append([][]string{{"a", "b"}}), b.Column(3).Append([]*int64{nil}))
		},
	} {
		batch, err := s.Batch(ctx, "INSERT INTO facts (service, at, paths, size)")
		if err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(fill(batch), batch.Send()); err != nil {
			t.Fatal(err)
		}
	}
	type fact struct {
		Service string    `ch:"service"`
		At      time.Time `ch:"at"`
		Paths   []string  `ch:"paths"`
		Size    *int64    `ch:"size"`
	}
	var got []fact
	if err := s.Select(ctx, &got, "SELECT * FROM facts ORDER BY service", nil); err != nil {
		t.Fatal(err)
	}
	want := []fact{{"billing", at, []string{}, nil}, {"shop", at, []string{"main.go"}, new(int64(5))}, {"till", at, []string{"a", "b"}, nil}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if err := s.Exec(ctx, "SELECT nothing", nil); fault.KindOf(err) != fault.Internal || !strings.Contains(err.Error(), "Unknown identifier: nothing") {
		t.Errorf("got %v, want the server's own words", err)
	}
	short, cancel := context.WithTimeout(ctx, 300*time.Millisecond)
	defer cancel()
	begun := time.Now()
	if err := s.Exec(short, "SELECT max(sipHash64(number)) FROM numbers(100000000000)", nil); err != context.DeadlineExceeded {
		t.Errorf("got %v, want %v", err, context.DeadlineExceeded)
	}
	rows, err := s.Query(ctx, "SELECT number FROM numbers(100000000000)", nil)
	if err != nil {
		t.Fatal(err)
	}
	if !rows.Next() {
		t.Error(rows.Err())
	}
	if err := rows.Close(); err != nil {
		t.Errorf("Close before the end: %v", err)
	}
	if took := time.Since(begun); took > 5*time.Second {
		t.Errorf("the two long queries ended after %v", took)
	}
	var sum uint64
	if err := s.QueryRow(ctx, "SELECT sum(number) FROM numbers(10)", nil).Scan(&sum); err != nil || sum != 45 {
		t.Errorf("sum is %d, %v; want 45", sum, err)
	}
}

func TestWhatIsWrongWithAServerIsSaid(t *testing.T) {
	address := startServer(t)
	down := fmt.Sprintf("127.0.0.1:%d", freePort(t))
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	closing := closingServer(t)
	for _, tc := range []struct {
		name, address string
		kind          fault.Kind
		want          string
	}{
		{"down", "clickhouse://" + down, fault.Unavailable,
			"the ClickHouse server at " + down + " does not answer: connection refused"},
		{"no such host", "clickhouse://nowhere.invalid:9000", fault.Unavailable,
			"the ClickHouse server at nowhere.invalid:9000 does not answer: no such host nowhere.invalid"},
		{"no ClickHouse", "clickhouse://" + closing, fault.Unavailable,
			"the ClickHouse server at " + closing + " does not answer: it closed the connection"},
		{"wrong password", "clickhouse://guest:guess@" + address, fault.Denied,
			`the ClickHouse server at ` + address + ` does not let user "guest" in: the user or the password is wrong`},
		{"unknown user", "clickhouse://nobody@" + address, fault.Denied,
			`the ClickHouse server at ` + address + ` does not let user "nobody" in: the user or the password is wrong`},
		{"too old", "clickhouse://guest:secret@" + address, fault.Unavailable,
			"the ClickHouse server at " + address + " has version 18.16; 24.8 or newer is needed"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s, err := store.New(store.Config{Address: tc.address})
			if err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
			defer cancel()
			err = s.Open(ctx)
			if err == nil {
				t.Fatal("it opened")
			}
			if fault.KindOf(err) != tc.kind || err.Error() != tc.want {
				t.Errorf("got  %v: %v\nwant %v: %v", fault.KindOf(err), err, tc.kind, tc.want)
			}
		})
	}
	t.Run("no right to the database", func(t *testing.T) {
		s, err := store.New(store.Config{Address: "clickhouse://guest:secret@" + address + "/cairn"})
		if err != nil {
			t.Fatal(err)
		}
		err = store.CreateDatabaseWithoutSettings(t.Context(), s)
		if want := `user "guest" lacks a right on the ClickHouse server at ` + address; fault.KindOf(err) != fault.Denied || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("got  %v: %v\nwant %v: %v…", fault.KindOf(err), err, fault.Denied, want)
		}
	})
	t.Run("silent", func(t *testing.T) {
		s, err := store.New(store.Config{Address: "clickhouse://" + silent.Addr().String()})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
		defer cancel()
		begun := time.Now()
		if err := s.Open(ctx); err != context.DeadlineExceeded {
			t.Errorf("got %v, want %v", err, context.DeadlineExceeded)
		}
		if took := time.Since(begun); took > 5*time.Second {
			t.Errorf("it ended after %v", took)
		}
	})
}

// closingServer returns the address of a server that hangs up.
func closingServer(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			_, _ = conn.Read(make([]byte, 4096))
			_ = conn.Close()
		}
	}()
	return listener.Addr().String()
}

func TestAnAddressIsChecked(t *testing.T) {
	for _, tc := range []struct {
		name string
		cfg  store.Config
		want string
	}{
		{"neither", store.Config{}, "the store needs a data folder or the address of a ClickHouse server"},
		{"another scheme", store.Config{Address: "http://host:8123"}, "the address of the ClickHouse server must look like clickhouse://user:password@host:9000/database"},
		{"database", store.Config{Data: "x", Database: "a b"}, `database "a b": a name of letters, digits and _ is expected`},
		{"database in the address", store.Config{Address: "clickhouse://host:9000/a-b"}, `database "a-b": a name of letters, digits and _ is expected`},
		{"cluster without a server", store.Config{Data: "x", Cluster: "c"}, "a cluster (c) needs the address of a ClickHouse server; the embedded engine stands alone"},
		{"cluster", store.Config{Address: "clickhouse://host:9000", Cluster: "c'"}, `cluster "c'": a name of letters, digits and _ is expected`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			_, err := store.New(tc.cfg)
			if err == nil {
				t.Fatal("it was taken")
			}
			if fault.KindOf(err) != fault.Invalid || err.Error() != tc.want {
				t.Errorf("got  %v: %v\nwant %v: %v", fault.KindOf(err), err, fault.Invalid, tc.want)
			}
		})
	}
	t.Run("a password is not repeated", func(t *testing.T) {
		_, err := store.New(store.Config{Address: "clickhouse://user:" + url.QueryEscape("hunter2") + "%zz@host"})
		if err == nil || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("got %v", err)
		}
	})
}
