package kubernetes

import (
	"context"
	"net/url"

	"cairn/internal/fault"
	"cairn/internal/source"
)

// Check asks which cluster it is and which kinds of objects may be read: a request for each kind, and some seven more.
func (c *Connection) Check(ctx context.Context) (source.Access, error) {
	var a source.Access
	var version struct{ GitVersion string }
	if err := c.api.get(ctx, "/version", nil, &version); err != nil {
		return a, err
	}
	a.Who = "an account of Kubernetes " + version.GitVersion + " at " + c.api.server
	kinds, err := c.definitions(ctx)
	if err != nil {
		return a, err
	}
	for _, k := range kinds {
		thing := source.Thing{Kind: k.stream().Kind, What: k.id()}
		var some page
		err := c.api.get(ctx, k.path(), url.Values{"limit": {"1"}}, &some)
		switch kind := fault.KindOf(err); {
		case err == nil:
		case kind == fault.Denied:
			thing.Denied = err.Error()
		case kind != fault.NotFound:
			return a, err
		}
		a.Things = append(a.Things, thing)
		a.Requests++
	}
	if len(kinds) == 0 {
		a.Notes = append(a.Notes, "Neither Crossplane nor Kratix defines anything to ask for here, and neither Flux nor Argo CD is installed.")
	}
	return a, nil
}
