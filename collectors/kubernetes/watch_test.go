package kubernetes_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"cairn/collectors/kubernetes/kubernetestest"
	"cairn/internal/event"
	"cairn/internal/fault"
	"cairn/internal/source"
)

const ofClaims = "requests/nopresources.nop.example.org"

func TestNewsAreWatchedFromWhereTheTurnBeforeEnded(t *testing.T) {
	c := newCluster(t)
	r := newReader(t, c)
	c.Put(claims, made("u1", "a"))
	r.read()
	c.Asked()
	first := r.positions[ofClaims]
	for range 3 { // nothing happens to claims, but the cluster's version goes on
		c.Put(tests, made("t1", "t"))
		before := r.positions[ofClaims]
		if err := r.turn(r.stream(ofClaims)); err != nil {
			t.Fatal(err)
		}
		if r.positions[ofClaims] != before {
			t.Error("a position was written for a turn without any news")
		}
	}
	c.Put(claims, made("u2", "b"))
	from := ""
	c.Answer(func(_ http.ResponseWriter, r *http.Request) bool {
		from = r.URL.Query().Get("resourceVersion")
		return false
	})
	if err := r.turn(r.stream(ofClaims)); err != nil {
		t.Fatal(err)
	}
	if from == "" || strings.Contains(first, `"version":"`+from+`"`) {
		t.Errorf("watched from %q, want the version up to which the turns before had seen that there was nothing", from)
	}
	if diff := cmp.Diff(slices.Repeat([]string{"watch " + claims}, 4), c.Asked()); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"prod:u1", "prod:u2"}, keys(r.requests())); diff != "" {
		t.Error(diff)
	}
	r.now = r.now.Add(time.Hour)
	before := r.positions[ofClaims]
	r.turn(r.stream(ofClaims))
	if r.positions[ofClaims] == before {
		t.Error("the position stays behind for ever, so that the cluster will forget what came after it")
	}
}

func TestWhatWasForgottenIsListed(t *testing.T) {
	for name, refuse := range map[string]func(w http.ResponseWriter){
		"by an event": nil,
		"by a status": func(w http.ResponseWriter) {
			kubernetestest.Refuse(w, http.StatusGone, "Expired", "too old resource version")
		},
		"after a backup was restored": func(w http.ResponseWriter) {
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(http.StatusGatewayTimeout)
			fmt.Fprint(w, `{"kind":"Status","reason":"Timeout","message":"Too large resource version: 9, current: 3","code":504,"details":{"causes":[{"reason":"ResourceVersionTooLarge","message":"Too large resource version"}]}}`)
		},
	} {
		t.Run(name, func(t *testing.T) {
			c := newCluster(t)
			r := newReader(t, c)
			c.Put(claims, made("stays", "a"))
			c.Put(claims, made("goes", "b", "Ready=True 4"))
			r.read()
			c.Delete(claims, "goes")
			c.Put(claims, made("stays", "a", "Ready=True 9"))
			c.Put(claims, made("comes", "c"))
			if refuse == nil {
				c.Forget()
			} else {
				c.Answer(func(w http.ResponseWriter, r *http.Request) bool {
					if r.URL.Query().Get("watch") == "" {
						return false
					}
					refuse(w)
					return true
				})
			}
			c.Asked()
			if err := r.turn(r.stream(ofClaims)); err != nil {
				t.Fatal(err)
			}
			c.Answer(nil)
			got := map[string]string{}
			for id, f := range r.requests() {
				got[id] = f.Status
			}
			if diff := cmp.Diff(map[string]string{"prod:stays": "ready", "prod:goes": "deleted", "prod:comes": "requested"}, got); diff != "" {
				t.Error(diff)
			}
			if f := r.requests()["prod:goes"]; !f.ReadyAt.Equal(seconds(4)) || !f.DeletedAt.Equal(r.now) {
				t.Errorf("what went unseen: %+v, want ready at the 4th second and deleted now", f)
			}
			c.Asked()
			r.turn(r.stream(ofClaims))
			if diff := cmp.Diff([]string{"watch " + claims}, c.Asked()); diff != "" {
				t.Errorf("after the list: %s", diff)
			}
		})
	}
}

