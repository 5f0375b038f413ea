package git

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"cairn/internal/fault"
)

// git runs the git program on one repository.
type git struct {
	program string // name or path of the program
	dir     string // folder of the repository, absolute
	name    string // what messages call the repository
	remote  bool   // the repository is a cache, commands may talk to where it came from
	// variables are settings that nobody may see: git gets them through its environment.
	variables [][2]string
}

// settings override what a user's or a repository's configuration could change in the output that is parsed here and
// no option of a command can.
var settings = []string{
	"diff.orderFile=" + os.DevNull,
	"log.showRoot=true",
	"log.showSignature=false",
}

// confusing are variables that would point git at another repository, as they do when cairn runs inside a git hook.
var confusing = []string{
	"GIT_ALTERNATE_OBJECT_DIRECTORIES", "GIT_CEILING_DIRECTORIES", "GIT_COMMON_DIR", "GIT_DIR", "GIT_EXTERNAL_DIFF",
	"GIT_GRAFT_FILE", "GIT_IMPLICIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_INTERNAL_SUPER_PREFIX", "GIT_LITERAL_PATHSPECS",
	"GIT_NAMESPACE", "GIT_NO_REPLACE_OBJECTS", "GIT_OBJECT_DIRECTORY", "GIT_PREFIX", "GIT_REPLACE_REF_BASE",
	"GIT_SHALLOW_FILE", "GIT_WORK_TREE",
}

// command prepares git with args. Only a command of a remote repository may use the network; elsewhere a missing
// object is an error and never fetched on the quiet.
func (g git) command(ctx context.Context, args ...string) *exec.Cmd {
	full := []string{"-C", g.dir, "--no-pager", "--no-replace-objects", "--no-optional-locks"}
	for _, s := range settings {
		full = append(full, "-c", s)
	}
	cmd := exec.CommandContext(ctx, g.program, append(full, args...)...)
	env := slices.DeleteFunc(cmd.Environ(), func(pair string) bool {
		name, _, _ := strings.Cut(pair, "=")
		return slices.Contains(confusing, name)
	})
	protocols := "none"
	if g.remote {
		protocols = "file:git:http:https:ssh"
	}
	cmd.Env = append(env,
		"LC_ALL=C",
		"GIT_TERMINAL_PROMPT=0",
		"GIT_ALLOW_PROTOCOL="+protocols,
		"GIT_CEILING_DIRECTORIES="+filepath.Dir(g.dir),
	)
	if !g.remote {
		cmd.Env = append(cmd.Env, "GIT_NO_LAZY_FETCH=1")
	}
	cmd.Env = append(cmd.Env, g.configured(cmd.Env)...)
	// git gets the chance to remove its temporary files.
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = 5 * time.Second
	return cmd
}

// configured are the variables of the environment that carry settings, after those that it carries already.
func (g git) configured(env []string) []string {
	if len(g.variables) == 0 {
		return nil
	}
	n := 0
	for _, pair := range env {
		if count, ok := strings.CutPrefix(pair, "GIT_CONFIG_COUNT="); ok {
			n, _ = strconv.Atoi(count)
		}
	}
	var more []string
	for _, v := range g.variables {
		more = append(more, fmt.Sprintf("GIT_CONFIG_KEY_%d=%s", n, v[0]), fmt.Sprintf("GIT_CONFIG_VALUE_%d=%s", n, v[1]))
		n++
	}
	return append(more, fmt.Sprintf("GIT_CONFIG_COUNT=%d", n))
}

// output runs git and returns what it prints, without the last newline.
func (g git) output(ctx context.Context, args ...string) (string, error) {
	cmd := g.command(ctx, args...)
	var stdout bytes.Buffer
	complaint := &tail{}
	cmd.Stdout, cmd.Stderr = &stdout, complaint
	if err := cmd.Run(); err != nil {
		return "", g.explain(ctx, err, complaint.String(), args)
	}
	return strings.TrimSuffix(stdout.String(), "\n"), nil
}

// stream runs git, feeds it the lines of input and gives read what it prints. It returns read's error before git's.
func (g git) stream(ctx context.Context, input io.Reader, read func(*bufio.Reader) error, args ...string) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	cmd := g.command(ctx, args...)
	cmd.Env = append(cmd.Env, "GIT_FLUSH=0") // whole buffers, not a write for every commit
	complaint := &tail{}
	cmd.Stdin, cmd.Stderr = input, complaint
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return fmt.Errorf("git %s: %w", args[0], err)
	}
	if err := cmd.Start(); err != nil {
		return g.explain(ctx, err, "", args)
	}
	readErr := read(bufio.NewReaderSize(stdout, 1<<18))
	if readErr != nil && !errors.Is(readErr, io.ErrUnexpectedEOF) {
		cancel() // nobody reads on: git must not wait for it
		_ = cmd.Wait()
		return readErr
	}
	if err := cmd.Wait(); err != nil {
		return g.explain(ctx, err, complaint.String(), args)
	}
	return readErr
}

