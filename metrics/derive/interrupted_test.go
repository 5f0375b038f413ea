package derive_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"pgregory.net/rapid"

	"cairn/internal/event"
	"cairn/metrics/derive"
)

// countdown is a context that ends after it was asked so many times.
type countdown struct {
	context.Context
	end  context.CancelFunc
	left atomic.Int64
}

func countDown(n int) *countdown {
	c := &countdown{}
	c.Context, c.end = context.WithCancel(context.Background())
	c.left.Store(int64(n))
	return c
}

func (c *countdown) asked() {
	if c.left.Add(-1) < 0 {
		c.end()
	}
}

func (c *countdown) Done() <-chan struct{} {
	c.asked()
	return c.Context.Done()
}

func (c *countdown) Err() error {
	c.asked()
	return c.Context.Err()
}

// Wherever a derivation ends early, the next one makes the tables right: that of the same deriver, and that of a new
// one after the program was killed.
func TestAnInterruptedDerivationIsMadeGood(t *testing.T) {
	b := newBench(t)
	rapid.Check(t, func(t *rapid.T) {
		b.reset()
		tellings := rapid.Permutation(drawStory(t, "")).Draw(t, "order")
		config := drawConfig(t)
		d := b.deriver(config)
		interrupted := 0
		for rest := tellings; len(rest) > 0; {
			n := min(len(rest), rapid.IntRange(5, 30).Draw(t, "batch"))
			b.write(rest[:n]...)
			rest = rest[n:]
			err := d.CatchUp(countDown(rapid.IntRange(0, 400).Draw(t, "steps")))
			if err != nil {
				interrupted++
				if !errors.Is(err, context.Canceled) || !strings.HasPrefix(err.Error(), "derive.CatchUp: ") {
					t.Fatalf("interrupted: %v", err)
				}
			}
			if rapid.IntRange(1, 3).Draw(t, "killed") == 1 {
				d = b.deriver(config)
			}
		}
		b.catchUp(d)
		b.sameAsAnew(t, config)
	})
}

// Deriving everything anew changes nothing, and with other parameters it gives the tables of those.
func TestDerivingAnewDependsOnParametersAndFactsAlone(t *testing.T) {
	b := newBench(t)
	rapid.Check(t, func(t *rapid.T) {
		b.reset()
		b.write(drawStory(t, "")...)
		d := b.deriver()
		b.catchUp(d)
		d.Forget()
		b.catchUp(d)
		b.sameAsAnew(t)
		other := func(cfg *derive.Config) {
			cfg.Cutoff, cfg.RolloutWindow, cfg.InferHotfix, cfg.InferRevert = epoch.Add(60*time.Hour), 0, false, false
		}
		b.catchUp(b.deriver(other))
		b.sameAsAnew(t, other)
		b.catchUp(d) // has nothing to do by its own account
		d.Forget()
		b.catchUp(d)
		b.sameAsAnew(t)
	})
}

// Facts that are stored while a derivation runs are taken in by it or by the next one.
func TestFactsStoredDuringADerivationAreNotLost(t *testing.T) {
	b := newBench(t)
	rounds := 3
	if testing.Short() {
		rounds = 1
	}
	for round := range rounds {
		b.reset()
		tellings := rapid.Custom(func(t *rapid.T) []event.Event {
			var all []event.Event
			for _, prefix := range []string{"a-", "b-", "c-", "d-"} {
				all = append(all, drawStory(t, prefix)...)
			}
			return all
		}).Example(round)
		random := rand.New(rand.NewPCG(uint64(round), 1))
		random.Shuffle(len(tellings), func(i, j int) { tellings[i], tellings[j] = tellings[j], tellings[i] })
		d := b.deriver()
		var writers sync.WaitGroup
		const hands = 3
		for hand := range hands {
			writers.Go(func() {
				for i := hand; i < len(tellings); i += hands {
					b.write(tellings[i])
				}
			})
		}
		done := make(chan struct{})
		go func() {
			writers.Wait()
			close(done)
		}()
		var caughtUp atomic.Int64
		var readers sync.WaitGroup
		readers.Go(func() { // asks what attribution knows, meanwhile
			for {
				select {
				case <-done:
					return
				default:
				}
				if _, _, err := d.Service(context.Background(), "a-old"); err != nil {
					t.Error(err)
				}
				if _, err := d.Ownership(context.Background(), []string{"a-red"}); err != nil {
					t.Error(err)
				}
				time.Sleep(time.Millisecond)
			}
		})
		readers.Go(func() { // a second one that derives
			for {
				select {
				case <-done:
					return
				default:
					if err := d.CatchUp(context.Background()); err != nil {
						t.Error(err)
					}
					caughtUp.Add(1)
				}
			}
		})
		for running := true; running; caughtUp.Add(1) {
			select {
			case <-done:
				running = false
			default:
			}
			b.catchUp(d)
		}
		readers.Wait()
		if n := caughtUp.Load(); n < 3 {
			t.Errorf("derived only %d times while facts were stored", n)
		}
		b.sameAsAnew(t)
	}
}

