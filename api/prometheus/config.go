package prometheus

import (
	"net/url"
	"strings"
	"time"

	"cairn/internal/fault"
)

// Config holds the limits of queries, and what is scraped.
type Config struct {
	Environments   []string      `yaml:"environments"`    // that there are series of
	MaxSeries      int           `yaml:"max_series"`      // series that a query may read
	MaxSamples     int           `yaml:"max_samples"`     // samples that a query may hold at once
	MaxInstants    int           `yaml:"max_instants"`    // instants at which a selector may be computed
	MaxConcurrent  int           `yaml:"max_concurrent"`  // queries that run at once; others wait
	Timeout        time.Duration `yaml:"timeout"`         // how long a query may take, waiting included
	ScrapeServices bool          `yaml:"scrape_services"` // /metrics has series of each service, too
	ScrapeEvery    time.Duration `yaml:"scrape_every"`    // how old the numbers on /metrics may become before they are computed anew
	Site           string        `yaml:"site"`            // where readers of a dashboard reach the pages: https://…
}

// DefaultConfig returns limits that suit a machine of two cores and an organisation of some hundred services.
func DefaultConfig() Config {
	return Config{
		Environments: []string{"production"}, MaxSeries: 20_000, MaxSamples: 5_000_000, MaxInstants: 2_000, MaxConcurrent: 4,
		Timeout: 2 * time.Minute, ScrapeEvery: time.Minute,
	}
}

// Validate names the first setting that cannot be.
func (c *Config) Validate() error {
	for _, limit := range []struct {
		name  string
		value int
	}{{"max_series", c.MaxSeries}, {"max_samples", c.MaxSamples}, {"max_instants", c.MaxInstants}, {"max_concurrent", c.MaxConcurrent}} {
		if limit.value < 1 {
			return fault.New(fault.Invalid, "%s is %d: expected a number of 1 or more", limit.name, limit.value)
		}
	}
	if u, err := url.Parse(c.Site); c.Site != "" && (err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" || strings.HasSuffix(c.Site, "/")) {
		return fault.New(fault.Invalid, "site is %q: expected an address without a slash at its end, such as https://cairn.example.com", c.Site)
	}
	switch {
	case len(c.Environments) == 0:
		return fault.New(fault.Invalid, "environments is empty: expected at least one, such as production")
	case c.MaxInstants > 10_000:
		return fault.New(fault.Invalid, "max_instants is %d: expected at most 10000", c.MaxInstants)
	case c.Timeout <= 0:
		return fault.New(fault.Invalid, "timeout is %s: expected a duration above 0", c.Timeout)
	case c.ScrapeEvery <= 0:
		return fault.New(fault.Invalid, "scrape_every is %s: expected a duration above 0", c.ScrapeEvery)
	}
	return nil
}
