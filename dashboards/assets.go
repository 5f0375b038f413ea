package dashboards

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"io/fs"
	"mime"
	"net/http"
	"path"
	"strings"

	"github.com/labstack/echo/v4"

	"cairn/internal/fault"
)

//go:embed assets/*.css assets/*.js assets/*.svg assets/echarts/*.js
var assetFiles embed.FS

// asset is one file of the program's own that pages refer to.
type asset struct {
	content, packed []byte
	contentType     string
	version         string // of the content, part of its address
}

// assets are the files by name.
type assets map[string]asset

func loadAssets() (assets, error) {
	all := assets{}
	err := fs.WalkDir(assetFiles, "assets", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		content, err := assetFiles.ReadFile(name)
		if err != nil {
			return err
		}
		var packed bytes.Buffer
		w, err := gzip.NewWriterLevel(&packed, gzip.BestCompression)
		if err != nil {
			return err
		}
		if _, err := w.Write(content); err != nil {
			return err
		}
		if err := w.Close(); err != nil {
			return err
		}
		sum := sha256.Sum256(content)
		all[path.Base(name)] = asset{content: content, packed: packed.Bytes(), contentType: mime.TypeByExtension(path.Ext(name)), version: hex.EncodeToString(sum[:6])}
		return nil
	})
	return all, err
}

// address is where a file is served: its content's version is part of it, so that browsers may keep it for good.
func (a assets) address(name string) (string, error) {
	f, ok := a[name]
	if !ok {
		return "", fault.New(fault.Internal, "dashboards: no asset %q", name)
	}
	return "/assets/" + name + "?v=" + f.version, nil
}

func (p *Pages) asset(c echo.Context) error {
	f, ok := p.assets[c.Param("file")]
	if !ok {
		return fault.New(fault.NotFound, "there is no file %s", c.Request().URL.Path)
	}
	h := c.Response().Header()
	h.Set("Cache-Control", "no-cache")
	if c.QueryParam("v") == f.version {
		h.Set("Cache-Control", "public, max-age=31536000, immutable")
	}
	h.Set("ETag", `"`+f.version+`"`)
	h.Set("Vary", "Accept-Encoding")
	if strings.Contains(c.Request().Header.Get("If-None-Match"), f.version) {
		return c.NoContent(http.StatusNotModified)
	}
	if strings.Contains(c.Request().Header.Get("Accept-Encoding"), "gzip") {
		h.Set("Content-Encoding", "gzip")
		return c.Blob(http.StatusOK, f.contentType, f.packed)
	}
	return c.Blob(http.StatusOK, f.contentType, f.content)
}

func (p *Pages) favicon(c echo.Context) error {
	return c.Blob(http.StatusOK, p.assets["cairn.svg"].contentType, p.assets["cairn.svg"].content)
}
