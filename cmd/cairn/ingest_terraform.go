package main

import (
	"context"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"time"

	"cairn/collectors/terraform"
	"cairn/internal/event"
	"cairn/internal/fault"
	"cairn/metrics/words"
)

type ingestTerraform struct {
	Files        []string  `arg:"" name:"file" help:"What one run printed: the lines of apply -json, and the plan as terraform show -json prints it; '-' is standard input."`
	Workspace    string    `help:"Name of the workspace." placeholder:"NAME"`
	Number       string    `name:"run" help:"Number of the run in the pipeline, by which it is known again." placeholder:"ID"`
	Service      string    `help:"Service that it is for (default: as the workspace is called)." placeholder:"ID"`
	Team         string    `help:"Team that asks." placeholder:"ID"`
	Environment  string    `help:"Environment that it is for." placeholder:"NAME"`
	Requester    string    `help:"Who asks." placeholder:"ID"`
	URL          string    `help:"Address of the run." name:"url" placeholder:"URL"`
	Resource     string    `help:"Kind of the resource, such as postgres (default: the module or the type that changes)." placeholder:"KIND"`
	RequestedAt  time.Time `help:"When it was asked for (default: the earliest instant in the files)." placeholder:"INSTANT"`
	ApprovedAt   time.Time `help:"When somebody agreed, if that was needed." placeholder:"INSTANT"`
	Failed       bool      `help:"The run failed, whatever the files say."`
	GoldenModule []string  `help:"Source of modules that the platform offers, or how it begins; may be repeated. With the plan among the files." placeholder:"SOURCE"`
	Source       string    `help:"Name under which it is told." default:"terraform" placeholder:"NAME"`
}

// Run reads the output of one run and stores what it tells.
func (c *ingestTerraform) Run(ctx context.Context, w *world, g *Globals) error {
	var files []terraform.File
	for _, name := range c.Files {
		f, err := outputFile(name, w.stdin)
		if err != nil {
			return err
		}
		files = append(files, f)
	}
	out, err := terraform.Output(c.Source, terraform.Job{
		Workspace: c.Workspace, Run: c.Number, Service: c.Service, Team: c.Team, Environment: c.Environment, Requester: c.Requester, URL: c.URL, ResourceType: c.Resource,
		RequestedAt: c.RequestedAt, ApprovedAt: c.ApprovedAt, Failed: c.Failed, GoldenModules: slices.Clone(c.GoldenModule),
	}, files)
	if err != nil {
		return err
	}
	if len(out.Facts) > 0 {
		var batch event.Batch
		for _, e := range out.Facts {
			if bad := event.Validate(e); bad != nil {
				return fault.Wrap(fault.Invalid, bad, "the output makes no %s", e.Kind())
			}
			batch.Append(e)
		}
		conn, err := g.connect(ctx, w)
		if err != nil {
			return err
		}
		defer conn.close()
		if err := (sink{conn, "terraform"}).Write(ctx, &batch); err != nil {
			return err
		}
	}
	if out.Why != "" {
		fmt.Fprintln(w.stderr, out.Why)
	}
	fmt.Fprintf(w.stdout, "%s stored.\n", words.Counted(int64(len(out.Facts)), "event"))
	return nil
}

// maxOutput is the largest file of a run that is read.
const maxOutput = 256 << 20

func outputFile(name string, stdin io.Reader) (terraform.File, error) {
	f := terraform.File{Name: name}
	from := stdin
	if name == "-" {
		f.Name = "standard input"
	} else {
		opened, err := os.Open(name)
		switch {
		case os.IsNotExist(err):
			return f, fault.New(fault.NotFound, "there is no file %s", name)
		case err != nil:
			return f, fault.Wrap(fault.Denied, err, "the file %s", name)
		}
		defer opened.Close()
		from = opened
	}
	var err error
	if f.Text, err = io.ReadAll(io.LimitReader(from, maxOutput+1)); err != nil {
		if _, is := err.(*fs.PathError); is && name != "-" {
			return f, fault.Wrap(fault.Invalid, err, "the file %s", name) // a folder
		}
		return f, fault.Wrap(fault.Unavailable, err, "%s", f.Name)
	}
	if len(f.Text) > maxOutput {
		return f, fault.New(fault.TooLarge, "%s is larger than the %d bytes that are read of an output", f.Name, maxOutput)
	}
	return f, nil
}
