// Package jenkins collects from Jenkins: it reads the builds of jobs, and hears the webhooks of the Notification plugin, by
// which a build is read soon. A webhook alone does not tell when a build began.
package jenkins

import (
	"cmp"
	"context"
	"encoding/base64"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"cairn/internal/event"
	"cairn/internal/fault"
	"cairn/internal/hook"
	"cairn/internal/reading"
	"cairn/internal/rest"
	"cairn/internal/rules"
	"cairn/internal/signature"
	"cairn/internal/source"
)

// Config are the settings of a connection.
type Config struct {
	Name  string        `yaml:"name"`
	URL   string        `yaml:"url"`
	User  string        `yaml:"user"`
	Token string        `yaml:"token" secret:"true"` // an API token of the user
	Jobs  JobsConfig    `yaml:"jobs"`
	Every time.Duration `yaml:"every"` // how long news may wait without a webhook
	Since time.Time     `yaml:"since"` // how far back history is read; zero: all that Jenkins keeps

	// Repositories say by the name of a job, or of what its builds check out, which repository is built.
	Repositories []rules.RepositoryName `yaml:"repositories"`
	// Libraries are patterns of repositories that builds check out beside what they build.
	Libraries []string `yaml:"libraries"`
	// Unstable is what an unstable build is: failed or succeeded.
	Unstable string `yaml:"unstable"`

	// How the Notification plugin shows who it is; without any no webhooks are heard.
	WebhookTokens []string   `yaml:"webhook_tokens" secret:"true"` // Authorization: Bearer
	WebhookBasic  hook.Basic `yaml:"webhook_basic"`
	WebhookHeader hook.Token `yaml:"webhook_header"`
}

// JobsConfig are patterns of full names of jobs, such as acme/shop/main.
type JobsConfig struct {
	Include []string `yaml:"include"` // empty: all
	Exclude []string `yaml:"exclude"`
}

// DefaultConfig returns the settings that hold when nothing is said.
func DefaultConfig() Config {
	return Config{Name: "jenkins", Every: 5 * time.Minute, Unstable: failed}
}

const (
	failed    = "failed"
	succeeded = "succeeded"
)

// Hears says whether webhooks can be told from anybody's.
func (cfg Config) Hears() bool {
	return len(cfg.WebhookTokens)+len(cfg.WebhookBasic.Passwords)+len(cfg.WebhookHeader.Secrets) > 0
}

func (cfg Config) address() (*url.URL, error) {
	if cfg.URL == "" || cfg.User == "" || cfg.Token == "" {
		return nil, fault.New(fault.Invalid, "url, user and token are needed: the address of Jenkins, and a user of it with an API token; webhooks only say that there is something to read")
	}
	return rest.Address("url", cfg.URL)
}

// NewCredential makes what adds user and token to requests.
func NewCredential(cfg Config, next http.RoundTripper) (http.RoundTripper, error) {
	at, err := cfg.address()
	if err != nil {
		return nil, err
	}
	return &rest.Credential{Header: "Authorization", Value: "Basic " + base64.StdEncoding.EncodeToString([]byte(cfg.User+":"+cfg.Token)), At: at, Next: next}, nil
}

// Connection reads one Jenkins and hears its webhooks. It is safe for use from several goroutines.
type Connection struct {
	*reading.Connection
	cfg                                        Config
	rules                                      *rules.Rules
	api                                        rest.API
	scheme                                     *signature.Scheme // nil: webhooks are not heard
	repositories, libraries, include, excluded *rules.Names
}

