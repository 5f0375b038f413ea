package metrics

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"cairn/internal/store"
)

// Inventory is who there is: every service and team that answers can be told apart by.
type Inventory struct {
	Services []ServiceOwners // by id
	Teams    []string        // by id
}

// ServiceOwners is a service with the teams that own it now.
type ServiceOwners struct {
	Service string   `ch:"service"`
	Owners  []string `ch:"owners"`
}

func (i Inventory) clone() Inventory { return i } // nobody changes it
func (i Inventory) points() int      { return 1 + (len(i.Services)+len(i.Teams))/10 }

// Inventory lists services and teams.
func (e *Engine) Inventory(ctx context.Context) (Inventory, error) {
	return answered(ctx, e, recordsKey{list: "inventory"}, func(ctx context.Context, _ bool) (Inventory, error) {
		var i Inventory
		parents, err := e.derive.Parents(ctx)
		if err == nil {
			i.Teams = slices.Sorted(maps.Keys(parents))
			err = e.st.Select(ctx, &i.Services, e.query("records/service_owners"), store.Params{"as_of": e.now().UTC()})
		}
		return i, listed("Inventory", err)
	})
}

// Instants says when something happened to a service.
type Instants struct {
	Service string      `ch:"service"`
	Earlier uint64      `ch:"earlier"` // how often it had happened before the span
	First   time.Time   `ch:"first"`   // the first time ever
	At      []time.Time `ch:"instants"`
}

type instantLists []Instants

func (l instantLists) clone() instantLists { return l } // nobody changes it
func (l instantLists) points() (n int) {
	for i := range l {
		n += 1 + len(l[i].At)/20
	}
	return n
}

// DeploymentInstants lists the instants in [from, to) at which services were deployed anew: the deployments that
// deployment_count counts, one by one. nil services are all. One that was not deployed before to is not in the list.
func (e *Engine) DeploymentInstants(ctx context.Context, services []string, environment string, from, to time.Time) ([]Instants, error) {
	if environment == "" {
		environment = Environment
	}
	key := recordsKey{list: "deployment instants", filter: [4]string{fmt.Sprint(services == nil), strings.Join(services, "\x00"), environment, fmt.Sprint(from.UnixMilli(), to.UnixMilli())}}
	return answered(ctx, e, key, func(ctx context.Context, _ bool) (instantLists, error) {
		var list instantLists
		err := e.st.Select(ctx, &list, e.query("records/deployment_instants"), store.Params{
			"environment": environment, "any_service": services == nil, "services": append([]string{}, services...),
			"from": from.UTC(), "to": to.UTC(), "as_of": e.now().UTC(),
		})
		return list, listed("DeploymentInstants", err)
	})
}

// IncidentInstants lists the instants in [from, to) at which incidents of services began, as the list of incidents has
// them: one that touched several services is in each one's. nil services are all. A service that had none before to is
// not in the list; incidents of no service are told of service "".
func (e *Engine) IncidentInstants(ctx context.Context, services []string, from, to time.Time) ([]Instants, error) {
	key := recordsKey{list: "incident instants", filter: [4]string{fmt.Sprint(services == nil), strings.Join(services, "\x00"), fmt.Sprint(from.UnixMilli(), to.UnixMilli())}}
	return answered(ctx, e, key, func(ctx context.Context, _ bool) (instantLists, error) {
		var list instantLists
		err := e.st.Select(ctx, &list, e.query("records/incident_instants"), store.Params{
			"any_service": services == nil, "services": append([]string{}, services...), "from": from.UTC(), "to": to.UTC(), "as_of": e.now().UTC(),
		})
		return list, listed("IncidentInstants", err)
	})
}
