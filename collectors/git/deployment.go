package git

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/cespare/xxhash/v2"

	"cairn/internal/event"
	"cairn/internal/progress"
)

// tellDeployments tells what the service's deployments are by DeployOn, as far as it was not told.
func (r *run) tellDeployments(ctx context.Context) error {
	cfg := r.s.cfg
	if cfg.DeployOn == DeployOnNone {
		return nil
	}
	state := r.next.Services[cfg.Service]
	settings := strconvHex(xxhash.Sum64String(fmt.Sprintf("%q %q %q %q %q",
		cfg.DeployOn, cfg.TagPattern, cfg.Environment, cfg.PrereleaseEnvironment, cfg.Environments)))
	teller := teller{run: r, changed: state.Settings != "" && state.Settings != settings, floor: state.Latest, latest: state.Latest}
	state.Settings = settings
	var err error
	if branch, ok := r.s.deployedBranch(); ok {
		state.Line, err = r.landings(ctx, &teller, branch, state.Line)
	} else {
		state.Tags, err = r.tagged(ctx, &teller, state.Tags)
	}
	state.Latest = teller.latest
	r.saveService(state)
	if n := int64(r.report.Deployments); n > 0 {
		r.s.progress.Report(progress.State{Stage: "deployments", Done: n, Total: n})
	}
	return err
}

// deployedBranch is the branch whose commits are deployments.
func (s *Source) deployedBranch() (string, bool) {
	return s.cfg.DeployOn, s.cfg.DeployOn != DeployOnTags && s.cfg.DeployOn != DeployOnNone
}

// deploys tells whether the tag is a deployment.
func (s *Source) deploys(t tag) bool {
	if s.cfg.DeployOn != DeployOnTags || t.commit == "" {
		return false
	}
	c := s.releases.classify(t.name)
	return c == classRelease || c == classPrerelease
}

// teller tells deployments so that the latest telling of each wins, without a clock: a deployment is told with its own
// time, and when it was told before with other content, with a time after every earlier telling of the service.
type teller struct {
	run     *run
	changed bool  // settings differ from those of the earlier tellings
	floor   int64 // latest updated_at of earlier runs, milliseconds
	latest  int64 // and of this one
}

func (t *teller) tell(d *event.Deployment, at int64, corrected bool) error {
	told := at
	if corrected {
		told = max(told, t.floor+1)
	}
	t.latest = max(t.latest, told)
	r := t.run
	d.Telling = event.Telling{Source: r.source, UpdatedAt: time.UnixMilli(told).UTC()}
	d.Service, d.Attempt, d.Status, d.Tool = r.s.cfg.Service, 1, "succeeded", "git"
	d.StartedAt, d.FinishedAt = time.UnixMilli(at).UTC(), time.UnixMilli(at).UTC()
	r.report.Deployments++
	r.report.in(d.Environment)
	r.s.progress.Report(progress.State{Stage: "deployments", Done: int64(r.report.Deployments)})
	return r.emit(d)
}

// tagged tells the release tags that are new or name something else than before. A tag that is gone leaves its
// deployment: it took place. packed is what earlier runs told, and so is what it returns.
func (r *run) tagged(ctx context.Context, teller *teller, packed string) (string, error) {
	states := unpackTags(packed)
	for _, t := range r.repo.tags {
		c := classNoCommit
		if t.commit != "" {
			c = r.s.releases.classify(t.name)
		}
		r.report.tag(c, t.name)
		if c != classRelease && c != classPrerelease {
			continue
		}
		name, object := hashOf(t.name), hashOf(t.object)
		before, known := states[name]
		corrected := known && (before != object || teller.changed)
		if known && !corrected && !r.s.cfg.Full {
			continue
		}
		at, err := r.taggedAt(ctx, t)
		if err != nil {
			return packed, err
		}
		environment, tier := r.s.releases.environment(t.name, c)
		err = teller.tell(&event.Deployment{
			ID:          clip(t.name, maxText),
			Environment: environment,
			Tier:        tier,
			Revisions:   []event.Revision{{Repository: r.s.repository, SHA: t.commit}},
			Version:     clip(t.name, maxText),
			Actor:       clip(strings.ToLower(t.tagger), maxText),
		}, at, corrected)
		if err != nil {
			return packed, err
		}
		states[name] = object
	}
	return states.pack(), nil
}

// taggedAt is when a release was made, in milliseconds: the tagger's date, and where there is none that can be, the
// commit's.
func (r *run) taggedAt(ctx context.Context, t tag) (int64, error) {
	tagged, isTagged := seconds(t.at)
	if isTagged && !r.future(tagged) {
		return tagged * 1000, nil
	}
	if t.nested { // git listed no date of the commit
		var err error
		if t.wrote, err = r.git.output(ctx, "log", "--no-walk", "--no-patch", "--format=%ct", t.commit); err != nil {
			return 0, err
		}
	}
	committed, isCommitted := seconds(t.wrote)
	if isTagged && (!isCommitted || r.future(committed)) {
		return tagged * 1000, nil
	}
	return committed * 1000, nil
}

