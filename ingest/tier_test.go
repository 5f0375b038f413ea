package ingest

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
)

func TestTierIsReadFromTheName(t *testing.T) {
	for tier, names := range map[string]string{
		"production": `prod production Production PROD prd live Live prod-eu prod_eu prod.eu eu-prod eu.prod.1 prod1 prod-01 prod-us-east-1
			us-east-1-prod production-eu-west-1 prodEU euProd EuProd2 prd-fra k8s-prod gke_prod prod/blue production/cart prod-canary live-eu
			www-live shop-production prodeu produs prod-dr acme:prod shopprod gcpprod prod-cluster-3 PRO prod-gen2 cart@prod prod2026 prod-a`,
		"staging": `staging stage stg staging-eu Staging stag preprod pre-prod pre_prod PreProd PREPROD preproduction pre-production pre preprd
			non-prod nonprod non_prod NonProd NONPROD nonproduction non-production not-prod notprod prelive pre-live prodlike prod-like prerelease
			demo demo-eu uat uat1 UAT-2 prod-mirror staging-prod rc rc1 model no-prod near-prod preprod-eu-1 my-nonprod-cluster`,
		"testing": `test test1 testing tst qa QA qa-eu qc int integration sit e2e acceptance acc ci perf load-test loadtest prod-test test-prod
			qa/live integ-2 quality performance smoke`,
		"development": `dev dev1 development devel develop DEV local localhost sandbox sbx preview review review/feature-x pr-123 mr-7
			preview-123 dev-prod playground feature-login lab prod-sandbox experimental`,
		"other": `default eu main blue green product products productivity producer reproduction liveness olive alive delivery deliver
			testament contest latest fastest protest devops devices stagecoach internal point printer 42 - customer-a release gpu preparation approve`,
	} {
		for name := range strings.FieldsSeq(names) {
			if got := TierOf(name); got != tier {
				t.Errorf("%s: got %s, want %s", name, got, tier)
			}
		}
	}
	if got := TierOf(""); got != "other" {
		t.Errorf("no name: got %s", got)
	}
	if got := TierOf("Production (EU)"); got != "production" {
		t.Errorf("words with spaces: got %s", got)
	}
}

func FuzzTierOf(f *testing.F) {
	f.Add("prod-eu")
	f.Fuzz(func(t *testing.T, name string) {
		tier := TierOf(name)
		if strings.Contains(" production staging testing development other ", " "+tier+" ") == false {
			t.Errorf("%q: %q", name, tier)
		}
		if tier == "production" && TierOf("non-"+name) == "production" && environmentWords(name)[0] == "prod" {
			t.Errorf("non-%s is production", name)
		}
	})
}

// TestTheReferenceSaysWhichTier checks the words that docs/events.md names.
func TestTheReferenceSaysWhichTier(t *testing.T) {
	page, err := os.ReadFile("../docs/events.md")
	if err != nil {
		t.Fatal(err)
	}
	rows := regexp.MustCompile("(?m)^\\| `(\\w+)` \\| (.*) \\|$").FindAllStringSubmatch(string(page), -1)
	tiers := 0
	for _, row := range rows {
		if row[1] == "other" || !slices.Contains([]string{"production", "staging", "testing", "development"}, row[1]) {
			continue
		}
		tiers++
		for _, name := range regexp.MustCompile(`[\w.-]+`).FindAllString(row[2], -1) {
			if got := TierOf(name); got != row[1] {
				t.Errorf("docs/events.md says that %s is %s; it is %s", name, row[1], got)
			}
		}
	}
	if tiers != 4 {
		t.Errorf("found the words of %d tiers, want 4", tiers)
	}
}
