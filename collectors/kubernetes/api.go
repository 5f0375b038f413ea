package kubernetes

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"cairn/internal/fault"
)

// api asks the cluster. The answers come whole, also those to a watch, which the cluster ends by itself after a moment.
type api struct {
	name   string // of the connection, for messages
	client *http.Client
	server string
}

// pageSize is how many objects a page of a list has.
const pageSize = 500

// watchFor is how many seconds a watch lasts. What has happened comes at once; towards the end, two seconds before it,
// the cluster says up to where all of it was told.
const watchFor = 5

// errExpired says that the cluster no longer knows what happened since a version, or the rest of a list.
var errExpired = errors.New("the cluster no longer knows what happened since then")

// get asks for a path.
func (a api) get(ctx context.Context, path string, query url.Values, into any) error {
	body, err := a.read(ctx, path, query)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(body, into); err != nil {
		return fault.New(fault.Unavailable, "%s: the answer is none of Kubernetes' API: %w", path, err)
	}
	return nil
}

// status is Kubernetes' way to say that something went wrong.
type status struct {
	Kind, Message, Reason string
	Code                  int
	Details               struct {
		UID    string
		Causes []struct{ Reason string }
	}
}

func (s status) expired() bool {
	for _, cause := range s.Details.Causes {
		if cause.Reason == "ResourceVersionTooLarge" { // the cluster was restored from a backup
			return true
		}
	}
	return s.Code == http.StatusGone || s.Reason == "Expired" || s.Reason == "Gone"
}

func (a api) read(ctx context.Context, path string, query url.Values) ([]byte, error) {
	address := a.server + path
	if len(query) > 0 {
		address += "?" + query.Encode()
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, fault.Wrap(fault.Internal, err, "%s", path)
	}
	req.Header.Set("Accept", "application/json")
	res, err := a.client.Do(req)
	if err != nil {
		if fault.KindOf(err) != fault.Internal || ctx.Err() != nil {
			return nil, err
		}
		return nil, fault.Wrap(fault.Unavailable, err, "the cluster cannot be reached")
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		return nil, fault.Wrap(fault.Unavailable, err, "%s: the answer broke off", path)
	}
	if res.StatusCode == http.StatusOK {
		return body, nil
	}
	var s status
	_ = json.Unmarshal(body, &s) // what is in between may answer in its own words
	s.Code = res.StatusCode
	return nil, a.refused(path, s)
}

func (a api) refused(path string, s status) error {
	said := strings.ToValidUTF8(s.Message, "")
	if len(said) > 300 {
		said = strings.ToValidUTF8(said[:300], "") + "…"
	}
	if said == "" {
		said = http.StatusText(s.Code)
	}
	switch {
	case s.expired():
		return fmt.Errorf("%s: %w", path, errExpired)
	case s.Code == http.StatusUnauthorized:
		return fault.New(fault.Denied, "%s: the cluster refuses the credential (401): its token has expired, or its account is gone; put a new one into kubeconfig", a.name)
	case s.Code == http.StatusForbidden:
		return fault.New(fault.Denied, "cairn's account may not read %s: give it list and watch there, with a ClusterRole as docs/kubernetes.md has it (the cluster says: %s)", path, said)
	case s.Code == http.StatusNotFound:
		return fault.New(fault.NotFound, "%s is not served by the cluster", path)
	}
	return fault.New(fault.Unavailable, "%s: the cluster answered %d: %s", path, s.Code, said)
}

// page is a part of a list.
type page struct {
	Kind     string
	Metadata struct {
		ResourceVersion    string
		Continue           string
		RemainingItemCount *int64
	}
	Items []json.RawMessage
}

// list asks for a page of a list; next is "" for the first. It is errExpired when the rest of a list can no longer be had.
func (a api) list(ctx context.Context, path, next string) (page, error) {
	query := url.Values{"limit": {strconv.Itoa(pageSize)}}
	if next != "" {
		query.Set("continue", next)
	}
	var p page
	if err := a.get(ctx, path, query, &p); err != nil {
		return p, err
	}
	// What is not a whole list must never look like one: what is missing from a list is told as deleted.
	if !strings.HasSuffix(p.Kind, "List") || p.Metadata.ResourceVersion == "" || p.Items == nil ||
		p.Metadata.Continue == "" && p.Metadata.RemainingItemCount != nil && *p.Metadata.RemainingItemCount > 0 {
		return p, fault.New(fault.Unavailable, "%s: the answer is no whole list of Kubernetes", path)
	}
	return p, nil
}

// change is what a watch tells.
type change struct {
	Type   string
	Object json.RawMessage
}

// Kinds of changes.
const (
	added    = "ADDED"
	modified = "MODIFIED"
	deleted  = "DELETED"
	bookmark = "BOOKMARK" // nothing but a version up to which all is told
	failed   = "ERROR"
)

// watch hands over what happened since a version, in its order, as far as it is known now. It is errExpired when the
// cluster no longer knows, which may be after some of it.
func (a api) watch(ctx context.Context, path, version string, tell func(change) error) error {
	body, err := a.read(ctx, path, url.Values{
		"watch": {"true"}, "resourceVersion": {version}, "allowWatchBookmarks": {"true"}, "timeoutSeconds": {strconv.Itoa(watchFor)},
	})
	if fault.KindOf(err) == fault.TooLarge {
		return fmt.Errorf("%s: %w", path, errExpired) // a list is smaller than all that happened
	}
	if err != nil {
		return err
	}
	decoder := json.NewDecoder(bytes.NewReader(body))
	for {
		var c change
		switch err := decoder.Decode(&c); {
		case err == io.EOF:
			return nil
		case err != nil:
			return fault.New(fault.Unavailable, "%s: a watch broke off: %w", path, err)
		}
		if c.Type == failed {
			var s status
			if err := json.Unmarshal(c.Object, &s); err != nil {
				return fault.New(fault.Unavailable, "%s: a watch ended with an error that cannot be read", path)
			}
			return a.refused(path, s)
		}
		if err := tell(c); err != nil {
			return err
		}
	}
}
