package main

import (
	"context"
	"fmt"
	"io"
	"iter"
	"os"
	"time"

	"cairn/collectors"
	"cairn/collectors/survey"
	"cairn/internal/event"
	"cairn/internal/fault"
	"cairn/metrics/words"
)

type ingestSurvey struct {
	File    string `arg:"" optional:"" help:"Export of answers as CSV: Google Forms, Microsoft Forms, a spreadsheet; '-' is standard input."`
	Mapping string `help:"YAML file that says what the columns are. Without it one is proposed, and nothing is stored." placeholder:"FILE" short:"m"`
	Invited string `help:"List of the people who were asked, as CSV." placeholder:"FILE"`
	DryRun  bool   `help:"Say what would become of it, and store nothing."`
}

// Run reads a survey, says what became of it and stores it.
func (c *ingestSurvey) Run(ctx context.Context, w *world, g *Globals) error {
	if c.File == "" && c.Invited == "" {
		return fault.New(fault.Invalid, "give a file of answers, or with --invited a list of those who were asked")
	}
	answers, err := surveyFile(c.File, w.stdin)
	if err != nil {
		return err
	}
	if c.Mapping == "" {
		if answers == nil {
			return fault.New(fault.Invalid, "--mapping is needed to read a list of those who were asked")
		}
		proposal, err := survey.Propose(answers)
		if err != nil {
			return err
		}
		fmt.Fprint(w.stdout, proposal)
		fmt.Fprintf(w.stderr, "Nothing is stored. Keep this as survey.yaml, look it through, then try it: cairn ingest survey %s --mapping survey.yaml --dry-run\n", c.File)
		return nil
	}
	invited, err := surveyFile(c.Invited, nil)
	if err != nil {
		return err
	}
	text, err := surveyFile(c.Mapping, nil)
	if err != nil {
		return err
	}
	m, err := survey.ParseMapping(text.Text)
	if err != nil {
		return fault.Wrap(fault.Invalid, err, "%s", c.Mapping)
	}
	told, err := survey.Read(m, text.ChangedAt, answers, invited, time.Now())
	if err != nil {
		return fault.Wrap(fault.KindOf(err), err, "reading with %s", c.Mapping)
	}
	told.Report.Print(w.stdout)
	if c.DryRun {
		fmt.Fprintln(w.stdout, "Nothing is stored: this was a dry run.")
		return refusedRows(told.Report, "")
	}
	conn, err := g.connect(ctx, w)
	if err != nil {
		return err
	}
	defer conn.close()
	stored, err := collectors.Run(ctx, toldSource(told.Facts), sink{conn, "survey"})
	if err != nil {
		return err
	}
	fmt.Fprintf(w.stdout, "%s stored.\n", words.Counted(int64(stored), "fact"))
	return refusedRows(told.Report, "; the others are stored")
}

// refusedRows is the error that ends a command of which rows were not read, so that a script notices.
func refusedRows(r survey.Report, rest string) error {
	if len(r.Refused) == 0 {
		return nil
	}
	return fault.New(fault.Invalid, "%s could not be read%s: see above", words.Counted(int64(len(r.Refused)), "row"), rest)
}

// surveyFile reads a file; "" is none.
func surveyFile(path string, stdin io.Reader) (*survey.File, error) {
	switch {
	case path == "":
		return nil, nil
	case path == "-" && stdin != nil:
		text, err := io.ReadAll(stdin)
		return &survey.File{Name: "standard input", Text: text}, fault.Wrap(fault.Unavailable, err, "standard input")
	}
	info, err := os.Stat(path)
	switch {
	case os.IsNotExist(err):
		return nil, fault.New(fault.NotFound, "there is no file %s", path)
	case err == nil && info.IsDir():
		return nil, fault.New(fault.Invalid, "%s is a folder; a file is expected", path)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fault.Wrap(fault.Denied, err, "the file %s", path)
	}
	return &survey.File{Name: path, Text: text, ChangedAt: info.ModTime()}, nil
}

// toldSource is what a file tells: it is read whole, so there is no position.
type toldSource []event.Event

// Stream names it; nothing is kept under the name.
func (toldSource) Stream() string { return "the survey" }

// Events yields the facts.
func (s toldSource) Events(context.Context) iter.Seq2[event.Event, error] {
	return func(yield func(event.Event, error) bool) {
		for _, e := range s {
			if !yield(e, nil) {
				return
			}
		}
	}
}

// Position is none.
func (toldSource) Position() string { return "" }