// New makes a connection. Errors are fault.Invalid.
func New(cfg Config, r *rules.Rules, client *http.Client) (*Connection, error) {
	at, err := cfg.address()
	switch {
	case err != nil:
		return nil, err
	case cfg.Every < time.Minute:
		return nil, fault.New(fault.Invalid, "every is %s: give a minute or more", cfg.Every)
	case cfg.Unstable != failed && cfg.Unstable != succeeded:
		return nil, fault.New(fault.Invalid, "unstable is %q: expected failed or succeeded", cfg.Unstable)
	}
	c := &Connection{cfg: cfg, rules: r, api: rest.API{Name: cfg.Name, System: "Jenkins", Base: at, Client: client, Needs: "the permissions Overall/Read and Job/Read"}}
	if c.repositories, err = rules.Repositories("repositories", cfg.Repositories); err != nil {
		return nil, err
	}
	for _, list := range []struct {
		place    string
		patterns []string
		into     **rules.Names
	}{{"libraries", cfg.Libraries, &c.libraries}, {"jobs.include", cfg.Jobs.Include, &c.include}, {"jobs.exclude", cfg.Jobs.Exclude, &c.excluded}} {
		var names []rules.ServiceName
		for _, pattern := range list.patterns {
			names = append(names, rules.ServiceName{Match: pattern, Service: "fits"})
		}
		if *list.into, err = rules.Services(list.place, names); err != nil {
			return nil, err
		}
	}
	if cfg.Hears() {
		agreed := hook.Agreed{Bearer: cfg.WebhookTokens, Basic: cfg.WebhookBasic, Token: cfg.WebhookHeader}
		if c.scheme, err = agreed.Scheme("set webhook_tokens, webhook_basic or webhook_header"); err != nil {
			return nil, err
		}
	}
	c.Connection = reading.Connect(reading.Plan{
		Name: cfg.Name, Every: cfg.Every, Find: c.find,
		Kinds: map[string]reading.Lister{source.Runs: reading.List[build]{
			Since: cfg.Since, Page: c.builds, One: c.build, Tell: c.tell,
			Key: func(b build) reading.Key {
				return reading.Key{ID: strconv.FormatInt(b.Number, 10), At: b.at(), Open: b.running()}
			},
		}},
	})
	return c, nil
}

// job is a job or a folder of them.
type job struct {
	FullName string
	Jobs     *[]job // of folders; jobs have none
}

// depth is how deep folders lie in each other at most; a branch of a project in two folders is the fourth.
const depth = 8

func jobTree(depth int) string {
	if depth == 0 {
		return "fullName"
	}
	return "fullName,jobs[" + jobTree(depth-1) + "]"
}

// find lists all jobs in one request.
func (c *Connection) find(ctx context.Context, t *reading.Turn, _ string) ([]reading.Group, string, error) {
	var root job
	t.Asked()
	if err := c.api.Get(ctx, "api/json", url.Values{"tree": {"jobs[" + jobTree(depth) + "]"}}, &root); err != nil {
		return nil, "", err
	}
	var groups []reading.Group
	var walk func(jobs []job)
	walk = func(jobs []job) {
		for _, j := range jobs {
			if j.Jobs != nil {
				walk(*j.Jobs)
			} else if c.wanted(j.FullName) {
				groups = append(groups, reading.Group{Fact: j.FullName, Path: j.FullName})
			}
		}
	}
	if root.Jobs != nil {
		walk(*root.Jobs)
	}
	return groups, "", nil
}

func (c *Connection) wanted(name string) bool {
	if _, out := c.excluded.Of(name); out || name == "" {
		return false
	}
	_, in := c.include.Of(name)
	return in || len(c.cfg.Jobs.Include) == 0
}

// build is a build of a job.
type build struct {
	Number    int64
	Timestamp int64 // milliseconds
	Duration  int64 // milliseconds; 0 while it runs
	Result    string
	Building  bool
	URL       string
	Actions   []struct {
		LastBuiltRevision *struct {
			SHA1   string
			Branch []struct{ SHA1, Name string }
		}
		RemoteURLs []string `json:"remoteUrls"`
		Causes     []struct{ UserID string }
	}
}

const buildTree = "number,timestamp,duration,result,building,url,actions[lastBuiltRevision[SHA1,branch[SHA1,name]],remoteUrls,causes[userId]]"

func (b build) at() time.Time { return time.UnixMilli(b.Timestamp).UTC() }

func (b build) running() bool { return b.Building || b.Result == "" }

// path is where a job is. A branch with a slash has it escaped in its name, and that is escaped again.
func path(name string) string {
	var b strings.Builder
	for part := range strings.SplitSeq(name, "/") {
		b.WriteString("job/" + url.PathEscape(part) + "/")
	}
	return b.String()
}

// pageSize is how many builds are asked for at a time.
const pageSize = 100

