package archtest

import (
	"encoding/xml"
	"errors"
	"io"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/compose-spec/compose-go/v2/cli"
	"github.com/compose-spec/compose-go/v2/types"
	"github.com/google/go-cmp/cmp"

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
	single := []string{"cairn", "clickhouse"}
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
		{"without a profile, one server", nil, single},
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
	pinned := regexp.MustCompile(`^clickhouse/clickhouse-(server|keeper):26\.7$`)
	for name, service := range compose(t, "cluster").Services {
		if !ours.MatchString(service.Image) && !pinned.MatchString(service.Image) {
			t.Errorf("%s: image %s is not pinned", name, service.Image)
		}
		if service.HealthCheck == nil {
			t.Errorf("%s has no health check", name)
		}
		if service.Build == nil && service.User != "101:101" {
			t.Errorf("%s runs as %q, want 101:101", name, service.User)
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
