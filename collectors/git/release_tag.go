package git

import (
	"context"
	"strings"
	"time"

	"cairn/internal/event"
)

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

// tellReleases tells which commit each tag with a version stands for, as far as it was not told. A tag that is gone leaves
// its artifact.
func (r *run) tellReleases(ctx context.Context) error {
	if !r.s.cfg.Releases {
		return nil
	}
	states := unpackTags(r.old.Releases)
	latest := r.old.ReleasesLatest
	for _, t := range r.repo.tags {
		if _, _, ok := version(t.name); !ok || t.commit == "" {
			continue
		}
		name, object := hashOf(t.name), hashOf(t.object)
		before, known := states[name]
		if known && before == object && !r.s.cfg.Full {
			continue
		}
		at, err := r.taggedAt(ctx, t)
		if err != nil {
			return err
		}
		told := at
		if known && before != object { // the tag was moved: what is told now holds, whatever the dates say
			told = max(told, r.old.ReleasesLatest+1)
		}
		latest = max(latest, told)
		tag := clip(t.name, maxText-len(r.s.repository)-1)
		if err := r.emit(&event.Artifact{
			Telling: event.Telling{Source: r.source, UpdatedAt: time.UnixMilli(told).UTC()},
			ID:      r.s.repository + ":" + tag, Version: tag, Repository: r.s.repository, SHA: t.commit, BuiltAt: time.UnixMilli(at).UTC(),
		}); err != nil {
			return err
		}
		states[name] = object
	}
	r.next.Releases, r.next.ReleasesLatest = states.pack(), latest
	return nil
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