func (c *Connection) builds(ctx context.Context, t *reading.Turn, cursor string) ([]build, string, error) {
	from, _ := strconv.Atoi(cursor)
	var answer struct{ AllBuilds []build }
	t.Asked()
	tree := "allBuilds[" + buildTree + "]{" + strconv.Itoa(from) + "," + strconv.Itoa(from+pageSize) + "}"
	if err := c.api.Get(ctx, path(t.Group.Path)+"api/json", url.Values{"tree": {tree}}, &answer); err != nil {
		return nil, "", err
	}
	if len(answer.AllBuilds) < pageSize {
		return answer.AllBuilds, "", nil
	}
	return answer.AllBuilds, strconv.Itoa(from + pageSize), nil
}

func (c *Connection) build(ctx context.Context, t *reading.Turn, number string) (build, error) {
	if _, err := strconv.ParseInt(number, 10, 64); err != nil {
		return build{}, fault.New(fault.NotFound, "%s: %.40q is no number of a build", c.cfg.Name, number)
	}
	var b build
	t.Asked()
	err := c.api.Get(ctx, path(t.Group.Path)+number+"/api/json", url.Values{"tree": {buildTree}}, &b)
	return b, err
}

// tell tells a build, and the deployment that rules make of it.
func (c *Connection) tell(_ context.Context, t *reading.Turn, b build) error {
	run := c.run(t.Group.Fact, b)
	if err := t.Tell(&run.PipelineRun); err != nil {
		return err
	}
	facts, verdict := reading.Deployment(c.rules, "build:"+run.ID, run)
	t.Judged(verdict, t.Group.Fact+" of "+run.Repository)
	return t.Tell(facts...)
}

// run is the fact of a build. Numbers begin again when a job is made anew, so the instant is part of the id.
func (c *Connection) run(name string, b build) reading.Run {
	repository, sha, ref := c.checkedOut(name, b)
	fact := event.PipelineRun{
		Telling:    event.Telling{Source: c.cfg.Name, UpdatedAt: b.at()},
		Repository: reading.Clip(repository), ID: reading.Clip(name + "#" + strconv.FormatInt(b.Number, 10) + "@" + strconv.FormatInt(b.Timestamp, 10)),
		Attempt: 1, Name: reading.Clip(name), SHA: sha, Ref: reading.Clip(ref), Status: c.status(b), QueuedAt: b.at(), StartedAt: b.at(), URL: reading.Clip(b.URL),
	}
	if !b.running() {
		fact.FinishedAt = b.at().Add(time.Duration(max(b.Duration, 0)) * time.Millisecond)
		fact.UpdatedAt = fact.FinishedAt
	}
	r := reading.Run{PipelineRun: fact, From: rules.FromWorkflow, Tool: "jenkins"}
	for _, a := range b.Actions {
		for _, cause := range a.Causes {
			r.Actor = reading.Clip(cmp.Or(r.Actor, cause.UserID))
		}
	}
	return r
}

func (c *Connection) status(b build) string {
	if b.running() {
		return "in_progress"
	}
	switch b.Result {
	case "SUCCESS":
		return succeeded
	case "FAILURE":
		return failed
	case "UNSTABLE":
		return c.cfg.Unstable
	case "ABORTED":
		return "cancelled"
	}
	return "skipped" // NOT_BUILT, and what is not invented yet
}

// checkedOut is what a build built. Of several checkouts it is that of the repository that a rule names for the job, else
// one that is called as a part of the job's name, else the first that is no library. Without any, the job stands for a
// repository.
func (c *Connection) checkedOut(name string, b build) (repository, sha, ref string) {
	type checkout struct{ repository, sha, ref string }
	var all []checkout
	for _, a := range b.Actions {
		if a.LastBuiltRevision == nil || len(a.RemoteURLs) == 0 {
			continue
		}
		id := reading.RepositoryOf(a.RemoteURLs[0])
		if _, library := c.libraries.Of(id); library || id == "" {
			continue
		}
		one := checkout{repository: c.repositories.Or(id), sha: a.LastBuiltRevision.SHA1}
		for _, branch := range a.LastBuiltRevision.Branch {
			one.ref = cmp.Or(one.ref, reading.Branch(branch.Name))
		}
		all = append(all, one)
	}
	named, byRule := c.repositories.Of(name)
	if byRule && named != "" {
		for _, one := range all {
			if one.repository == named {
				return named, one.sha, one.ref
			}
		}
		if len(all) == 1 {
			return named, all[0].sha, all[0].ref
		}
		return named, "", ""
	}
	parts := strings.Split(name, "/")
	for _, one := range all {
		if slices.Contains(parts, one.repository[strings.LastIndexByte(one.repository, '/')+1:]) {
			return one.repository, one.sha, one.ref
		}
	}
	if len(all) > 0 {
		return all[0].repository, all[0].sha, all[0].ref
	}
	return name, "", ""
}

