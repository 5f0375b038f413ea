// Command cairn tells an organisation whether its internal developer platform works: it collects what happened, keeps
// it, and says what the numbers are and where each comes from.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"
	_ "time/tzdata" // time zones, where the machine has none

	"github.com/alecthomas/kong"

	"cairn/internal/fault"
)

// version is set by the build.
var version = "dev"

func main() {
	stdin := takeStdin()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	w := world{args: os.Args[1:], getenv: os.Getenv, stdin: stdin, stdout: os.Stdout, stderr: os.Stderr, terminal: os.Stderr}
	code := run(ctx, w)
	stop()
	os.Exit(code)
}

// world is all that the program touches of the process it runs in.
type world struct {
	args           []string
	getenv         func(string) string
	stdin          io.Reader
	stdout, stderr io.Writer
	terminal       *os.File // where progress is shown; nil for nowhere
}

// exited carries the exit code of a help text or a version out of the parser.
type exited int

// run is the program. It returns the exit code: 0, or that of the kind of fault.
func run(ctx context.Context, w world) (code int) {
	defer func() {
		if e, ok := recover().(exited); ok {
			code = int(e)
		}
	}()
	c := commands{Connect: newConnectCommand()}
	parser, err := kong.New(&c,
		kong.Name("cairn"),
		kong.Description("Does the internal developer platform work? cairn collects what happened, computes the DORA and platform metrics, and explains every number."),
		kong.Writers(w.stdout, w.stderr),
		kong.Exit(func(code int) { panic(exited(code)) }),
		kong.Vars{"version": version},
		kong.ConfigureHelp(kong.HelpOptions{Compact: true, WrapUpperBound: 110}),
		kong.Resolvers(environment(w.getenv)),
		kong.BindTo(ctx, (*context.Context)(nil)),
		kong.Bind(&w, &c.Globals),
	)
	if err != nil {
		return report(w, err)
	}
	args := w.args
	if len(args) == 0 {
		args = []string{"--help"}
	}
	if args[0] == "connect" {
		args = settingsLast(args)
	}
	k, err := parser.Parse(args)
	if err != nil {
		return report(w, fault.New(fault.Invalid, "%s; %s --help lists what there is", err, strings.Join(append([]string{"cairn"}, commandOf(parser, args)...), " ")))
	}
	err = k.Run()
	if err != nil && ctx.Err() != nil && errors.Is(err, context.Canceled) {
		return report(w, fault.New(fault.Unavailable, "stopped"))
	}
	return report(w, err)
}

// commandOf is the command that the first word names, if it names one.
func commandOf(parser *kong.Kong, args []string) []string {
	for _, c := range parser.Model.Children {
		if c.Name == args[0] {
			return args[:1]
		}
	}
	return nil
}

func report(w world, err error) int {
	if err == nil {
		return 0
	}
	if !errors.Is(err, errQuiet) {
		fmt.Fprintln(w.stderr, "cairn:", err)
	}
	return fault.KindOf(err).ExitCode()
}

// errQuiet is an error about which everything has been said.
var errQuiet = errors.New("said already")

// environment takes flags that are not given from CAIRN_… variables: --data from CAIRN_DATA.
func environment(getenv func(string) string) kong.Resolver {
	return kong.ResolverFunc(func(_ *kong.Context, _ *kong.Path, flag *kong.Flag) (any, error) {
		if flag.Name == "help" {
			return nil, nil
		}
		v := getenv("CAIRN_" + strings.ToUpper(strings.ReplaceAll(flag.Name, "-", "_")))
		if v == "" {
			return nil, nil
		}
		return v, nil
	})
}