func TestAListThatIsNotWholeDeletesNothing(t *testing.T) {
	many := 1200 // three pages
	for name, answer := range map[string]func(w http.ResponseWriter, r *http.Request) bool{
		"the second page fails": func(w http.ResponseWriter, r *http.Request) bool {
			if r.URL.Query().Get("continue") != "" {
				kubernetestest.Refuse(w, http.StatusInternalServerError, "InternalError", "etcd is away")
				return true
			}
			return false
		},
		"all pages fail": func(w http.ResponseWriter, r *http.Request) bool {
			kubernetestest.Refuse(w, http.StatusForbidden, "Forbidden", "no")
			return true
		},
		"an empty answer": func(w http.ResponseWriter, _ *http.Request) bool {
			fmt.Fprint(w, `{}`)
			return true
		},
		"a list without items": func(w http.ResponseWriter, _ *http.Request) bool {
			fmt.Fprint(w, `{"kind":"ThingList","metadata":{"resourceVersion":"9"}}`)
			return true
		},
		"a list that says that there is more, but not where": func(w http.ResponseWriter, _ *http.Request) bool {
			fmt.Fprint(w, `{"kind":"ThingList","metadata":{"resourceVersion":"9","remainingItemCount":3},"items":[]}`)
			return true
		},
		"a page of a proxy": func(w http.ResponseWriter, _ *http.Request) bool {
			fmt.Fprint(w, `<html>Sign in</html>`)
			return true
		},
		"half an answer": func(w http.ResponseWriter, _ *http.Request) bool {
			w.Header().Set("Content-Length", "1000")
			fmt.Fprint(w, `{"kind":"ThingList","metadata":{"resourceVersion":"9"},"items":[`)
			return true
		},
		"not found": func(w http.ResponseWriter, _ *http.Request) bool {
			kubernetestest.Refuse(w, http.StatusNotFound, "NotFound", "no")
			return true
		},
	} {
		t.Run(name, func(t *testing.T) {
			c := newCluster(t)
			r := newReader(t, c)
			for i := range many {
				c.Put(claims, made(fmt.Sprintf("u%04d", i), "a"))
			}
			r.readOf("nopresources")
			if n := len(r.requests()); n != many {
				t.Fatalf("%d requests, want %d", n, many)
			}
			c.Forget()
			told := len(r.told)
			c.Answer(func(w http.ResponseWriter, r *http.Request) bool {
				return r.URL.Query().Get("watch") == "" && strings.HasSuffix(r.URL.Path, "nopresources") && answer(w, r)
			})
			for range 3 {
				if err := r.turn(r.stream(ofClaims)); err == nil || fault.KindOf(err) == fault.Internal {
					t.Errorf("got %v, want a fault", err)
				}
			}
			if len(r.told) != told {
				t.Errorf("told %d facts: %+v", len(r.told)-told, r.told[told])
			}
			c.Answer(nil)
			c.Delete(claims, "u0001")
			for range 2 {
				if err := r.turn(r.stream(ofClaims)); err != nil {
					t.Fatal(err)
				}
			}
			gone := 0
			for _, f := range r.requests() {
				if f.Status == "deleted" {
					gone++
				}
			}
			if gone != 1 {
				t.Errorf("%d requests are gone once the list works again, want 1", gone)
			}
		})
	}
}

func TestAListThatExpiresMidwayIsBegunAgain(t *testing.T) {
	c := newCluster(t)
	for i := range 1200 {
		c.Put(claims, made(fmt.Sprintf("u%04d", i), "a"))
	}
	r := newReader(t, c)
	once := true
	c.Answer(func(w http.ResponseWriter, r *http.Request) bool {
		if once && r.URL.Query().Get("continue") != "" {
			once = false
			kubernetestest.Refuse(w, http.StatusGone, "Expired", "The provided continue parameter is too old")
			return true
		}
		return false
	})
	r.readOf("nopresources")
	for id, f := range r.requests() {
		if f.Status == "deleted" {
			t.Fatalf("%s is told as deleted", id)
		}
	}
	if n := len(r.requests()); n != 1200 {
		t.Errorf("%d requests, want 1200", n)
	}
}

