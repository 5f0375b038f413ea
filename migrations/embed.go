// Package migrations holds the shape of the store: numbered, forward-only SQL files that internal/store applies when it
// opens. Their sum is schema.sql.
package migrations

import (
	"embed"
	"io/fs"
)

//go:embed 0*.sql
var files embed.FS

// FS returns the migrations as they are written, for one server or the embedded engine.
func FS() fs.FS { return files }
