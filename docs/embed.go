// Package docs is the documentation itself, as files, so that the program can show it.
package docs

import "embed"

// Files are the pages in Markdown, with the paths that they link each other by.
//
//go:embed *.md metrics/*.md
var Files embed.FS
