package migrations

import (
	"bytes"
	"fmt"
	"io"
	"io/fs"
	"path"
	"regexp"
	"strings"
)

// Cluster returns the migrations in their form for a cluster of that name. Every table becomes two, on every node:
//
//	name_local  holds the rows of one shard; its engine is the Replicated form of the one in the file
//	name        is the Distributed table over them, under the name that all SQL uses
//
// A row's shard follows from the first column of its sorting key that tells rows apart, so that every telling of a
// fact is on one shard, where the newest replaces the others. Only the engine clause differs from the file.
//
// The servers need the macros shard and replica. A statement that has no such form makes opening its file an error.
func Cluster(name string) fs.FS { return cluster(name) }

type cluster string

// Open implements fs.FS.
func (c cluster) Open(name string) (fs.File, error) {
	file, err := files.Open(name)
	if err != nil || path.Ext(name) != ".sql" {
		return file, err
	}
	defer file.Close()
	text, err := io.ReadAll(file)
	if err != nil {
		return nil, err
	}
	info, err := file.Stat()
	if err != nil {
		return nil, err
	}
	rewritten, err := c.rewrite(string(text))
	if err != nil {
		return nil, &fs.PathError{Op: "open", Path: name, Err: err}
	}
	return &rewrittenFile{Reader: bytes.NewReader([]byte(rewritten)), info: rewrittenInfo{info, int64(len(rewritten))}}, nil
}

// up is the line behind which a file's statements stand.
const up = "-- +goose Up\n"

// rewrite returns the text of a migration in its form for the cluster.
func (c cluster) rewrite(text string) (string, error) {
	head, body, ok := strings.Cut(text, up)
	if !ok {
		return "", fmt.Errorf("no line %q", strings.TrimSpace(up))
	}
	var out strings.Builder
	out.WriteString(head + up)
	for statement := range strings.SplitSeq(body, ";") {
		if statement = strings.TrimSpace(statement); statement == "" {
			continue
		}
		local, distributed, err := c.statement(statement)
		if err != nil {
			return "", err
		}
		fmt.Fprintf(&out, "\n%s;\n\n%s;\n", local, distributed)
	}
	return out.String(), nil
}

// The parts of a statement, as our files write them.
var (
	createTable = regexp.MustCompile(`(?s)^CREATE TABLE IF NOT EXISTS (\w+)(\n\(\n.*\n\))\nENGINE = (\w*MergeTree)(?:\(([^()\n]*)\))?(\n.*)$`)
	changeTable = regexp.MustCompile(`(?s)^(ALTER TABLE|DROP TABLE IF EXISTS) (\w+)( (?:ADD|DROP|MODIFY) COLUMN .*)?$`)
	orderBy     = regexp.MustCompile(`(?m)^ORDER BY \(?([^()\n]+)\)?$`)
)

// statement returns the two statements that one becomes.
func (c cluster) statement(statement string) (local, distributed string, err error) {
	if parts := createTable.FindStringSubmatch(statement); parts != nil {
		return c.create(parts)
	}
	if parts := changeTable.FindStringSubmatch(statement); parts != nil {
		verb, table, change := parts[1], parts[2], parts[3]
		return fmt.Sprintf("%s %s_local ON CLUSTER %s%s", verb, table, c, change), fmt.Sprintf("%s %s ON CLUSTER %s%s", verb, table, c, change), nil
	}
	return "", "", fmt.Errorf("no cluster form is known for the statement %q", statement)
}

// create is statement for the parts of a CREATE TABLE.
func (c cluster) create(parts []string) (local, distributed string, err error) {
	name, columns, engine, arguments, clauses := parts[1], parts[2], parts[3], parts[4], parts[5]
	order := orderBy.FindStringSubmatch(clauses)
	if order == nil {
		return "", "", fmt.Errorf("table %s has no ORDER BY", name)
	}
	replica := "'/clickhouse/tables/{shard}/{database}/{table}', '{replica}'"
	if arguments != "" {
		replica += ", " + arguments
	}
	local = fmt.Sprintf("CREATE TABLE IF NOT EXISTS %s_local ON CLUSTER %s%s\nENGINE = Replicated%s(%s)%s",
		name, c, columns, engine, replica, clauses)
	distributed = fmt.Sprintf("CREATE TABLE IF NOT EXISTS %s ON CLUSTER %s AS %s_local\nENGINE = Distributed(%s, currentDatabase(), %s_local, cityHash64(%s))",
		name, c, name, c, name, shardColumn(order[1]))
	return local, distributed, nil
}

// shardColumn returns the first column of a sorting key that tells rows apart well enough to spread them: most rows
// are of one environment, one source or one owner.
func shardColumn(order string) string {
	columns := strings.Split(order, ", ")
	for _, column := range columns {
		switch column {
		case "environment", "source", "owner":
		default:
			return column
		}
	}
	return columns[0]
}

// rewrittenFile is a file whose text is not that of the disk.
type rewrittenFile struct {
	*bytes.Reader
	info rewrittenInfo
}

// Stat implements fs.File.
func (f *rewrittenFile) Stat() (fs.FileInfo, error) { return f.info, nil }

// Close implements fs.File.
func (f *rewrittenFile) Close() error { return nil }

type rewrittenInfo struct {
	fs.FileInfo
	size int64
}

// Size implements fs.FileInfo.
func (i rewrittenInfo) Size() int64 { return i.size }