// exitCode returns the code with which git ended, 0 when err is of another kind.
func exitCode(err error) int {
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		return exit.ExitCode()
	}
	return 0
}

// complaints turn what git says into a kind and a sentence about the repository %s. The first that occurs decides.
var complaints = []struct {
	text string
	kind fault.Kind
	says string
}{
	{"dubious ownership", fault.Denied, "%[1]s belongs to another user and git refuses to read it: run git config --global --add safe.directory %[2]s"},
	{"unsafe repository", fault.Denied, "%[1]s belongs to another user and git refuses to read it: run git config --global --add safe.directory %[2]s"},
	{"not a git repository", fault.Invalid, "%[1]s is not a git repository"},
	{"Authentication failed", fault.Denied, "%[1]s refuses the credentials that git's credential helper gives"},
	{"could not read Username", fault.Denied, "%[1]s asks for credentials: give git a credential helper that knows them"},
	{"could not read Password", fault.Denied, "%[1]s asks for credentials: give git a credential helper that knows them"},
	{"Permission denied (", fault.Denied, "%[1]s refuses the ssh key that git offers"},
	{"Host key verification failed", fault.Denied, "%[1]s has a host key that ssh does not know"},
	{"Permission denied", fault.Denied, "%[1]s may not be read by this user"},
	{"requested URL returned error: 403", fault.Denied, "%[1]s refuses access"},
	{"does not appear to be a git repository", fault.NotFound, "%[1]s is not a git repository"},
	{"Repository not found", fault.NotFound, "%[1]s does not exist, or is hidden from the credentials that git has"},
	{"not found", fault.NotFound, "%[1]s does not exist, or is hidden from the credentials that git has"},
	{"Could not resolve host", fault.Unavailable, "%[1]s cannot be reached: its host name is not known"},
	{"Connection refused", fault.Unavailable, "%[1]s cannot be reached: the connection is refused"},
	{"timed out", fault.Unavailable, "%[1]s cannot be reached: no answer in time"},
	{"unable to access", fault.Unavailable, "%[1]s cannot be reached"},
	{"remote end hung up", fault.Unavailable, "%[1]s broke the connection off"},
	{"No space left on device", fault.Unavailable, "the disk is full: %[1]s cannot be fetched"},
	{"missing object", fault.Conflict, "%[1]s is damaged or incomplete: git fsck says what is missing"},
	{"transport 'none' not allowed", fault.Conflict, "%[1]s is damaged or incomplete: git fsck says what is missing"},
	{"unable to read tree", fault.Conflict, "%[1]s is damaged or incomplete: git fsck says what is missing"},
	{"Failed to traverse parents", fault.Conflict, "%[1]s is damaged or incomplete: git fsck says what is missing"},
	{"Could not read", fault.Conflict, "%[1]s is damaged or incomplete: git fsck says what is missing"},
	{"bad object", fault.Conflict, "%[1]s is damaged or incomplete: git fsck says what is missing"},
	{"could not fetch", fault.Conflict, "%[1]s is an incomplete partial clone: run git fetch --refetch --filter=blob:none in it"},
	{"promisor remote", fault.Conflict, "%[1]s is an incomplete partial clone: run git fetch --refetch --filter=blob:none in it"},
}

// explain turns the end of a git command into a fault.
func (g git) explain(ctx context.Context, err error, complaint string, args []string) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if errors.Is(err, exec.ErrNotFound) || errors.Is(err, os.ErrNotExist) && complaint == "" {
		return fault.Replace(fault.Unavailable, err, "the program %s was not found: install git and see that it is on the PATH", g.program)
	}
	for _, c := range complaints {
		if strings.Contains(complaint, c.text) {
			return fault.Replace(c.kind, err, c.says, g.name, g.dir)
		}
	}
	return fault.Replace(fault.Internal, err, "git %s in %s: %s", args[0], g.name, lastFatal(complaint))
}

// lastFatal picks the line of git's error output that says what went wrong.
func lastFatal(complaint string) string {
	lines := strings.Split(strings.TrimSpace(complaint), "\n")
	for _, prefix := range []string{"fatal: ", "error: "} {
		for _, line := range slices.Backward(lines) {
			if text, ok := strings.CutPrefix(line, prefix); ok {
				return strings.TrimSpace(text)
			}
		}
	}
	if last := strings.TrimSpace(lines[len(lines)-1]); last != "" {
		return last
	}
	return "it ended without a word"
}

// tail keeps the end of what is written to it.
type tail struct{ text []byte }

// tailSize is what is kept of a program's error output.
const tailSize = 8 << 10

func (t *tail) Write(p []byte) (int, error) {
	t.text = append(t.text, p...)
	if extra := len(t.text) - tailSize; extra > 0 {
		t.text = append(t.text[:0], t.text[extra:]...)
	}
	return len(p), nil
}

func (t *tail) String() string { return string(t.text) }
