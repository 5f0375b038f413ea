package main

import (
	"github.com/alecthomas/kong"
)

// Globals are the flags that every command takes.
type Globals struct {
	Config   string `help:"Configuration file (default: cairn.yaml, if it is there)." placeholder:"FILE" short:"c"`
	Data     string `help:"Data folder of the embedded engine (default: ./data)." placeholder:"DIR"`
	Address  string `help:"ClickHouse server to use instead, clickhouse://user:password@host:9000/database." placeholder:"URL"`
	Database string `help:"Database (default: that of the address, else cairn)." placeholder:"NAME"`
	Cluster  string `help:"Name of the ClickHouse cluster to spread over." placeholder:"NAME"`
	Library  string `help:"Path of the engine library libchdb.so." placeholder:"FILE"`
	Server   string `help:"A running cairn to talk to, http://host:port. Without it: the one that holds the data folder, if there is one." placeholder:"URL"`
	Verbose  bool   `help:"Log what is being done." short:"v"`
}

// commands are all commands.
type commands struct {
	Globals

	Serve       serveCommand       `cmd:"" help:"Serve the pages and the API on a data folder."`
	Connect     connectCommand     `cmd:"" help:"Try a credential for a system, say what it may read, and write the configuration."`
	Check       checkCommand       `cmd:"" help:"Try the sources of the configuration: what each credential is and may read."`
	Collect     collectCommand     `cmd:"" help:"Collect facts from a system that teams already run."`
	Ingest      ingestCommand      `cmd:"" help:"Take in a file: events, the answers to a survey, or the output of Terraform."`
	Replay      replayCommand      `cmd:"" help:"Tell webhooks again that were kept, after a change of rules or of the program."`
	Demo        demoCommand        `cmd:"" help:"Load a made-up organisation to look at."`
	Query       queryCommand       `cmd:"" help:"Ask for a metric."`
	Explain     explainCommand     `cmd:"" help:"Ask where a number comes from: the facts behind it, and what was left out."`
	Report      reportCommand      `cmd:"" help:"Write the weekly report of a team or the organisation, or mail it."`
	Metrics     metricsCommand     `cmd:"" help:"List the metrics."`
	Sources     sourcesCommand     `cmd:"" help:"Ask how the systems are doing that facts come from: how fresh, how far back, what fails."`
	Doctor      doctorCommand      `cmd:"" help:"Ask why a number is missing: what is left at each step from fact to number."`
	Conformance conformanceCommand `cmd:"" help:"Check the metrics against worked cases."`
	Version     versionCommand     `cmd:"" help:"Print the version."`
}

type versionCommand struct{}

// Run prints the version.
func (versionCommand) Run(k *kong.Kong) error {
	_, err := k.Stdout.Write([]byte("cairn " + version + "\n"))
	return err
}
