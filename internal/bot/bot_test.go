package bot

import "testing"

func TestBotsAreKnownByTheirNames(t *testing.T) {
	for _, bot := range []string{
		"dependabot[bot]", "49699333+dependabot[bot]@users.noreply.github.com", "dependabot[bot] <49699333+dependabot[bot]@users.noreply.github.com>",
		"Dependabot", "renovate", "Renovate Bot <bot@renovateapp.com>", "29139614+renovate[bot]@users.noreply.github.com", "github-actions",
		"41898282+github-actions[bot]@users.noreply.github.com", "github-actions <action@github.com>", "my-app[bot]", "acme-release-bot",
		"release_bot@acme.example", "project_7_bot_ab12cd@noreply.gitlab.com", "group_42_bot@noreply.git.acme.example",
		"k8s-ci-robot", "fluxcdbot", " semantic-release-bot ", "pre-commit-ci[bot]", "snyk-bot@snyk.io", "12345+renovate@users.noreply.github.com",
	} {
		if !Is(bot) {
			t.Errorf("%s is taken for a person", bot)
		}
	}
	for _, person := range []string{
		"", "ada", "Yann Le Bot <yann@example.org>", "ada@example.org", "Ada Lovelace <ada@example.org>", "12345+ada@users.noreply.github.com", "abbot", "travis@example.org", "eve@snyk.io", "Robot Overlord", "talbot@example.org",
		"bot", "bottega", "jenkins-fan", "noreply@github.com", "turbot", "ada+bot@example.org", "flux.capacitor@example.org",
	} {
		if Is(person) {
			t.Errorf("%s is taken for a bot", person)
		}
	}
}
