// Package rules decides what the things of a forge mean: which repository is which service, what is a deployment, where
// it went, what is a hotfix or an incident, what runs on the golden path. The same rules hold for every forge. They come
// from the configuration; each verdict names the rule that led to it.
package rules

// Config is the section `rules` of the configuration. In all patterns * stands for any text, slashes included, ? for one
// character; letters match in either case. A pattern that begins and ends with a slash is a regular expression. In each
// list the first rule that fits decides.
type Config struct {
	Services     []ServiceRule     `yaml:"services"`
	Deployments  []DeploymentRule  `yaml:"deployments"`
	Environments []EnvironmentRule `yaml:"environments"`
	Hotfixes     MarkRule          `yaml:"hotfixes"`
	Incidents    IncidentRule      `yaml:"incidents"`
	// GoldenPaths are patterns of shared pipelines, such as acme/platform/.github/workflows/deploy.yml@*: what was built
	// or deployed by one went the golden path. Empty: the way is not known.
	GoldenPaths []string `yaml:"golden_paths"`
	// Bots are patterns of logins that are machines, beside the well-known ones.
	Bots []string `yaml:"bots"`
}

// ServiceRule says which service is built from a repository, or from a part of it. Of the rules for one repository all
// with the same `repository` pattern as the first that fits hold: a repository with several services has one rule each.
type ServiceRule struct {
	Repository  string   `yaml:"repository"`
	Service     string   `yaml:"service"` // {name} is the last part of the repository's id, {repository} the whole; "none": it is no service
	Paths       []string `yaml:"paths"`
	SharedPaths []string `yaml:"shared_paths"`
}

// DeploymentRule says what is a deployment in some repositories.
type DeploymentRule struct {
	Repository  string `yaml:"repository"`
	From        string `yaml:"from"`        // deployment, workflow, job, release, tag, branch or none
	Name        string `yaml:"name"`        // pattern: of the environment, workflow, job, release's tag, tag or branch; "" is any
	Environment string `yaml:"environment"` // where it goes, with {1} as below; "" is what the forge says, else production
	Service     string `yaml:"service"`     // whose it is, {name} and {repository} as above, {1} the text of the name's first * (or group); "" is the repository's
}

// EnvironmentRule gives environments a tier.
type EnvironmentRule struct {
	Name string `yaml:"name"`
	Tier string `yaml:"tier"` // production, staging, testing, development or other
}

// MarkRule recognises change requests by branch, label or title.
type MarkRule struct {
	Branches []string `yaml:"branches"`
	Labels   []string `yaml:"labels"`
	Titles   []string `yaml:"titles"`
}

// IncidentRule says which issues are incidents.
type IncidentRule struct {
	Repository string   `yaml:"repository"` // pattern; "" is any
	Labels     []string `yaml:"labels"`
	Types      []string `yaml:"types"` // issue types, such as GitLab's incident
	// Severity and Service are by patterns of labels, {1} as in DeploymentRule. Of several patterns that fit the more
	// particular one holds: one without * and ?, then the longer one.
	Severity map[string]string `yaml:"severity"` // empty: labels such as sev1, severity::2, p1
	Service  map[string]string `yaml:"service"`  // else the repository's only service
}

// Kinds of things that can be deployments: DeploymentRule.From.
const (
	FromDeployment = "deployment" // the forge's own record of a deployment
	FromWorkflow   = "workflow"   // a pipeline run
	FromJob        = "job"        // a job of a pipeline run
	FromRelease    = "release"
	FromTag        = "tag"
	FromBranch     = "branch" // what lands on it
	FromNone       = "none"
)

// Candidate is a thing that may be a deployment.
type Candidate struct {
	Repository  string
	From        string // one of the kinds above
	Name        string // what DeploymentRule.Name is compared with
	Environment string // what the forge says; "" when it does not
	Tier        string // what the forge says; "" when it does not
	Prerelease  bool   // of a release or a tag
	Pipeline    string // the shared pipeline that it went through, "" when there is none, or nobody knows
}

// Verdict is what a candidate is. Rule is never empty: a short sentence that names the rule, or what was missing, for
// people: `rules.deployments[1]: workflow "Deploy *" of acme/*`, `the default: deployments of the forge`, `no rule fits`.
// It is made of the rules and of the repository, not of the candidate's name, so that verdicts can be counted by it.
type Verdict struct {
	Deployment  bool
	Service     string
	Environment string
	Tier        string // "" leaves it to intake
	Way         string // golden_path, own or ""
	Rule        string
}

// Issue is an issue of a forge that may be an incident.
type Issue struct {
	Repository string
	Labels     []string
	Type       string
}

// Incident is what an issue is.
type Incident struct {
	Incident bool
	Service  string
	Severity string
	Rule     string
}
