package dashboards

import (
	"cairn/metrics"
	"cairn/metrics/words"
)

// story are the answers from which the opening sentences of a page are written.
type story struct {
	Deployments metrics.Result // deployment_count
	LeadTime    metrics.Result
	Failures    metrics.Result // change_failure_rate
	Recovery    metrics.Result // failed_deployment_recovery
	Waiting     metrics.Result // waiting_changes
}

// sentences say what changed. They are silent where there is nothing to say.
func sentences(name string, v view, s story) []string {
	var said []string
	add := func(text string) {
		if text != "" {
			said = append(said, text)
		}
	}
	add(words.Shipped(name, v.when(), s.Deployments))
	add(words.LeadTime(s.LeadTime))
	add(words.Failing(s.Failures, s.Recovery))
	add(words.Waiting(s.Waiting))
	return said
}
