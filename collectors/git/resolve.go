package git

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os/exec"
	"strings"
)

// resolver answers which commit a sha means. It starts one `git cat-file` at the first question.
type resolver struct {
	git git
	ctx context.Context // of the run that it serves

	cmd       *exec.Cmd
	in        io.WriteCloser
	out       *bufio.Reader
	complaint *tail
}

// commit returns the sha of the commit that the object is, or that it leads to when it is a tag of any depth; "" when
// there is none. The object is named by a sha, which may be shortened.
func (r *resolver) commit(object string) (string, error) {
	if r.cmd == nil {
		if err := r.start(); err != nil {
			return "", err
		}
	}
	if _, err := io.WriteString(r.in, object+"^{commit}\n"); err != nil {
		return "", r.broken(err)
	}
	answer, err := r.out.ReadString('\n')
	if err != nil {
		return "", r.broken(err)
	}
	// "sha commit", or the question with "missing" or "ambiguous" behind it.
	sha, _, _ := strings.Cut(answer, " ")
	if !isSHA(sha) {
		return "", nil
	}
	return sha, nil
}

func (r *resolver) start() error {
	args := []string{"cat-file", "--batch-check=%(objectname) %(objecttype)"}
	cmd := r.git.command(r.ctx, args...)
	r.complaint = &tail{}
	cmd.Stderr = r.complaint
	in, err := cmd.StdinPipe()
	if err != nil {
		return fmt.Errorf("git cat-file: %w", err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return fmt.Errorf("git cat-file: %w", err)
	}
	if err := cmd.Start(); err != nil {
		return r.git.explain(r.ctx, err, "", args)
	}
	r.cmd, r.in, r.out = cmd, in, bufio.NewReader(out)
	return nil
}

// broken explains why git stopped answering.
func (r *resolver) broken(err error) error {
	_ = r.in.Close()
	if ended := r.cmd.Wait(); ended != nil {
		err = ended
	}
	r.cmd = nil
	return r.git.explain(r.ctx, err, r.complaint.String(), []string{"cat-file"})
}

// close ends the program, if it runs.
func (r *resolver) close() {
	if r.cmd == nil {
		return
	}
	_ = r.in.Close()
	_, _ = io.Copy(io.Discard, r.out)
	_ = r.cmd.Wait()
	r.cmd = nil
}
