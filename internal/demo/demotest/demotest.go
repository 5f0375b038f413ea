// Package demotest is what tests expect of the demonstration. It is imported by tests only.
package demotest

// Connections are who tells the facts, and the kind of system that each connection leads to; "" where no system is read or
// heard, but plain events or files are handed in.
func Connections() map[string]string {
	return map[string]string{
		"github": "github", "gitlab": "gitlab", "gitea": "gitea", "git": "",
		"jenkins": "jenkins", "circleci": "circleci", "ci": "",
		"argocd": "argocd", "flux": "flux", "humanitec": "humanitec", "cdevents": "cdevents",
		"pagerduty": "pagerduty", "opsgenie": "opsgenie", "incidentio": "incidentio", "alertmanager": "alertmanager", "jira": "tickets", "servicenow": "tickets",
		"backstage": "backstage", "port": "port",
		"kubernetes": "kubernetes", "terraform": "terraform", "service-desk": "",
		"survey": "", "typeform": "typeform",
		"people": "", "telemetry": "", "decisions": "",
	}
}
