// Package kubernetestest is a made-up cluster: an API that lists and watches objects as Kubernetes does, with versions,
// pages, bookmarks and versions that are too old, and with the mistakes that a test asks for. It is for tests.
package kubernetestest

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Token is what the cluster wants to be shown.
const Token = "a-token-of-the-cluster"

// Object is an object as JSON has it.
type Object = map[string]any

// Cluster is one cluster. Its methods may be called at any time.
type Cluster struct {
	*httptest.Server

	mu      sync.Mutex
	version int
	since   int // older versions are forgotten
	stores  map[string]*store
	lists   map[string]*snapshot
	asked   []string

	// Answer, when set, may answer a request itself; it says whether it did.
	answer func(w http.ResponseWriter, r *http.Request) bool
}

// store has the objects of one kind, and what happened to them.
type store struct {
	objects map[string]Object // by uid
	changes []change
}

type change struct {
	version int
	kind    string
	object  Object
}

// snapshot is a list that is given out in pages.
type snapshot struct {
	version int
	items   []Object
}

// New starts a cluster without any kinds of objects.
func New() *Cluster {
	c := &Cluster{version: 100, stores: map[string]*store{}, lists: map[string]*snapshot{}}
	c.Server = httptest.NewTLSServer(c)
	return c
}

// Kubeconfig is one that leads to the cluster.
func (c *Cluster) Kubeconfig() string { return c.KubeconfigWith(Token) }

// KubeconfigWith is one with another token.
func (c *Cluster) KubeconfigWith(token string) string {
	config := Object{
		"apiVersion": "v1", "kind": "Config", "current-context": "it",
		"clusters": []any{Object{"name": "it", "cluster": Object{"server": c.URL, "insecure-skip-tls-verify": true}}},
		"users":    []any{Object{"name": "it", "user": Object{"token": token}}},
		"contexts": []any{Object{"name": "it", "context": Object{"cluster": "it", "user": "it"}}},
	}
	text, _ := json.Marshal(config)
	return string(text)
}

// Serve makes the cluster serve a kind: "example.org/v1/tests".
func (c *Cluster) Serve(kind string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.stores[kind] == nil {
		c.stores[kind] = &store{objects: map[string]Object{}}
	}
}

// Put makes or changes an object. The cluster gives it its version.
func (c *Cluster) Put(kind string, o Object) {
	c.Serve(kind)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.version++
	o = copied(o)
	metadata := o["metadata"].(Object)
	metadata["resourceVersion"] = strconv.Itoa(c.version)
	uid := metadata["uid"].(string)
	s := c.stores[kind]
	what := "MODIFIED"
	if s.objects[uid] == nil {
		what = "ADDED"
	}
	s.objects[uid] = o
	s.changes = append(s.changes, change{c.version, what, o})
}

// Delete removes an object.
func (c *Cluster) Delete(kind, uid string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	s := c.stores[kind]
	if s.objects[uid] == nil {
		return
	}
	c.version++
	o := copied(s.objects[uid])
	o["metadata"].(Object)["resourceVersion"] = strconv.Itoa(c.version)
	delete(s.objects, uid)
	s.changes = append(s.changes, change{c.version, "DELETED", o})
}

// Forget makes the cluster forget all that happened so far, and the lists that are being read.
func (c *Cluster) Forget() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.version++
	c.since = c.version
	clear(c.lists)
}

// Answer has a function answer requests that it says it has answered; nil ends that.
func (c *Cluster) Answer(with func(w http.ResponseWriter, r *http.Request) bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.answer = with
}

// Asked takes the requests since it was last called: "watch example.org/v1/tests".
func (c *Cluster) Asked() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	asked := c.asked
	c.asked = nil
	return asked
}

func copied(o Object) Object {
	text, err := json.Marshal(o)
	if err != nil {
		panic(err)
	}
	var other Object
	if err := json.Unmarshal(text, &other); err != nil {
		panic(err)
	}
	return other
}

