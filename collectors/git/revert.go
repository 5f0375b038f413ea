package git

import (
	"bufio"
	"context"
	"errors"
	"io"
	"regexp"
	"strings"
)

// reverts returns the commit that a record says it undoes, by its sha or by the number of the change request that
// brought it; "" when it undoes none, or none that is known.
func (r *run) reverts(ctx context.Context, rec record) (string, error) {
	sha, err := r.resolved(reverted(rec.message))
	if sha != "" || err != nil {
		return sha, err
	}
	request := revertedRequest(rec.message)
	if request == "" || len(rec.parents) == 0 {
		return "", nil
	}
	return r.merge(ctx, request, rec.parents)
}

// errFound ends a search.
var errFound = errors.New("found")

// merge returns the newest commit that brought a change request, among those that can be reached from some commits; ""
// when there is none.
func (r *run) merge(ctx context.Context, request string, from []string) (string, error) {
	args := []string{"log", "-z", "--encoding=UTF-8", "--format=" + logFormat, "--fixed-strings"}
	if strings.HasPrefix(request, "!") {
		args = append(args, "--grep="+request)
	} else {
		args = append(args, "--grep=("+request+")", "--grep=Merge pull request "+request+" from ")
	}
	args = append(append(args, from...), "--")
	var sha string
	err := r.git.stream(ctx, strings.NewReader(""), func(out *bufio.Reader) error {
		for log := newLogReader(out); ; {
			rec, err := log.next()
			if err == io.EOF {
				return nil
			}
			if err != nil {
				return err
			}
			if brought(rec.message, request) {
				sha = rec.sha
				return errFound
			}
		}
	}, args...)
	if err != nil && !errors.Is(err, errFound) {
		return "", err
	}
	return sha, nil
}

// Lines that forges write when a merged change request is reverted with their button, and squashed: GitHub's "Reverts
// acme/shop#12" and GitLab's "This reverts merge request !12". The repository before the number is not compared: it may
// have been called otherwise when the line was written, and the button reverts only within one.
var undoneRequests = regexp.MustCompile(`(?m)^[ \t]*(?:Reverts (?:[\w.-]+/[\w.-]+)?(#\d+)|This reverts merge request (?:[\w./-]+)?(!\d+))[ \t\r.]*$`)

// revertedRequest returns the change request that the message says this commit undoes: #12 as GitHub writes it, !12 as
// GitLab does. Of several it is the first.
func revertedRequest(message string) string {
	if !strings.Contains(message, "everts ") {
		return ""
	}
	m := undoneRequests.FindStringSubmatch(message)
	if m == nil {
		return ""
	}
	return strings.Clone(m[1] + m[2])
}

// brought says whether the message is the one with which a forge merges a change request: the subject of a squash ends in
// (#12), that of a merge is "Merge pull request #12 from …", and GitLab adds the line "See merge request acme/shop!12".
func brought(message, request string) bool {
	if strings.HasPrefix(request, "!") {
		for line := range strings.SplitSeq(message, "\n") {
			if where, ok := strings.CutPrefix(strings.TrimSpace(line), "See merge request "); ok && !strings.Contains(where, " ") && strings.HasSuffix(where, request) {
				return true
			}
		}
		return false
	}
	first, _, _ := strings.Cut(strings.TrimSpace(message), "\n")
	return strings.HasSuffix(strings.TrimSpace(first), "("+request+")") || strings.HasPrefix(first, "Merge pull request "+request+" from ")
}