// future tells whether a time, in seconds, lies so far ahead that the clock which gave it was wrong.
func (r *run) future(s int64) bool {
	asOf := r.s.cfg.AsOf
	return !asOf.IsZero() && s > asOf.Add(24*time.Hour).Unix()
}

// errNotAhead says that the branch's head does not continue the line that was told.
var errNotAhead = errors.New("the branch was rewritten")

// landings tells the commits of the branch's first-parent line, oldest first, each as a deployment at the instant it
// landed. It goes on after the commit that told names where the head continues its line, and tells the whole line where
// it does not.
//
// A commit lands at its committer date, but never before the commit that it follows: commits made earlier elsewhere
// and brought by a fast-forward, or dated by a slow clock, would otherwise ship before the commits they are built on,
// and be blamed for all of their lead time. The instants rise by at least a millisecond, so that order by time is order
// on the branch.
func (r *run) landings(ctx context.Context, teller *teller, branch string, told line) (line, error) {
	ref, err := r.repo.find(branch)
	if err != nil {
		return told, err
	}
	head := r.repo.heads[ref].sha
	if told.SHA == head && !teller.changed && !r.s.cfg.Full {
		return told, nil
	}
	if told.SHA != "" && told.SHA != head && !teller.changed && !r.s.cfg.Full {
		found, err := r.resolver.commit(told.SHA)
		if err != nil {
			return told, err
		}
		if found == told.SHA {
			last, err := r.land(ctx, teller, head, told)
			if !errors.Is(err, errNotAhead) {
				return last, err
			}
		}
	}
	return r.land(ctx, teller, head, line{})
}

// land tells the line of head from after the commit `from`, or from its beginning.
func (r *run) land(ctx context.Context, teller *teller, head string, from line) (line, error) {
	input := head + "\n"
	if from.SHA != "" {
		input += "^" + from.SHA + "\n"
	}
	last, empty := from, true
	err := r.git.stream(ctx, strings.NewReader(input), func(out *bufio.Reader) error {
		for fields := (&logReader{r: out}); ; {
			sha, err := fields.landing()
			if err == io.EOF {
				break
			}
			if err != nil {
				return err
			}
			if from.SHA != "" && empty && sha.parent != from.SHA {
				return errNotAhead
			}
			at := r.landedAt(sha, last)
			environment := r.s.cfg.Environment
			if err := teller.tell(&event.Deployment{
				ID:          sha.sha,
				Environment: environment,
				Tier:        tierOf(environment, DefaultEnvironment, "production"),
				Revisions:   []event.Revision{{Repository: r.s.repository, SHA: sha.sha}},
				Version:     sha.sha[:12],
			}, at, teller.changed); err != nil {
				return err
			}
			last, empty = line{SHA: sha.sha, At: at}, false
		}
		if empty {
			return errNotAhead // the head lies behind what was told
		}
		return nil
	}, "log", "--stdin", "-z", "--first-parent", "--reverse", "--no-patch", "--format="+landingFormat)
	return last, err
}

// landedAt is when a commit landed on the branch after the one before it, in milliseconds.
func (r *run) landedAt(l landing, last line) int64 {
	at, ok := seconds(l.committed)
	if !ok || r.future(at) {
		if at, ok = seconds(l.authored); !ok || r.future(at) {
			at = 0
		}
	}
	at *= 1000
	if last.SHA != "" {
		at = max(at, last.At+1)
	}
	return min(at, endOfTime*1000-1)
}

// landingFormat is a commit of the first-parent line, in fields that end in NUL.
const landingFormat = "tformat:%H%x00%P%x00%at%x00%ct"

// landing is one commit of the first-parent line, in git's own words.
type landing struct {
	sha, parent         string
	authored, committed string
}

// landing reads one commit in landingFormat, io.EOF after the last one.
func (l *logReader) landing() (landing, error) {
	if _, err := l.r.Peek(1); err != nil {
		return landing{}, err
	}
	var c landing
	for _, field := range []*string{&c.sha, &c.parent, &c.authored, &c.committed} {
		text, err := l.read()
		if err != nil {
			return landing{}, err
		}
		*field = string(text)
	}
	if !isSHA(c.sha) {
		return landing{}, fmt.Errorf("%w: %q is no sha", errRecord, c.sha)
	}
	c.parent, _, _ = strings.Cut(c.parent, " ")
	return c, nil
}
