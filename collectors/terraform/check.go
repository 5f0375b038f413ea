package terraform

import (
	"context"
	"encoding/json"
	"net/url"
	"slices"

	"cairn/internal/fault"
	"cairn/internal/source"
)

// Check asks who the token is and what it may read, in a few requests. It tells a fault when the token is refused, or
// nothing can be asked.
func (c *Connection) Check(ctx context.Context) (source.Access, error) {
	var a source.Access
	if !c.cfg.Reads() {
		a.Notes = append(a.Notes, "No token is given: only notifications are heard.")
		return a, nil
	}
	account, err := c.api.get(ctx, "account/details", nil)
	switch {
	case err == nil:
		var who thing
		var attributes struct{ Username string }
		_ = json.Unmarshal(account.Data, &who)
		_ = json.Unmarshal(who.Attributes, &attributes)
		a.Who = attributes.Username
	case fault.KindOf(err) != fault.NotFound: // a token of an organisation has no account
		return a, err
	}
	for _, organisation := range c.cfg.Organisations {
		what := source.Thing{Kind: source.Workspaces, What: "the workspaces of " + organisation}
		things, d, err := c.api.list(ctx, "organizations/"+url.PathEscape(organisation)+"/workspaces", nil, 1)
		switch kind := fault.KindOf(err); {
		case err == nil:
		case kind == fault.NotFound, kind == fault.Denied:
			what.Denied = err.Error()
		default:
			return a, err
		}
		a.Things = append(a.Things, what)
		total := max(int(d.Meta.Pagination.Total), len(things))
		a.Requests += int64(total) * 2 // a page of runs each, and a little more for some
		first := ""
		for _, one := range things {
			var attributes struct{ Name string }
			_ = json.Unmarshal(one.Attributes, &attributes)
			if c.cfg.Workspaces.takes(attributes.Name) && first == "" {
				first = one.ID
				a.Examples = append(a.Examples, organisation+"/"+attributes.Name)
			}
		}
		if first == "" {
			if err == nil {
				a.Notes = append(a.Notes, "No workspace of "+organisation+" that is shown to the token matches: see workspaces.")
			}
			continue
		}
		if err := c.try(ctx, &a, first); err != nil {
			return a, err
		}
	}
	return a, nil
}

// try asks for the runs of a workspace, and for a plan where plans are read.
func (c *Connection) try(ctx context.Context, a *source.Access, workspace string) error {
	runs := source.Thing{Kind: source.Requests, What: "the runs of the workspace " + workspace}
	things, _, err := c.api.list(ctx, "workspaces/"+url.PathEscape(workspace)+"/runs", nil, 1)
	if kind := fault.KindOf(err); err != nil && kind != fault.NotFound && kind != fault.Denied {
		return err
	} else if err != nil {
		runs.Denied = err.Error()
	}
	a.Things = append(a.Things, runs)
	at := slices.IndexFunc(things, func(t thing) bool { return t.related("plan") != "" })
	if len(c.cfg.GoldenModules) == 0 || at < 0 {
		return nil
	}
	_, err = c.api.Read(ctx, "plans/"+url.PathEscape(things[at].related("plan"))+"/json-output", nil)
	if kind := fault.KindOf(err); err != nil && (kind == fault.NotFound || kind == fault.Denied) {
		a.Notes = append(a.Notes, "The plans of the workspace "+workspace+" are not shown to the token: golden_modules needs one with admin access to the workspaces. Without, modules are not known.")
	}
	return nil
}
