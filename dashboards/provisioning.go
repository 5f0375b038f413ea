package dashboards

import (
	"cmp"

	"github.com/labstack/echo/v4"

	"cairn/metrics"
	"cairn/metrics/words"
)

// provisioningPage is what /provisioning shows: what was asked of the platform in the window, and how each way went.
type provisioningPage struct {
	metrics.RequestList
	Lede  []string
	Of    string // whose; "" for the organisation's
	Whole string // the address without a filter; "" when there is none
	More  string // that of the next page
}

// requestsAtOnce is how many requests a page shows.
const requestsAtOnce = 50

func (p *Pages) provisioning(c echo.Context) error {
	v, err := p.view(c, "service", "team", "way", "status", "cursor")
	if err != nil {
		return err
	}
	q := c.QueryParams()
	f := metrics.RequestFilter{Service: q.Get("service"), Team: q.Get("team"), Way: q.Get("way"), Status: q.Get("status"), From: v.Window.From, To: v.Window.To}
	list, err := p.deps.Engine.Requests(c.Request().Context(), f, metrics.Paging{Limit: requestsAtOnce, Cursor: q.Get("cursor")})
	if err != nil {
		return err
	}
	of := []string{"service", f.Service, "team", f.Team, "way", f.Way, "status", f.Status}
	b := provisioningPage{RequestList: list, Lede: words.ProvisioningSentences(list.Ways), Of: cmp.Or(f.Service, f.Team)}
	if f.Service+f.Team+f.Way+f.Status != "" {
		b.Whole = v.Link("/provisioning")
	}
	if list.Next != "" {
		b.More = v.Link("/provisioning", append(of, "cursor", list.Next)...)
	}
	return p.show(c, "provisioning", page{Title: "Asked of the platform", View: v, AsOf: p.deps.Now().UTC(), Body: b})
}
