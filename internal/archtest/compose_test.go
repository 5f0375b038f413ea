package archtest

import (
	"encoding/xml"
	"errors"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/compose-spec/compose-go/v2/cli"
	"github.com/compose-spec/compose-go/v2/types"
	"github.com/google/go-cmp/cmp"
	"gopkg.in/yaml.v3"

	"cairn/internal/sharedtest"
)

// compose loads docker-compose.yml as `docker compose --profile PROFILE config` does.
func compose(t *testing.T, profiles ...string) *types.Project {
	t.Helper()
	options, err := cli.NewProjectOptions([]string{filepath.Join(sharedtest.Root(t), "docker-compose.yml")}, cli.WithProfiles(profiles))
	if err != nil {
		t.Fatal(err)
	}
	project, err := options.LoadProject(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return project
}

func TestComposeStartsWhatTheProfileSays(t *testing.T) {
	single := []string{"cairn", "clickhouse", "grafana"}
	cluster := []string{
		"cairn-cluster",
		"clickhouse-1-1", "clickhouse-1-2", "clickhouse-2-1", "clickhouse-2-2",
		"keeper-1", "keeper-2", "keeper-3",
	}
	tests := []struct {
		name     string
		profiles []string
		want     []string
	}{
		{"without a profile, one server and Grafana", nil, single},
		{"with the profile cluster, two shards of two replicas beside it", []string{"cluster"}, slices.Concat(single, cluster)},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := compose(t, tt.profiles...).ServiceNames()
			slices.Sort(got)
			slices.Sort(tt.want)
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("services (-want +got):\n%s", diff)
			}
		})
	}
}

func TestComposeServicesArePinnedCheckedAndUnprivileged(t *testing.T) {
	ours := regexp.MustCompile(`^cairn:local$`)
	pinned := regexp.MustCompile(`^(clickhouse/clickhouse-(server|keeper):26\.7|grafana/grafana:12\.\d+\.\d+)$`)
	for name, service := range compose(t, "cluster").Services {
		if !ours.MatchString(service.Image) && !pinned.MatchString(service.Image) {
			t.Errorf("%s: image %s is not pinned", name, service.Image)
		}
		if service.HealthCheck == nil {
			t.Errorf("%s has no health check", name)
		}
		user := "101:101"
		if name == "grafana" {
			user = "472:0" // its image's
		}
		if service.Build == nil && service.User != user {
			t.Errorf("%s runs as %q, want %s", name, service.User, user)
		}
		for dependency, on := range service.DependsOn {
			if on.Condition != types.ServiceConditionHealthy {
				t.Errorf("%s does not wait until %s is healthy", name, dependency)
			}
		}
		for _, port := range service.Ports {
			if port.HostIP != "127.0.0.1" {
				t.Errorf("%s publishes port %s beyond this machine", name, port.Published)
			}
		}
	}
}

func TestComposeClusterIsOneCluster(t *testing.T) {
	project := compose(t, "cluster")
	var config struct {
		Shards []struct {
			InternalReplication bool     `xml:"internal_replication"`
			Hosts               []string `xml:"replica>host"`
		} `xml:"remote_servers>cairn>shard"`
		Keepers []string `xml:"zookeeper>node>host"`
	}
	if err := xml.Unmarshal([]byte(project.Configs["replica"].Content), &config); err != nil {
		t.Fatal(err)
	}
	var keeper struct {
		Servers []string `xml:"keeper_server>raft_configuration>server>hostname"`
	}
	if err := xml.Unmarshal([]byte(project.Configs["keeper"].Content), &keeper); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(keeper.Servers, config.Keepers); diff != "" {
		t.Errorf("keepers (-among themselves +as the servers know them):\n%s", diff)
	}
	address := *project.Services["cairn-cluster"].Environment["CAIRN_ADDRESS"]
	for i, shard := range config.Shards {
		if !shard.InternalReplication {
			t.Errorf("shard %d: replicas would be written twice", i+1)
		}
		for _, host := range shard.Hosts {
			environment := project.Services[host].Environment
			if shard, replica := environment["SHARD"], environment["REPLICA"]; shard == nil || replica == nil ||
				*shard != string(rune('1'+i)) || *replica != host {
				t.Errorf("%s: macros do not say shard %d, replica %s", host, i+1, host)
			}
			if !strings.Contains(address, host+":9000") {
				t.Errorf("cairn-cluster does not know %s", host)
			}
		}
	}
	if len(config.Shards) != 2 || len(config.Shards[0].Hosts) != 2 || len(config.Shards[1].Hosts) != 2 {
		t.Errorf("got %d shards, want two of two replicas", len(config.Shards))
	}
}

func TestComposeConfigurationIsWellFormed(t *testing.T) {
	for name, config := range compose(t, "cluster").Configs {
		for decoder := xml.NewDecoder(strings.NewReader(config.Content)); ; {
			if _, err := decoder.Token(); errors.Is(err, io.EOF) {
				break
			} else if err != nil {
				t.Errorf("configuration %s: %v", name, err)
				break
			}
		}
	}
}

// Grafana finds the data source and the dashboards where Compose mounts them, cannot change them, and lets nobody in
// without a password.
func TestComposeProvisionsGrafana(t *testing.T) {
	root := sharedtest.Root(t)
	project := compose(t)
	grafana := project.Services["grafana"]
	mounted := map[string]string{}
	for _, v := range grafana.Volumes {
		if v.Type != types.VolumeTypeBind {
			continue
		}
		if !v.ReadOnly {
			t.Errorf("%s can be written", v.Target)
		}
		mounted[v.Target] = v.Source
	}
	var sources struct {
		Datasources []struct{ UID, Type, URL string }
	}
	var providers struct {
		Providers []struct {
			AllowUIUpdates bool `yaml:"allowUiUpdates"`
			Options        struct{ Path string }
		}
	}
	for folder, into := range map[string]any{"datasources": &sources, "dashboards": &providers} {
		text, err := os.ReadFile(filepath.Join(mounted["/etc/grafana/provisioning/"+folder], "cairn.yaml"))
		if err != nil {
			t.Fatal(err)
		}
		if err := yaml.Unmarshal(text, into); err != nil {
			t.Fatal(err)
		}
	}
	environment := grafana.Environment
	if len(sources.Datasources) != 1 || len(providers.Providers) != 1 {
		t.Fatalf("%d data sources and %d folders, want one of each", len(sources.Datasources), len(providers.Providers))
	}
	source := sources.Datasources[0]
	if url := strings.ReplaceAll(source.URL, "${CAIRN_URL}", *environment["CAIRN_URL"]); url != "http://cairn:8080/prometheus" || source.UID != "cairn" || source.Type != "prometheus" {
		t.Errorf("the data source is %+v", source)
	}
	folder := providers.Providers[0].Options.Path
	if mounted[folder] != filepath.Join(root, "grafana", "dashboards") || providers.Providers[0].AllowUIUpdates {
		t.Errorf("dashboards are read from %s, where %q is mounted", folder, mounted[folder])
	}
	home := *environment["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"]
	if _, err := os.Stat(strings.Replace(home, folder, mounted[folder], 1)); err != nil {
		t.Errorf("the first page: %v", err)
	}
	if *environment["GF_AUTH_ANONYMOUS_ENABLED"] != "false" || *environment["GF_SECURITY_ADMIN_PASSWORD"] == "" {
		t.Error("anybody can look")
	}
	if _, waits := grafana.DependsOn["cairn"]; !waits {
		t.Error("Grafana does not wait for cairn")
	}
}
