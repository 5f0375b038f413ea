package ingest

import (
	"strings"
	"unicode"
)

// TierOf reads the tier of an environment from its name: production, staging, testing, development or other.
//
// The name is cut into words at everything that is neither letter nor digit and where lower case meets upper case;
// digits at a word's end do not count, so prod-eu, euProd2 and PROD_01 are all made of the word prod. A word that
// speaks against production wins over one that speaks for it (preprod, non-prod, prod-test): to take a test for
// production spoils every number, the other way round only loses some.
func TierOf(environment string) string {
	tiers := map[string]bool{}
	words := environmentWords(environment)
	for i, word := range words {
		switch {
		case isProduction(word):
			if i > 0 && negates(words[i-1]) {
				tiers["staging"] = true
			} else {
				tiers["production"] = true
			}
		default:
			tiers[tierOfWord(word)] = true
		}
	}
	for _, tier := range []string{"development", "testing", "staging", "production"} {
		if tiers[tier] {
			return tier
		}
	}
	return "other"
}

// isProduction says whether a word means production, alone or joined to a place: prod, prodeu, shopprod.
func isProduction(word string) bool {
	switch word {
	case "prod", "production", "prd", "live", "pro":
		return true
	}
	for _, stem := range []string{"production", "prod", "prd"} {
		if place, ok := strings.CutPrefix(word, stem); ok {
			switch place {
			case "eu", "us", "uk", "de", "fr", "ca", "au", "jp", "in", "br", "ap", "apac", "emea", "amer", "na", "euw", "use", "usw",
				"east", "west", "north", "south", "central", "useast", "uswest", "euwest", "eucentral", "a", "b", "blue", "green":
				return true
			}
		}
	}
	if owner, ok := strings.CutSuffix(word, "prod"); ok {
		return !negates(owner)
	}
	return false
}

// negates says whether a word before "prod" makes it something else.
func negates(word string) bool {
	switch word {
	case "pre", "non", "not", "no", "un", "near", "quasi", "pseudo", "sub":
		return true
	}
	return false
}

func tierOfWord(word string) string {
	switch word {
	case "dev", "devel", "develop", "development", "devs", "local", "localhost", "sandbox", "sbx", "playground", "lab", "preview", "previews",
		"review", "reviews", "feature", "trunk", "pr", "mr", "ephemeral", "scratch", "experimental":
		return "development"
	case "test", "tests", "testing", "tst", "qa", "qc", "quality", "int", "integration", "integ", "sit", "acc", "acpt", "accept", "acceptance",
		"ci", "e2e", "perf", "performance", "load", "loadtest", "stress", "benchmark", "smoke":
		return "testing"
	case "staging", "stage", "stg", "stag", "pre", "preprod", "preproduction", "preprd", "prelive", "prerelease", "uat", "demo", "model",
		"nonprod", "nonproduction", "nonprd", "nonlive", "notprod", "prodlike", "like", "mirror", "shadow", "rehearsal", "rc":
		return "staging"
	}
	return "other"
}

// environmentWords cuts a name into words in lower case, without digits at their ends.
func environmentWords(name string) []string {
	var words []string
	var word strings.Builder
	end := func() {
		if w := strings.TrimRight(word.String(), "0123456789"); w != "" {
			words = append(words, w)
		}
		word.Reset()
	}
	var last rune
	for _, r := range name {
		switch {
		case !unicode.IsLetter(r) && !unicode.IsDigit(r):
			end()
		case unicode.IsUpper(r) && (unicode.IsLower(last) || unicode.IsDigit(last)):
			end()
			fallthrough
		default:
			word.WriteRune(unicode.ToLower(r))
		}
		last = r
	}
	end()
	return words
}
