// Package bot knows the machines among authors and accounts by the names that they go under. Intake asks it of commits,
// the rules of a forge's logins.
package bot

import "strings"

// Is says whether an author is a machine, from the name, login or address that a commit carries: what ends in [bot],
// -bot or _bot, and the well-known ones. Whom a person fact calls a bot is known to the metrics, not here.
func Is(author string) bool {
	author = strings.ToLower(strings.TrimSpace(author))
	if name, address, ok := strings.Cut(author, "<"); ok {
		return Is(name) || Is(strings.TrimSuffix(address, ">"))
	}
	login, domain, isAddress := strings.Cut(author, "@")
	if isAddress {
		if wellKnownBotAddress(author) {
			return true
		}
		// GitHub writes 49699333+dependabot[bot]@users.noreply.github.com, GitLab project_7_bot_ab12@noreply.gitlab.com.
		if _, name, numbered := strings.Cut(login, "+"); numbered && domain == "users.noreply.github.com" {
			login = name
		}
		if strings.HasPrefix(domain, "noreply.") && strings.Contains(login, "_bot") {
			return true
		}
	}
	for _, end := range []string{"[bot]", "-bot", "_bot"} {
		if strings.HasSuffix(login, end) {
			return true
		}
	}
	return wellKnownBot(login)
}

func wellKnownBot(login string) bool {
	switch login {
	case "dependabot", "dependabot-preview", "renovate", "renovatebot", "renovate-approve", "github-actions", "github-classroom",
		"gitlab-ci", "greenkeeper", "greenkeeperio", "snyk", "mergify", "bors", "homu", "rultor", "kodiak", "kodiakhq",
		"pre-commit-ci", "pre-commit.ci", "allcontributors", "imgbot", "imgbotapp", "pyup", "pyup.io", "whitesource-bolt", "mend-bolt",
		"deepsource-autofix", "sonarcloud", "codecov", "codecov-io", "weblate", "hosted weblate", "crowdin", "transifex",
		"fluxcd", "fluxcdbot", "flux", "argocd", "argocd-image-updater", "jenkins", "circleci", "travis ci",
		"k8s-ci-robot", "k8s-merge-robot", "openshift-merge-robot", "openshift-ci-robot", "googlebot", "copybara-service", "copybara",
		"release-please", "semantic-release", "changeset", "changesets", "updatecli", "netlify", "vercel", "lgtm-com", "lgtm-migrator",
		"step-security", "restyled-io", "scala-steward", "dependency-bot", "azure-pipelines", "bitbucket-pipelines", "terraform-cloud":
		return true
	}
	return false
}

func wellKnownBotAddress(address string) bool {
	switch address {
	case "action@github.com", "actions@github.com", "support+actions@github.com", "support@dependabot.com", "bot@renovateapp.com",
		"renovate@whitesourcesoftware.com", "support@greenkeeper.io", "bot@pyup.io", "noreply@weblate.org", "bitbucket-pipelines@bitbucket.org":
		return true
	}
	return false
}