// Verify says whether the request shows what was agreed: nil, or fault.Denied.
func (c *Connection) Verify(h http.Header, body []byte, now time.Time) error {
	return c.scheme.Verify(h, body, now)
}

// notification is what the Notification plugin sends.
type notification struct {
	URL   string // job/acme/job/shop/
	Build struct {
		Number    int64
		Phase     string
		Timestamp int64
	}
}

// Describe makes the delivery of a verified request. The plugin sends no id.
func (c *Connection) Describe(h http.Header, body []byte) source.Delivery {
	var n notification
	_ = hook.Decode(body, &n) // Hear says what is wrong with it
	return hook.Describe(c.cfg.Name, strings.ToLower(n.Build.Phase), "", h, body)
}

// Reasons to ignore a delivery.
const (
	ignoredQueued = "a build that has no number yet"
	ignoredJob    = "a job that is left out"
)

// Hear says which build is to be read. An error, a fault.Invalid, says that it cannot be understood.
func (c *Connection) Hear(d source.Delivery) (source.Heard, error) {
	var n notification
	if err := hook.Decode(d.Body, &n); err != nil {
		return source.Heard{}, err
	}
	var parts []string
	rest := strings.Trim(n.URL, "/")
	for strings.HasPrefix(rest, "view/") { // of the page on which somebody began the build
		_, below, _ := strings.Cut(strings.TrimPrefix(rest, "view/"), "/")
		rest = below
	}
	for rest != "" {
		after, is := strings.CutPrefix(rest, "job/")
		if !is {
			return source.Heard{}, fault.New(fault.Invalid, "url is not the path of a job, such as job/acme/job/shop/")
		}
		part, next, _ := strings.Cut(after, "/")
		plain, err := url.PathUnescape(part)
		if err != nil {
			return source.Heard{}, fault.New(fault.Invalid, "url is not the path of a job, such as job/acme/job/shop/")
		}
		parts, rest = append(parts, plain), next
	}
	name := strings.Join(parts, "/")
	switch {
	case name == "" || n.Build.Phase == "":
		return source.Heard{}, fault.New(fault.Invalid, "the payload has no url or no build.phase: the Notification plugin sends both, as JSON")
	case n.Build.Phase == "QUEUED" || n.Build.Number == 0:
		return source.Heard{Ignored: ignoredQueued}, nil
	case !c.wanted(name):
		return source.Heard{Ignored: ignoredJob}, nil
	}
	for _, g := range c.Groups() {
		if g.Fact == name {
			return source.Heard{Wakes: []source.Wake{{Stream: reading.StreamOf(name, source.Runs), Subject: strconv.FormatInt(n.Build.Number, 10)}}}, nil
		}
	}
	return source.Heard{Wakes: []source.Wake{{Stream: source.Repositories}}}, nil // a job that is new
}

// Check asks who the token is and what it may read.
func (c *Connection) Check(ctx context.Context) (source.Access, error) {
	a := source.Access{Who: c.cfg.User}
	turn := &reading.Turn{}
	groups, _, err := c.find(ctx, turn, "")
	if err != nil {
		return a, err
	}
	a.Things = append(a.Things, source.Thing{Kind: source.Repositories, What: "the jobs"})
	a.Repositories, a.Listed, a.Requests = len(groups), len(groups), 1+2*int64(len(groups))
	for _, g := range groups[:min(len(groups), 5)] {
		a.Examples = append(a.Examples, g.Fact)
	}
	if len(groups) == 0 {
		a.Notes = append(a.Notes, "No job that is shown to this user matches: see jobs.include and jobs.exclude.")
	}
	return a, nil
}