func TestAWatchThatBreaksOffLosesNothing(t *testing.T) {
	for name, after := range map[string]string{
		"within a value": `{"type":"ADDED","object":{"meta`,
		"with an error":  `{"type":"ERROR","object":{"kind":"Status","code":500,"message":"etcd is away"}}`,
	} {
		t.Run(name, func(t *testing.T) {
			c := newCluster(t)
			r := newReader(t, c)
			r.read()
			c.Put(claims, made("u1", "a"))
			c.Put(claims, made("u2", "b"))
			c.Answer(func(w http.ResponseWriter, r *http.Request) bool {
				if r.URL.Query().Get("watch") == "" {
					return false
				}
				w.Header().Set("Content-Type", "application/json")
				fmt.Fprintf(w, `{"type":"ADDED","object":{"metadata":{"uid":"u1","name":"a","creationTimestamp":%q,"resourceVersion":"104"}}}`+"\n%s", kubernetestest.At(epoch), after)
				return true
			})
			if err := r.turn(r.stream(ofClaims)); fault.KindOf(err) != fault.Unavailable || err == nil {
				t.Errorf("got %v, want a fault: unavailable", err)
			}
			c.Answer(nil)
			r.read()
			if diff := cmp.Diff([]string{"prod:u1", "prod:u2"}, keys(r.requests())); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestEveryDayAllIsListed(t *testing.T) {
	c := newCluster(t)
	r := newReader(t, c)
	c.Put(claims, made("u1", "a"))
	r.read()
	r.now = r.now.Add(25 * time.Hour)
	c.Asked()
	if err := r.turn(r.stream(ofClaims)); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"watch " + claims, "list " + claims}, c.Asked()); diff != "" {
		t.Error(diff)
	}
}

func TestRefusalsSayWhatToDo(t *testing.T) {
	c := newCluster(t)
	r := newReader(t, c)
	r.read()
	c.Answer(func(w http.ResponseWriter, r *http.Request) bool {
		if strings.HasSuffix(r.URL.Path, "nopresources") {
			kubernetestest.Refuse(w, http.StatusForbidden, "Forbidden", `nopresources.nop.example.org is forbidden: User "system:serviceaccount:cairn:cairn" cannot watch resource`)
			return true
		}
		return false
	})
	err := r.turn(r.stream(ofClaims))
	if fault.KindOf(err) != fault.Denied || !strings.Contains(err.Error(), "ClusterRole") || !strings.Contains(err.Error(), "system:serviceaccount:cairn:cairn") {
		t.Errorf("forbidden: got %v", err)
	}
	access, err := r.link.Check(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	denied := map[string]bool{}
	for _, thing := range access.Things {
		denied[thing.What] = thing.Denied != ""
	}
	if diff := cmp.Diff(map[string]bool{"nopresources.nop.example.org": true, "tests.example.org": false, "upgrades.test.kratix.io": false}, denied); diff != "" {
		t.Errorf("check: %s", diff)
	}
	r.config.Kubeconfig = c.KubeconfigWith("an expired token")
	r.restart()
	if err := r.turn(r.stream("definitions")); fault.KindOf(err) != fault.Denied || !strings.Contains(err.Error(), "expired") {
		t.Errorf("expired: got %v", err)
	}
	c.Close()
	r.restart()
	if err := r.turn(r.stream("definitions")); fault.KindOf(err) != fault.Unavailable || strings.Contains(fmt.Sprint(err), "token") {
		t.Errorf("away: got %v", err)
	}
}

// Whatever happens in a cluster, and however cairn's turns, its ends and its beginnings lie in between: in the end every
// request is known, when it was first ready, and that it is gone.
func TestEveryHistoryIsToldTruly(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := kubernetestest.New()
		defer c.Close()
		c.Put(xrds, claimed())
		c.Serve(claims)
		r := newReader(t, c)
		r.read()
		type truth struct {
			uid     string
			ready   time.Time
			failed  time.Time
			gone    bool
			conds   []string
			labels  object
			changed time.Time
		}
		var all []*truth
		clock := 0
		alive := func() *truth {
			var some []*truth
			for _, o := range all {
				if !o.gone {
					some = append(some, o)
				}
			}
			if len(some) == 0 {
				return nil
			}
			return rapid.SampledFrom(some).Draw(t, "object")
		}
		put := func(o *truth) {
			thing := with(made(o.uid, "same-name", o.conds...), "labels", o.labels)
			if !o.changed.IsZero() {
				with(thing, "managedFields", []any{object{"time": kubernetestest.At(o.changed)}})
			}
			c.Put(claims, thing)
		}
		steps := rapid.IntRange(1, 40).Draw(t, "steps")
		for range steps {
			clock++
			switch rapid.SampledFrom([]string{"make", "ready", "unready", "error", "label", "delete", "read", "read", "kill", "restart", "forget", "refuse"}).Draw(t, "step") {
			case "make":
				o := &truth{uid: fmt.Sprintf("u%d", len(all)), labels: object{}}
				all = append(all, o)
				put(o)
			case "ready":
				if o := alive(); o != nil {
					o.conds = []string{"Synced=True 0", fmt.Sprintf("Ready=True %d", clock)}
					if o.ready.IsZero() {
						o.ready, o.failed = seconds(clock), time.Time{}
					}
					put(o)
				}
			case "unready":
				if o := alive(); o != nil {
					o.conds = []string{"Synced=True 0", fmt.Sprintf("Ready=False %d Unavailable", clock)}
					o.failed = time.Time{}
					put(o)
				}
			case "error":
				if o := alive(); o != nil && !slices.Contains(o.conds, "error") {
					o.conds = []string{fmt.Sprintf("Synced=False %d ReconcileError", clock)}
					if o.ready.IsZero() {
						o.failed = seconds(clock)
					}
					put(o)
				}
			case "label":
				if o := alive(); o != nil {
					o.labels, o.changed = object{"team": fmt.Sprint(clock)}, seconds(clock)
					put(o)
				}
			case "delete":
				if o := alive(); o != nil {
					o.gone = true
					c.Delete(claims, o.uid)
				}
			case "read":
				r.read()
			case "kill": // after the facts were stored, before the position was
				r.forgetful = true
				r.read()
				r.forgetful = false
				r.restart()
			case "restart":
				r.restart()
			case "forget": // between two turns, so that nothing happens that nobody could know
				r.read()
				c.Forget()
				r.read()
			case "refuse":
				c.Answer(func(w http.ResponseWriter, _ *http.Request) bool {
					kubernetestest.Refuse(w, http.StatusForbidden, "Forbidden", "no")
					return true
				})
				for _, s := range r.link.Connection.Streams() {
					if r.turn(s) == nil {
						t.Fatal("a refusal went unseen")
					}
				}
				c.Answer(nil)
			}
		}
		r.read()
		check := func(told []event.Event) {
			facts := kept(told)
			if len(facts) != len(all) {
				t.Fatalf("%d requests are known of %d", len(facts), len(all))
			}
			for _, o := range all {
				f := facts["kubernetes prod:"+o.uid].(*event.ProvisioningRequest)
				team, _ := o.labels["team"].(string)
				switch {
				case o.gone != (f.Status == "deleted"), !f.ReadyAt.Equal(o.ready), f.Team != team:
					t.Fatalf("%s: told %+v, want gone %v, ready %s, team %q", o.uid, f, o.gone, o.ready, team)
				case !o.gone && o.ready.IsZero() && !o.failed.IsZero() != (f.Status == "failed"):
					t.Fatalf("%s: told %s, failed since %s", o.uid, f.Status, o.failed)
				}
			}
		}
		check(r.told)
		check(reversed(r.told))
	})
}

func TestWhatIsGoneIsNoLongerRemembered(t *testing.T) {
	c := newCluster(t)
	r := newReader(t, c)
	c.Put(claims, made("u1", "a"))
	c.Put(claims, with(made("u1", "a"), "deletionTimestamp", kubernetestest.At(seconds(9))))
	r.read()
	c.Delete(claims, "u1") // nothing new to tell
	r.read()
	if strings.Contains(r.positions[ofClaims], "u1") {
		t.Errorf("the position is %s", r.positions[ofClaims])
	}
	if f := r.requests()["prod:u1"]; !f.DeletedAt.Equal(seconds(9)) {
		t.Errorf("deleted at %s, want when the object said", f.DeletedAt)
	}
}

func TestKindsAreKnownAgainAfterARestart(t *testing.T) {
	c := newCluster(t)
	r := newReader(t, c)
	r.read()
	r.restart()
	if n := len(r.link.Connection.Streams()); n != 4 {
		t.Errorf("%d streams, want the definitions and three kinds", n)
	}
	for stream, position := range map[string]string{"definitions": `{"v":9}`, ofClaims: `{"v":1,"objects":[]}`, "requests/x": `?`} {
		if err := r.link.Connection.Recall(stream, position); fault.KindOf(err) != fault.Invalid || err == nil {
			t.Errorf("%s: %s: got %v, want a fault: invalid", stream, position, err)
		}
	}
	if _, err := r.link.Connection.Turn(source.Stream{Name: "requests/gone.example.org"}, "", r.now); fault.KindOf(err) != fault.NotFound {
		t.Errorf("a kind that is gone: got %v", err)
	}
}

// A position is no larger than a store likes to keep it.
func TestAPositionIsBounded(t *testing.T) {
	if testing.Short() {
		t.Skip("ten thousand objects")
	}
	c := newCluster(t)
	r := newReader(t, c)
	for i := range 10_500 {
		c.Put(claims, made(fmt.Sprintf("%08d-8a5d-4896-bb6a-69d5dd2749a2", i), "a", fmt.Sprintf("Ready=True %d", i)))
	}
	r.readOf("nopresources")
	if n := len(r.requests()); n != 10_500 {
		t.Errorf("%d requests are told, want all 10500", n)
	}
	position := r.positions[ofClaims]
	if strings.Contains(position, "00000499-") || !strings.Contains(position, "00000500-") {
		t.Error("what was settled longest is not what is forgotten")
	}
	if len(position) > 2<<20 {
		t.Errorf("the position has %d bytes", len(position))
	}
	t.Logf("a position of 10000 objects has %d bytes", len(position))
	c.Delete(claims, "00000001-8a5d-4896-bb6a-69d5dd2749a2") // is forgotten, and told from what the cluster says of it
	r.readOf("nopresources")
	if f := r.requests()["prod:00000001-8a5d-4896-bb6a-69d5dd2749a2"]; f.Status != "deleted" || !f.ReadyAt.Equal(seconds(1)) {
		t.Errorf("got %+v", f)
	}
}
