package humanitec

import (
	"context"
	"errors"

	"cairn/internal/fault"
	"cairn/internal/rest"
	"cairn/internal/source"
)

// Check asks what the token may read, in a few requests. It tells a fault when the token is refused, or nothing can be
// asked.
func (c *Connection) Check(ctx context.Context) (source.Access, error) {
	var a source.Access
	if !c.cfg.Reads() {
		a.Notes = append(a.Notes, "No token is given: only webhooks are heard.")
		return a, nil
	}
	org := path("orgs", c.cfg.Organisation) + "/"
	things := []struct{ kind, what, path string }{
		{source.Workspaces, "the applications of " + c.cfg.Organisation, "apps"},
		{source.Deployments, "the artefact versions of " + c.cfg.Organisation + ", for the commits of images", "artefacts"},
	}
	if c.cfg.Version == V2 {
		things = []struct{ kind, what, path string }{
			{source.Workspaces, "the projects of " + c.cfg.Organisation, "projects"},
			{source.Deployments, "the deployments of " + c.cfg.Organisation, "deployments"},
		}
	}
	for _, thing := range things {
		denied := ""
		var ignored any
		err := c.api.Get(ctx, org+thing.path, nil, &ignored)
		switch kind := fault.KindOf(err); {
		case err == nil:
		case kind == fault.NotFound, kind == fault.Denied && !errors.Is(err, rest.ErrRefused):
			denied = err.Error()
		default:
			return a, err
		}
		a.Things = append(a.Things, source.Thing{Kind: thing.kind, What: thing.what, Denied: denied})
	}
	return a, nil
}
