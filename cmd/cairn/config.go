package main

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"reflect"
	"regexp"
	"strings"

	"gopkg.in/yaml.v3"

	"cairn/api/prometheus"
	"cairn/collectors"
	"cairn/dashboards"
	"cairn/ingest"
	"cairn/internal/fault"
	"cairn/internal/rules"
	"cairn/internal/store"
	"cairn/metrics"
	"cairn/reports"
)

// Config is the configuration file: a section for each part of the program, owned by that part.
type Config struct {
	Listen   string                    `yaml:"listen"`
	Store    StoreConfig               `yaml:"store"`
	Ingest   ingest.Config             `yaml:"ingest"`
	Sources  SourcesConfig             `yaml:"sources"`
	Rules    rules.Config              `yaml:"rules"`
	Collect  collectors.ScheduleConfig `yaml:"collect"`
	Webhooks ingest.HooksConfig        `yaml:"webhooks"`
	Metrics  metrics.Config            `yaml:"metrics"`
	Pages    dashboards.Config         `yaml:"pages"`
	Reports  reports.Config            `yaml:"reports"`

	Prometheus prometheus.Config `yaml:"prometheus"`
}

// StoreConfig says where the data is.
type StoreConfig struct {
	Data     string `yaml:"data"`
	Address  string `yaml:"address"`
	Library  string `yaml:"library"`
	Database string `yaml:"database"`
	Cluster  string `yaml:"cluster"`
}

// DefaultConfig is what holds without a file.
func DefaultConfig() Config {
	return Config{
		Listen:   "127.0.0.1:8080",
		Store:    StoreConfig{Data: "./data"},
		Ingest:   ingest.DefaultConfig(),
		Rules:    rules.DefaultConfig(),
		Collect:  collectors.DefaultScheduleConfig(),
		Webhooks: ingest.DefaultHooksConfig(),
		Metrics:  metrics.DefaultConfig(),
		Pages:    dashboards.DefaultConfig(),
		Reports:  reports.DefaultConfig(),

		Prometheus: prometheus.DefaultConfig(),
	}
}

func (c StoreConfig) store() store.Config {
	return store.Config{Address: c.Address, Data: c.Data, Library: c.Library, Database: c.Database, Cluster: c.Cluster}
}

// defaultFile is read when it is there and no other is named.
const defaultFile = "cairn.yaml"

// load reads the configuration file and lays the flags over it.
func (g *Globals) load() (Config, error) {
	cfg := DefaultConfig()
	path := g.Config
	if path == "" {
		path = defaultFile
	}
	text, err := os.ReadFile(path)
	switch {
	case errors.Is(err, fs.ErrNotExist) && g.Config == "":
	case errors.Is(err, fs.ErrNotExist):
		return cfg, fault.New(fault.NotFound, "there is no configuration file %s", path)
	case err != nil:
		return cfg, fault.Wrap(fault.Denied, err, "the configuration file")
	default:
		if err := parseConfig(text, &cfg); err != nil {
			return cfg, fault.New(fault.Invalid, "%s: %w", path, err)
		}
	}
	for flag, to := range map[*string]*string{&g.Data: &cfg.Store.Data, &g.Address: &cfg.Store.Address, &g.Library: &cfg.Store.Library, &g.Database: &cfg.Store.Database, &g.Cluster: &cfg.Store.Cluster} {
		if *flag != "" {
			*to = *flag
		}
	}
	if g.Data != "" && g.Address == "" {
		cfg.Store.Address = ""
	}
	if _, err := rules.New(cfg.Rules); err != nil {
		return cfg, fault.Wrap(fault.Invalid, err, "%s", path)
	}
	if err := cfg.Metrics.Validate(); err != nil {
		return cfg, fault.Wrap(fault.Invalid, err, "%s: metrics", path)
	}
	if err := cfg.Pages.Validate(); err != nil {
		return cfg, fault.Wrap(fault.Invalid, err, "%s: pages", path)
	}
	if err := cfg.Reports.Validate(); err != nil {
		return cfg, fault.Wrap(fault.Invalid, err, "%s: reports", path)
	}
	if err := cfg.Prometheus.Validate(); err != nil {
		return cfg, fault.Wrap(fault.Invalid, err, "%s: prometheus", path)
	}
	return cfg, nil
}

var (
	unknownField = regexp.MustCompile(`line (\d+): field (\S+) not found in type (\S+)`)
	yamlLine     = regexp.MustCompile(`(?:yaml: )?(?:unmarshal errors:\s*)?line (\d+): (.*)`)
)

// parseConfig reads a file strictly: every mistake is named with its line.
func parseConfig(text []byte, cfg *Config) error {
	d := yaml.NewDecoder(bytes.NewReader(text))
	d.KnownFields(true)
	err := d.Decode(cfg)
	if err == nil || err.Error() == "EOF" {
		return nil
	}
	if m := unknownField.FindStringSubmatch(err.Error()); m != nil {
		return fmt.Errorf("line %s: there is no setting %q here%s", m[1], m[2], nearest(m[2], settingsOf(reflect.TypeFor[Config](), m[3])))
	}
	if m := yamlLine.FindStringSubmatch(err.Error()); m != nil {
		return fmt.Errorf("line %s: %s", m[1], strings.ReplaceAll(m[2], "!!str ", "the text "))
	}
	return err
}

// settingsOf lists the keys of the section whose Go type has the given name.
func settingsOf(t reflect.Type, name string) []string {
	if t.Kind() != reflect.Struct {
		return nil
	}
	var keys []string
	for i := range t.NumField() {
		f := t.Field(i)
		key, _, _ := strings.Cut(f.Tag.Get("yaml"), ",")
		if key == "-" || key == "" {
			continue
		}
		if t.String() == name {
			keys = append(keys, key)
		} else if below := settingsOf(f.Type, name); below != nil {
			return below
		}
	}
	return keys
}

// nearest ends a sentence about an unknown word with what may have been meant.
func nearest(word string, candidates []string) string {
	best, distance := "", 4
	for _, c := range candidates {
		if d := edits(word, c); d < distance {
			best, distance = c, d
		}
	}
	if best != "" {
		return fmt.Sprintf("; did you mean %q?", best)
	}
	return "; there are: " + strings.Join(candidates, ", ")
}

// edits is the number of letters to insert, delete or replace to make a into b.
func edits(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost++
			}
			diagonal = row[j+1]
			row[j+1] = min(cost, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
