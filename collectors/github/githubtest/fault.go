package githubtest

import (
	"bytes"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"time"
)

// FaultKind is a way in which a request goes wrong.
type FaultKind string

// The kinds of faults.
const (
	Primary403          FaultKind = "primary limit, 403"
	Primary429          FaultKind = "primary limit, 429"
	Secondary           FaultKind = "secondary limit, without a word for how long"
	SecondaryRetryAfter FaultKind = "secondary limit, with Retry-After"
	BadGateway          FaultKind = "502"
	Slow                FaultKind = "slow"
	CutBody             FaultKind = "cut body"
	Truncated           FaultKind = "truncated JSON"
	Missing             FaultKind = "404"
)

// FaultKinds are those that pass by themselves.
var passing = []FaultKind{Primary403, Primary429, Secondary, SecondaryRetryAfter, BadGateway, Slow, CutBody, Truncated}

// FaultKinds are the kinds that pass by themselves: a client that waits and asks again gets everything.
func FaultKinds() []FaultKind { return slices.Clone(passing) }

// Fault is one thing that goes wrong.
type Fault struct {
	Kind FaultKind
	// Path is a part of the paths that it is about; "" is every path.
	Path string
	// After is how many such requests go well before; Times is how many go wrong then, 0 is 1, negative all.
	After, Times int
	// Wait is how long a slow answer takes, and what Retry-After asks for; default 20 seconds.
	Wait time.Duration
}

func (f *Fault) wait() time.Duration {
	if f.Wait == 0 {
		return 20 * time.Second
	}
	return f.Wait
}

// chaos is faults at random.
type chaos struct {
	rand  *rand.Rand
	share float64
	kinds []FaultKind
}

// churn is changes at random while lists are being read.
type churn struct {
	rand  *rand.Rand
	share float64
	left  int
}

// Inject has things go wrong.
func (f *Fake) Inject(faults ...Fault) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, fault := range faults {
		if fault.Times == 0 {
			fault.Times = 1
		}
		f.faults = append(f.faults, &fault)
	}
}

// Chaos has a share of all requests go wrong in one of the ways; a share of 0 ends it.
func (f *Fake) Chaos(seed uint64, share float64, kinds ...FaultKind) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.chaos = &chaos{rand.New(rand.NewPCG(seed, 2)), share, kinds}
}

// Churn has repositories change while their lists are read: after a share of the pages that have a next one (and of the answers of
// GraphQL), something happens in that repository that moves things between pages. It happens n times at most.
func (f *Fake) Churn(seed uint64, share float64, n int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.churn = &churn{rand.New(rand.NewPCG(seed, 3)), share, n}
}

// Heal ends all faults and churn, except that a revoked credential stays revoked.
func (f *Fake) Heal() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.faults, f.chaos, f.churn, f.blocked = nil, nil, nil, time.Time{}
}

// Revoke makes a credential bad.
func (f *Fake) Revoke(token string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.tokens, token)
}

// Grant makes a credential good.
func (f *Fake) Grant(token string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.tokens[token] = time.Time{}
}

func (f *Fake) faultFor(r *http.Request, shape string) *Fault {
	for _, fault := range f.faults {
		if fault.Times == 0 || !strings.Contains(r.URL.Path, fault.Path) && !strings.Contains(shape, fault.Path) {
			continue
		}
		if fault.After > 0 {
			fault.After--
			continue
		}
		fault.Times--
		return fault
	}
	if c := f.chaos; c != nil && c.rand.Float64() < c.share {
		return &Fault{Kind: c.kinds[c.rand.IntN(len(c.kinds))]}
	}
	return nil
}

// stir lets something happen in the repository that was asked about.
func (f *Fake) stir(r *http.Request, body []byte, link string) {
	c := f.churn
	if c == nil || c.left == 0 || c.rand.Float64() >= c.share {
		return
	}
	if r.URL.Path != "/graphql" && !strings.Contains(link, `rel="next"`) {
		return
	}
	var repo *repository
	for _, x := range f.world.repos {
		if strings.Contains(r.URL.Path+"/", "/repos/"+x.full()+"/") || bytes.Contains(body, []byte(`"`+x.name+`"`)) {
			repo = x
		}
	}
	if repo == nil { // the list of repositories
		repo = f.world.repos[c.rand.IntN(len(f.world.repos))]
	}
	if repo.deleted || repo.archived || repo.head == "" {
		return
	}
	c.left--
	f.change(repo, c.rand)
}
