package demo

import (
	"time"

	"cairn/internal/event"
)

// fail has a deployment fail in production and puts down how the team gets out of it.
func (o *organisation) fail(r *repository, s *service, bad *event.Deployment, p practice) {
	c, d := r.draws, &s.delivered
	broken, before, reached := d.live, d.before, d.reached
	noticed := bad.FinishedAt.Add(c.minutes(14))
	over := noticed.Add(c.hours(p.repair))
	var told *incident
	var named []*incident
	if c.happens(0.62) || o.story.inWorstWeek(bad.FinishedAt) && s.team == "logistics" {
		told = o.report(c, s, bad.FinishedAt.Add(c.minutes(5)), noticed, over, pick(c, symptoms[s.system]))
		told.cause = bad
		named = []*incident{told}
	}
	var remediates []*event.Deployment
	if c.happens(0.6) {
		remediates = []*event.Deployment{bad}
	}
	if told == nil && c.happens(0.3) {
		yes := true
		bad.Failed = &yes // somebody says so
	}
	d.held = true
	ended := func(by *event.Deployment) {
		if told != nil {
			told.restored = by.FinishedAt
		}
	}
	switch draw := c.Float64(); {
	case draw < 0.45 && len(s.regions) == 0 || draw < 0.3:
		r.agenda.put(over, func(at time.Time) {
			if d.live != broken {
				d.held = false
				return
			}
			ended(o.ship(r, s, at, rollout{version: before, rollback: true, incidents: named, targets: reached}))
			d.pending = true
			o.mend(r, s, o.fixed(s, at, p), "Mend what "+broken.name+" broke", "", false)
		})
	case draw < 0.85:
		r.agenda.put(over.Add(-20*time.Minute), func(at time.Time) {
			o.mend(r, s, at, "Hotfix: "+pick(c, remedies), "", true)
			ended(o.ship(r, s, at.Add(c.minutes(9)), rollout{version: version{r.head(), o.nextVersion(s, true)}, hotfix: true, remediates: remediates, incidents: named}))
		})
	default:
		reverted := d.lastLanded
		r.agenda.put(over.Add(-15*time.Minute), func(at time.Time) {
			o.mend(r, s, at, "Revert what "+broken.name+" brought", reverted, true)
			ended(o.ship(r, s, at.Add(c.minutes(8)), rollout{version: version{r.head(), o.nextVersion(s, true)}, remediates: remediates, incidents: named}))
		})
	}
}

// fixed is when a rolled back version is mended.
func (o *organisation) fixed(s *service, at time.Time, p practice) time.Time {
	return s.owner(at).calendar.after(at, 1+s.draws.around(1.5+p.coding/2, 0.6))
}

// mend lands a repair straight on the main branch. A repair that is live at once leaves nothing pending.
func (o *organisation) mend(r *repository, s *service, at time.Time, subject, reverts string, now bool) {
	land := func(at time.Time) {
		ch := &change{service: s, subject: subject, written: []time.Time{at.Add(-r.draws.minutes(8))}, reverts: reverts}
		if members := o.members(s.owner(at), at); len(members) > 0 {
			who := pick(r.draws, members)
			ch.person, ch.author = who.id, who.aliases[0]
		}
		sha := o.commit(r, ch, ch.written[0], at.Add(-time.Minute), r.head())
		r.heads = append(r.heads, head{at, sha})
		s.delivered.held, s.delivered.pending, s.delivered.lastLanded = false, !now, sha
		if !now {
			o.release(r, s, o.build(r, ch, at))
		}
	}
	if now {
		land(at)
		return
	}
	r.agenda.put(at, land)
}

var remedies = []string{
	"set the timeout back", "close the connections", "read the old field, too", "do not retry what was refused", "restore the index", "lower the batch size",
	"accept empty addresses", "switch the feature off",
}

// symptoms are what people notice first, by system.
var symptoms = map[string][]string{
	"shop":      {"Checkout answers slowly", "Baskets are lost", "Pages stay white", "Vouchers are refused", "Customers see an old price"},
	"orders":    {"Orders are stuck", "Order history is empty", "Invoices are not sent", "Returns cannot be entered"},
	"payments":  {"Card payments are declined", "Payments are charged twice", "Refunds are late", "Fraud checks time out", "Books do not balance"},
	"pricing":   {"Prices are missing", "A discount applies twice", "Tax is wrong for Norway"},
	"products":  {"Products are missing", "Pictures do not load", "Suppliers cannot save", "Attributes disappear", "Catalogue updates are late"},
	"discovery": {"Search finds nothing", "Search is slow", "Recommendations are empty", "The index is a day old"},
	"mobile":    {"The apps cannot connect", "Pushes arrive twice", "The start page of the app is empty"},
	"accounts":  {"Customers cannot log in", "Mails to confirm addresses are late", "Partners are locked out", "Tokens expire at once"},
	"messaging": {"Mails are sent twice", "Order confirmations are late", "Text messages are not sent"},
	"delivery":  {"Parcels are assigned to the wrong warehouse", "Parcel events are lost", "Routes are not planned", "Stock levels are wrong", "Tracking shows nothing", "Dispatch stands still"},
	"data":      {"Events are hours late", "Reports are empty", "Features are stale"},
	"platform":  {"The portal is slow", "Environments are not made", "Cost figures are missing"},
}