// What a node with a wrong clock stamped hides nothing that comes later, and is taken in itself; so too when it
// becomes visible late.
func TestStampsNeedNotBeInOrder(t *testing.T) {
	stamp := func(b *bench, table, interval string) {
		b.exec("ALTER TABLE " + table + " UPDATE ingested_at = ingested_at " + interval + " WHERE true SETTINGS mutations_sync = 2")
	}
	tell := func(b *bench, tell func(*scene)) {
		s := &scene{}
		tell(s)
		b.write(s.list...)
	}
	b := newBench(t)
	for name, test := range map[string]func(d *derive.Deriver) *derive.Deriver{
		"ahead": func(d *derive.Deriver) *derive.Deriver {
			tell(b, (*scene).history)
			stamp(b, "deployments", "+ INTERVAL 1 HOUR")
			b.catchUp(d)
			tell(b, func(s *scene) { s.deploy("d5", 50, "c3") })
			return d
		},
		"ahead, then a restart": func(d *derive.Deriver) *derive.Deriver {
			tell(b, (*scene).history)
			stamp(b, "commits", "+ INTERVAL 1 HOUR")
			b.catchUp(d)
			tell(b, func(s *scene) { s.commit("c9", 9, []string{"c4"}) })
			tell(b, func(s *scene) { s.deploy("d5", 50, "c9") })
			return b.deriver()
		},
		"late": func(d *derive.Deriver) *derive.Deriver {
			tell(b, (*scene).history)
			b.catchUp(d)
			tell(b, func(s *scene) { s.deploy("d5", 50, "c3") })
			b.exec("ALTER TABLE deployments UPDATE ingested_at = ingested_at - INTERVAL 1 MINUTE WHERE id = 'd5' SETTINGS mutations_sync = 2")
			return d
		},
		"back, by the bookmark": func(d *derive.Deriver) *derive.Deriver {
			tell(b, (*scene).history)
			b.catchUp(d)
			stamp(b, "deployments", "- INTERVAL 3 HOUR")
			b.exec("INSERT INTO cursors (owner, stream, position, updated_at) SELECT owner, stream, replaceRegexpOne(position, '\"position\":\"\\\\d+', '\"position\":\"9999'), now64(6) + 1 FROM cursors FINAL")
			tell(b, func(s *scene) { s.deploy("d5", 50, "c3") })
			return b.deriver()
		},
		"revisions of the future": func(d *derive.Deriver) *derive.Deriver {
			tell(b, (*scene).history)
			b.catchUp(d)
			for _, table := range derived {
				b.exec("INSERT INTO " + table + " SELECT * REPLACE (revision + 3600000000000 AS revision) FROM " + table + " FINAL")
			}
			b.exec("INSERT INTO cursors (owner, stream, position, updated_at) SELECT owner, stream, replaceRegexpOne(position, '\"revision\":\\\\d+', concat('\"revision\":', toString(toUnixTimestamp64Nano(now64(9)) + 3600000000000))), now64(6) + 1 FROM cursors FINAL")
			tell(b, func(s *scene) { s.deploy("d1", 10, "c1", status("failed")) })
			return b.deriver()
		},
	} {
		t.Run(name, func(t *testing.T) {
			b.reset()
			d := test(b.deriver())
			b.catchUp(d)
			b.sameAsAnew(t)
		})
	}
}
