package git

import (
	"regexp"
	"strings"

	"cairn/internal/fault"
)

// bots knows the machines among authors.
type bots struct {
	own []*regexp.Regexp // patterns of the user
	// known remembers the last few authors: most commits are by somebody who has just been looked at.
	known map[[2]string]bool
}

// maxKnown bounds the authors that are remembered.
const maxKnown = 1000

// machine is the name, or the local part of the address, of a machine:
//
//   - dependabot[bot], renovate[bot]: applications of GitHub;
//   - "Release Bot", renovate-bot, k8s-ci-robot, ReleaseBot: accounts that say so, with bot as a word of its own, since
//     people are called Talbot and Chabot;
//   - project_42_bot, group_7_bot_3f…: access tokens of GitLab;
//   - products that commit under a name of their own.
var machine = regexp.MustCompile(strings.Join([]string{
	`\[bot\]`,
	`(?i:(?:^|[ ._+-])(?:ro)?bot(?:$|[ ._+-]))`,
	`[a-z0-9]Bot$`,
	`^(?:project|group)_\d+_bot`,
	`(?i:^(?:\d+\+)?(?:` + strings.Join([]string{
		"dependabot", "dependabot-preview", "renovate", "renovatebot", "greenkeeper", "greenkeeperio-bot", "github[ -]actions?",
		"gitlab[ -]ci", "semantic-release", "pre-commit-ci", "mergify", "fluxcdbot", "fluxbot", "argocd-image-updater",
		"imgbot", "pyup-bot", "scala-steward", "weblate", "allcontributors", "jenkins", "travis-ci", "circleci",
	}, "|") + `)$)`,
}, "|"))

// person is a family name that reads like a machine's: the Breton Le Bot.
var person = regexp.MustCompile(`(?i)(?:^|[ ._+-])le[ ._+-]?bot$`)

// wrote tells whether a machine wrote the commit.
func (b *bots) wrote(rec record) bool {
	who := [2]string{rec.author, rec.email}
	is, ok := b.known[who]
	if !ok {
		is = b.machine(rec)
		if b.known == nil || len(b.known) == maxKnown {
			b.known = make(map[[2]string]bool, maxKnown)
		}
		b.known[who] = is
	}
	return is
}

func (b *bots) machine(rec record) bool {
	local, _, _ := strings.Cut(rec.email, "@")
	for _, name := range []string{rec.author, local} {
		if name = strings.TrimSpace(name); machine.MatchString(name) && !person.MatchString(name) {
			return true
		}
	}
	if len(b.own) == 0 {
		return false
	}
	whole := strings.ToLower(rec.author + " <" + rec.email + ">")
	for _, pattern := range b.own {
		if pattern.MatchString(whole) {
			return true
		}
	}
	return false
}

func newBots(patterns []string) (bots, error) {
	var b bots
	for _, p := range patterns {
		re, err := glob(strings.ToLower(p))
		if err != nil {
			return bots{}, fault.New(fault.Invalid, "the pattern of bots %q: %w", p, err)
		}
		b.own = append(b.own, re)
	}
	return b, nil
}
