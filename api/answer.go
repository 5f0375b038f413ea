package api

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"cairn/internal/fault"
	"cairn/metrics"
)

// Media types of answers.
const (
	mediaJSON = "application/json"
	mediaCSV  = "text/csv"
)

// answer writes what was asked for, as JSON or, where it has a form as a table, as CSV. Its tag stands for what it says,
// not for when it was asked: as_of is left out, so that whoever asks again is told when nothing has changed.
func answer(c echo.Context, v any) error {
	t, tabular := tableOf(v)
	csv, err := wantsCSV(c)
	if err != nil {
		return err
	}
	if !csv || !tabular {
		var body, same bytes.Buffer
		if err := encode(&body, v); err != nil {
			return err
		}
		if err := encode(&same, timeless(v)); err != nil {
			return err
		}
		return write(c, mediaJSON, body.Bytes(), same.Bytes())
	}
	body, err := t.csv()
	if err != nil {
		return err
	}
	c.Response().Header().Set("Content-Disposition", `attachment; filename="`+t.name+`.csv"`)
	return write(c, mediaCSV+"; charset=utf-8; header=present", body, body)
}

func encode(b *bytes.Buffer, v any) error {
	e := json.NewEncoder(b)
	e.SetEscapeHTML(false)
	return e.Encode(v)
}

// timeless is an answer without the instant as of which it is.
func timeless(v any) any {
	switch v := v.(type) {
	case metrics.Result:
		v.AsOf = time.Time{}
		return v
	case metrics.Evidence:
		v.Result.AsOf = time.Time{}
		return v
	case metrics.SourceList:
		v.AsOf = time.Time{}
		return v
	case metrics.StreamList:
		v.AsOf = time.Time{}
		return v
	}
	return v
}

// write sends a body, or 304 where the caller has what same stands for. The tag is weak: bodies that say the same may
// differ in as_of.
func write(c echo.Context, media string, body, same []byte) error {
	sum := sha256.Sum256(append([]byte(media+"\n"), same...))
	tag := `W/"` + hex.EncodeToString(sum[:12]) + `"`
	h := c.Response().Header()
	h.Set("ETag", tag)
	h.Set("Cache-Control", "no-cache")
	h.Set("Vary", "Accept")
	if matches(c.Request().Header.Values("If-None-Match"), tag) {
		h.Del("Content-Disposition")
		return c.NoContent(http.StatusNotModified)
	}
	h.Set("Content-Length", strconv.Itoa(len(body)))
	if c.Request().Method == http.MethodHead {
		h.Set("Content-Type", media)
		return c.NoContent(http.StatusOK)
	}
	return c.Blob(http.StatusOK, media, body)
}

// matches tells whether a tag is among those that the caller has.
func matches(headers []string, tag string) bool {
	for _, header := range headers {
		for _, known := range strings.Split(header, ",") {
			known = strings.TrimSpace(known)
			if known == "*" || strings.TrimPrefix(known, "W/") == strings.TrimPrefix(tag, "W/") {
				return true
			}
		}
	}
	return false
}

// wantsCSV tells which form is asked for: by the parameter format or, without it, by the header Accept. What cannot be
// had becomes JSON.
func wantsCSV(c echo.Context) (bool, error) {
	switch format := c.QueryParam("format"); format {
	case "csv":
		return true, nil
	case "json":
		return false, nil
	case "":
		accepted := strings.Join(c.Request().Header.Values("Accept"), ",")
		return quality(accepted, mediaCSV) > quality(accepted, mediaJSON), nil
	default:
		return false, fault.New(fault.Invalid, "format is %q: expected json or csv", format)
	}
}

// quality is how welcome a media type is, from 0 to 1: that of the most specific range of an Accept header that fits.
func quality(accepted, media string) float64 {
	kind, _, _ := strings.Cut(media, "/")
	best, q := 0, 0.0
	for _, part := range strings.Split(accepted, ",") {
		fields := strings.Split(part, ";")
		fits := map[string]int{media: 3, kind + "/*": 2, "*/*": 1}[strings.ToLower(strings.TrimSpace(fields[0]))]
		if fits <= best {
			continue
		}
		best, q = fits, 1
		for _, field := range fields[1:] {
			if name, value, _ := strings.Cut(strings.TrimSpace(field), "="); strings.EqualFold(name, "q") {
				if v, err := strconv.ParseFloat(value, 64); err == nil {
					q = v
				}
			}
		}
	}
	return q
}

// linkNext tells where the next page is, in the form of RFC 8288: the same request with another cursor or offset.
func linkNext(c echo.Context, name, value string) {
	if value == "" {
		return
	}
	u := url.URL{Path: c.Request().URL.Path, RawPath: c.Request().URL.RawPath}
	q := c.QueryParams()
	next := url.Values{}
	for k, v := range q {
		next[k] = v
	}
	next.Set(name, value)
	u.RawQuery = next.Encode()
	c.Response().Header().Set("Link", "<"+u.String()+`>; rel="next"`)
}
