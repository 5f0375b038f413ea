package gitlab

import (
	"context"
	"strings"
	"time"

	"cairn/internal/fault"
)

// readDeployments makes a turn over a project's deployments.
func readDeployments(ctx context.Context, t *Turn) error {
	return readWalk(ctx, t, func(p *walked) walk[deployment] {
		return walk[deployment]{
			path: t.repo.in("/deployments"), size: perPage,
			key: func(d deployment) (int64, time.Time) { return d.ID, d.UpdatedAt.Time },
			tell: func(ctx context.Context, d deployment) error {
				if p.Tiers == nil {
					p.Tiers = map[string]string{}
				}
				return t.deployment(ctx, d, p.Tiers)
			},
		}
	})
}

// refreshDeployment tells one deployment again.
func refreshDeployment(ctx context.Context, t *Turn, subject string) error {
	id, err := number(t, subject)
	if err != nil {
		return err
	}
	var d deployment
	if err := t.get(ctx, t.repo.in("/deployments/"+itoa(id)), nil, &d); err != nil {
		return err
	}
	return t.deployment(ctx, d, map[string]string{})
}

func (t *Turn) deployment(ctx context.Context, d deployment, tiers map[string]string) error {
	if d.Environment.Tier == "" {
		tier, err := t.tierOf(ctx, d.Environment.Name, tiers)
		if err != nil {
			return err
		}
		d.Environment.Tier = tier
	}
	fact, verdict := t.c.t.deployment(t.repo, d)
	return t.deployed(fact, verdict.Rule, "deployment "+itoa(d.ID)+" to "+clip(d.Environment.Name))
}

// maxTiers bounds the environments whose tiers are kept.
const maxTiers = 200

// tierOf is the tier of an environment, which the list of deployments leaves out: one request for each environment,
// kept with the position. The environments of branches (review/…), of which there is one each, are not asked for: GitLab
// has them for development.
func (t *Turn) tierOf(ctx context.Context, name string, tiers map[string]string) (string, error) {
	if tier, known := tiers[name]; known {
		return tier, nil
	}
	if folder, _, nested := strings.Cut(name, "/"); nested && strings.EqualFold(folder, "review") {
		return "development", nil
	}
	t.requests++
	found, _, err := list[environment](ctx, t.c.api, t.repo.in("/environments"), query{"name": name})
	if kind := fault.KindOf(err); err != nil && kind != fault.NotFound && kind != fault.Denied {
		return "", err
	}
	tier := ""
	for _, e := range found {
		if e.Name == name {
			tier = e.Tier
		}
	}
	if len(tiers) >= maxTiers {
		clear(tiers)
	}
	tiers[name] = tier
	return tier, nil
}