// ServeHTTP implements http.Handler.
func (c *Cluster) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	kind := strings.TrimPrefix(strings.TrimPrefix(r.URL.Path, "/apis"), "/")
	watching := r.URL.Query().Get("watch") != ""
	c.mu.Lock()
	verb := "list "
	if watching {
		verb = "watch "
	}
	c.asked = append(c.asked, verb+kind)
	with := c.answer
	c.mu.Unlock()
	if r.Header.Get("Authorization") != "Bearer "+Token {
		Refuse(w, http.StatusUnauthorized, "Unauthorized", "Unauthorized")
		return
	}
	if with != nil && with(w, r) {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	switch s := c.stores[kind]; {
	case r.URL.Path == "/version":
		reply(w, Object{"gitVersion": "v1.33.1"})
	case r.URL.Path == "/apis":
		c.groups(w)
	case s != nil && watching:
		c.watch(w, r, s)
	case s != nil:
		c.list(w, r, s)
	case strings.Count(kind, "/") == 1:
		c.resources(w, kind)
	default:
		Refuse(w, http.StatusNotFound, "NotFound", "the server could not find the requested resource")
	}
}

func (c *Cluster) groups(w http.ResponseWriter) {
	versions := map[string]string{}
	for kind := range c.stores {
		parts := strings.Split(kind, "/")
		versions[parts[0]] = parts[1]
	}
	var groups []any
	for _, group := range slices.Sorted(maps.Keys(versions)) {
		groups = append(groups, Object{"name": group, "preferredVersion": Object{"version": versions[group]}})
	}
	reply(w, Object{"kind": "APIGroupList", "groups": groups})
}

func (c *Cluster) resources(w http.ResponseWriter, group string) {
	var names []any
	for kind := range c.stores {
		if rest, in := strings.CutPrefix(kind, group+"/"); in {
			names = append(names, Object{"name": rest})
		}
	}
	if names == nil {
		Refuse(w, http.StatusNotFound, "NotFound", "the server could not find the requested resource")
		return
	}
	reply(w, Object{"kind": "APIResourceList", "resources": names})
}

func (c *Cluster) list(w http.ResponseWriter, r *http.Request, s *store) {
	limit, _ := strconv.Atoi(r.URL.Query().Get("limit"))
	from, all := 0, &snapshot{version: c.version}
	if next := r.URL.Query().Get("continue"); next != "" {
		name, offset, _ := strings.Cut(next, ":")
		if all = c.lists[name]; all == nil {
			Refuse(w, http.StatusGone, "Expired", "The provided continue parameter is too old")
			return
		}
		from, _ = strconv.Atoi(offset)
	} else {
		for _, uid := range slices.Sorted(maps.Keys(s.objects)) {
			all.items = append(all.items, s.objects[uid])
		}
		c.lists[strconv.Itoa(len(c.lists))] = all
	}
	to := len(all.items)
	metadata := Object{"resourceVersion": strconv.Itoa(all.version)}
	if limit > 0 && from+limit < to {
		to = from + limit
		for name, list := range c.lists {
			if list == all {
				metadata["continue"] = name + ":" + strconv.Itoa(to)
			}
		}
		metadata["remainingItemCount"] = len(all.items) - to
	}
	reply(w, Object{"kind": "ThingList", "metadata": metadata, "items": append([]Object{}, all.items[from:to]...)})
}

func (c *Cluster) watch(w http.ResponseWriter, r *http.Request, s *store) {
	since, err := strconv.Atoi(r.URL.Query().Get("resourceVersion"))
	if err != nil || r.URL.Query().Get("timeoutSeconds") == "" {
		Refuse(w, http.StatusBadRequest, "BadRequest", "a bounded watch from a version is expected")
		return
	}
	w.Header().Set("Content-Type", "application/json")
	if since < c.since {
		// As the real one: the refusal of a version that is too old comes as an event.
		tell(w, "ERROR", Object{"kind": "Status", "status": "Failure", "reason": "Expired", "code": http.StatusGone, "message": "too old resource version"})
		return
	}
	for _, ch := range s.changes {
		if ch.version > since {
			tell(w, ch.kind, ch.object)
		}
	}
	if r.URL.Query().Get("allowWatchBookmarks") == "true" {
		tell(w, "BOOKMARK", Object{"kind": "Thing", "metadata": Object{"resourceVersion": strconv.Itoa(c.version), "creationTimestamp": nil}})
	}
}

func tell(w http.ResponseWriter, kind string, object Object) {
	text, _ := json.Marshal(Object{"type": kind, "object": object})
	fmt.Fprintf(w, "%s\n", text)
}

func reply(w http.ResponseWriter, o Object) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(o)
}

// Refuse answers as Kubernetes does when it does not do what it was asked for.
func Refuse(w http.ResponseWriter, code int, reason, message string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	_ = json.NewEncoder(w).Encode(Object{"kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": reason, "message": message, "code": code})
}

// At writes an instant as Kubernetes does.
func At(t time.Time) string { return t.UTC().Format(time.RFC3339) }
