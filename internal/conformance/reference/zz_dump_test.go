package reference

import (
	"cairn/internal/conformance"
	"fmt"
	"os"
	"strings"
	"testing"
)

func TestZZDump(t *testing.T) {
	c, err := conformance.Load(os.Getenv("CASE"))
	if err != nil {
		t.Fatal(err)
	}
	svc := os.Getenv("SVC")
	h := newHistory(c, c.Settings)
	fmt.Println("as_of", c.AsOf, "rollout", c.Settings.RolloutWindowHours, "hotfix", c.Settings.FailureInference.HotfixWindowHours)
	f := "01-02T15:04:05"
	for _, r := range h.succeeded(svc) {
		fmt.Printf("run %s %s %v %s hf=%v rb=%v rem=%v remI=%v kind=%s trans=%s baseline=%v\n", r.ID, r.finished.Format(f), r.Revisions, r.Target, r.IsHotfix, r.IsRollback, r.Remediates, r.RemediatesIncidents, r.kind, r.transition.id(), r.baseline)
	}
	for id, r := range h.runs {
		if r.service == svc && r.Status != "succeeded" {
			fmt.Println("  other", id, r.Status, r.finished.Format(f), r.Target, "rem", r.Remediates, r.RemediatesIncidents)
		}
	}
	for _, tr := range h.transitions {
		if tr.service != svc {
			continue
		}
		x := []string{}
		for _, b := range tr.backedOut {
			x = append(x, b.id())
		}
		y := []string{}
		for _, b := range tr.reverted {
			y = append(y, b.id())
		}
		fmt.Printf("%s %s %s start %s hf=%v backed=%v reverted=%v reverting=%v resolves=%v\n", tr.id(), tr.kind, tr.deployed().Format(f), tr.started().Format(f), tr.hotfix(), x, y, tr.reverting, h.resolves(tr))
	}
	for _, m := range h.members {
		if m.service == svc {
			rs := []string{}
			for _, r := range m.repairs {
				for _, q := range r {
					rs = append(rs, q.ID)
				}
				rs = append(rs, "|")
			}
			is := []string{}
			for _, i := range m.incidents {
				is = append(is, i.ID)
			}
			d := h.recovered(m)
			fmt.Printf("member %s failed=%v inc=%v repairs=%v targets=%v rec=%v cens=%v\n", m.id, m.failed, is, rs, len(m.targets), d.length, d.censored)
		}
	}
	for _, i := range h.incidents {
		if i.Service == svc {
			fmt.Println("inc", i.ID, i.StartedAt.Format(f), i.RestoredAt.Format(f), i.ResolvedAt.Format(f), i.Cause, "by", i.CausedByDeployment)
		}
	}
	for _, cm := range c.Events.Commits {
		if cm.Reverts != "" || cm.CherryPickedFrom != "" {
			fmt.Println(cm.Repo, cm.SHA, cm.Parents, "reverts", cm.Reverts, "picked", cm.CherryPickedFrom, strings.Join(cm.Paths, ","))
		} else {
			fmt.Println(cm.Repo, cm.SHA, cm.Parents, cm.Paths)
		}
	}
	for _, p := range c.Events.PullRequests {
		fmt.Println(p.ID, p.MergeMethod, p.Commits, p.Landed, p.MergedAt.Format(f))
	}
	for _, s := range h.services {
		if s.ID == svc {
			fmt.Println(s.Repos)
		}
	}
}
