package github

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"

	"github.com/google/go-github/v60/github"

	"cairn/internal/fault"
	"cairn/internal/source"
)

// apiVersion is the version of the REST API that the requests are written for.
const apiVersion = "2022-11-28"

// pages are the numbers of pages that an answer links to; 0: none.
type pages struct{ next, last int }

// get makes one request of the REST API and decodes its answer. What says what is read, for people: "the pull requests of
// acme/shop". Errors are faults.
func (t *Turn) get(ctx context.Context, what, path string, query url.Values, into any) (pages, error) {
	t.requests++
	return t.c.get(ctx, what, path, query, into)
}

func (c *Connection) get(ctx context.Context, what, path string, query url.Values, into any) (pages, error) {
	if len(query) > 0 {
		path += "?" + query.Encode()
	}
	r, err := c.request(path)
	if err != nil {
		return pages{}, fault.Wrap(fault.Internal, err, "%s", what)
	}
	answer, err := c.client.Do(r.WithContext(ctx))
	if err != nil {
		return pages{}, unreachable(ctx, err, what)
	}
	defer drain(answer.Body)
	if err := github.CheckResponse(answer); err != nil {
		return pages{}, c.refused(err, answer, what)
	}
	if err := readAnswer(ctx, answer.Body, into, what); err != nil {
		return pages{}, err
	}
	return linked(answer.Header.Get("Link")), nil
}

// request makes a request of the REST API that is not sent yet.
func (c *Connection) request(path string) (*http.Request, error) {
	r, err := c.rest.NewRequest(http.MethodGet, path, nil)
	if err == nil {
		// The client's own is of a form that GitHub takes and its description does not have.
		r.Header.Set("Accept", "application/vnd.github+json, application/json")
	}
	return r, err
}

// readAnswer decodes the body of an answer.
func readAnswer(ctx context.Context, body io.Reader, into any, what string) error {
	err := json.NewDecoder(body).Decode(into)
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return context.Cause(ctx)
	}
	return fault.Wrap(fault.Unavailable, err, "%s: the answer of GitHub broke off or cannot be read", what)
}

// drain reads what is left of a body, so that the connection can be used again.
func drain(body io.ReadCloser) {
	_, _ = io.Copy(io.Discard, io.LimitReader(body, 64<<10))
	_ = body.Close()
}

// link is one of the links of a Link header.
var link = regexp.MustCompile(`<([^>]*)>;\s*rel="(next|last)"`)

func linked(header string) pages {
	var p pages
	for _, found := range link.FindAllStringSubmatch(header, -1) {
		u, err := url.Parse(found[1])
		if err != nil {
			continue
		}
		n, _ := strconv.Atoi(u.Query().Get("page"))
		if found[2] == "next" {
			p.next = n
		} else {
			p.last = n
		}
	}
	return p
}

// unreachable is the fault of a request without an answer. A fault of the transport stays what it is.
func unreachable(ctx context.Context, err error, what string) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if failed, ok := errors.AsType[*url.Error](err); ok {
		err = failed.Err // its own text repeats the address
	}
	if known, ok := errors.AsType[*fault.Error](err); ok {
		return fault.Wrap(known.Kind, err, "%s", what)
	}
	return fault.Wrap(fault.Unavailable, err, "%s", what)
}

// refused is the fault of an answer that is an error. err is what go-github makes of it.
func (c *Connection) refused(err error, answer *http.Response, what string) error {
	message, blocked := http.StatusText(answer.StatusCode), ""
	switch e := err.(type) {
	case *github.RateLimitError, *github.AbuseRateLimitError:
		return fault.Replace(fault.Unavailable, err, "%s: the limit on requests is reached", what)
	case *github.TwoFactorAuthError:
		return fault.Replace(fault.Denied, err, "%s: the credential asks for a second factor: use a token or an App", what)
	case *github.ErrorResponse:
		if e.Message != "" {
			message = e.Message
		}
		if e.Block != nil {
			blocked = e.Block.Reason
		}
	}
	message = strings.TrimSuffix(message, ".")
	switch status := answer.StatusCode; {
	case status == http.StatusUnauthorized:
		return fault.Replace(fault.Denied, err, "%s: GitHub refuses the credential: it has ended, was revoked, or is mistyped; make a new one and put it in its place (%s)", c.cfg.Name, message)
	case status == http.StatusForbidden:
		return fault.Replace(fault.Denied, err, "%s may not be read: %s", what, lacking(message, answer.Header))
	case status == http.StatusNotFound:
		return fault.Replace(fault.NotFound, err, "%s: there is no such thing, or it is not shown to the credential", what)
	case status == http.StatusConflict:
		return fault.Replace(fault.Conflict, err, "%s: %s", what, message)
	case status == http.StatusGone:
		return &fault.Error{Kind: fault.NotFound, Message: what + ": " + message, Cause: errSwitchedOff}
	case status == http.StatusUnavailableForLegalReasons:
		if blocked != "" {
			message += " (" + blocked + ")"
		}
		return fault.Replace(fault.Denied, err, "%s may not be read for legal reasons: %s", what, message)
	case status == http.StatusTooManyRequests || status >= 500 || status == http.StatusAccepted:
		return fault.Replace(fault.Unavailable, err, "%s: GitHub answers %d %s", what, status, message)
	default:
		return fault.Replace(fault.Internal, err, "%s: GitHub refuses the request: %d %s", what, status, message)
	}
}

// errSwitchedOff says that a repository does not have a thing, such as issues.
var errSwitchedOff = errors.New("it is switched off in the repository")

// lacking says what a credential lacks, in GitHub's own words as far as it has some: fine-grained permissions for Apps
// and new tokens, scopes for classic ones, an organisation's single sign-on.
func lacking(message string, h http.Header) string {
	if sso := h.Get("X-GitHub-SSO"); sso != "" {
		return message + "; the token has to be authorised for the organisation's single sign-on"
	}
	if permissions := h.Get("X-Accepted-GitHub-Permissions"); permissions != "" {
		return message + "; it needs the permission " + strings.ReplaceAll(permissions, "; ", " or ")
	}
	has, hasScopes := h["X-Oauth-Scopes"]
	if wanted := h.Get("X-Accepted-OAuth-Scopes"); wanted != "" && hasScopes {
		return fmt.Sprintf("%s; it has the scopes %q and needs one of %q", message, strings.Join(has, ", "), wanted)
	}
	return message
}

// errNoGraphQL says that this server does not know GraphQL, or not as it is spoken here: REST has to do.
var errNoGraphQL = errors.New("the server does not know GraphQL as it is spoken here")

// errTooMuch says that a query asked for more than GitHub computes in its time.
var errTooMuch = errors.New("the query asks for too much at once")

// usesGraphQL says whether to try it.
func (c *Connection) usesGraphQL() bool { return c.cfg.GraphQL != GraphQLOff && !c.noGraphQL.Load() }

// query makes one request of the GraphQL API.
func (t *Turn) query(ctx context.Context, what, document string, variables map[string]any, into any) error {
	t.requests++
	return t.c.query(ctx, what, document, variables, into)
}

func (c *Connection) query(ctx context.Context, what, document string, variables map[string]any, into any) error {
	body, err := json.Marshal(map[string]any{"query": document, "variables": variables})
	if err != nil {
		return fault.Wrap(fault.Internal, err, "%s", what)
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, c.at.graphql.String(), bytes.NewReader(body))
	if err != nil {
		return fault.Wrap(fault.Internal, err, "%s", what)
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Accept", "application/json")
	answer, err := c.client.Do(r)
	if err != nil {
		return unreachable(ctx, err, what)
	}
	defer drain(answer.Body)
	switch answer.StatusCode {
	case http.StatusNotFound, http.StatusMethodNotAllowed:
		c.noGraphQL.Store(true)
		return errNoGraphQL
	case http.StatusBadGateway, http.StatusGatewayTimeout:
		return fault.New(fault.Unavailable, "%s: %w: GitHub answers %d", what, errTooMuch, answer.StatusCode)
	}
	if err := github.CheckResponse(answer); err != nil {
		return c.refused(err, answer, what)
	}
	var said struct {
		Data   json.RawMessage `json:"data"`
		Errors []struct {
			Type       string `json:"type"`
			Message    string `json:"message"`
			Extensions struct {
				Code string `json:"code"`
			} `json:"extensions"`
		} `json:"errors"`
	}
	if err := readAnswer(ctx, answer.Body, &said, what); err != nil {
		return err
	}
	if len(said.Errors) > 0 {
		e := said.Errors[0]
		switch {
		case e.Type == "NOT_FOUND":
			return fault.New(fault.NotFound, "%s: there is no such thing, or it is not shown to the credential: %s", what, e.Message)
		case e.Type == "FORBIDDEN" || e.Type == "INSUFFICIENT_SCOPES":
			return fault.New(fault.Denied, "%s may not be read: %s", what, e.Message)
		case e.Type == "RATE_LIMITED":
			return fault.New(fault.Unavailable, "%s: the limit on requests is reached", what)
		case e.Type == "MAX_NODE_LIMIT_EXCEEDED" || e.Type == "RESOURCE_LIMITS_EXCEEDED" || strings.HasPrefix(e.Message, "Something went wrong while executing your query") ||
			strings.Contains(e.Message, "timedout") || strings.Contains(e.Message, "timeout"):
			return fault.New(fault.Unavailable, "%s: %w: %s", what, errTooMuch, e.Message)
		case unknownField.MatchString(e.Message) || strings.HasPrefix(e.Extensions.Code, "undefined") || strings.HasPrefix(e.Extensions.Code, "argument"):
			c.noGraphQL.Store(true)
			return fmt.Errorf("%w: %s", errNoGraphQL, e.Message)
		}
		return fault.New(fault.Unavailable, "%s: GitHub answers: %s", what, e.Message)
	}
	if err := json.Unmarshal(said.Data, into); err != nil {
		return fault.Wrap(fault.Unavailable, err, "%s: the answer of GitHub cannot be read", what)
	}
	return nil
}

// unknownField is how a server says that its schema is another, older one.
var unknownField = regexp.MustCompile(`doesn't (exist on type|accept argument)|[Uu]nknown (type|argument|field)`)

// nouns are what the kinds of streams list, for people.
var nouns = map[string]string{
	source.Repositories: "the repositories",
	source.Teams:        "the teams",
	source.Commits:      "the commits",
	source.Changes:      "the pull requests",
	source.Runs:         "the workflow runs",
	source.Deployments:  "the deployments",
	source.Releases:     "the releases",
	source.Incidents:    "the issues",
	source.Ownership:    "the files that name owners",
}

// what is what the turn reads, for people.
func (t *Turn) what() string {
	if t.repo.id == 0 {
		return nouns[t.stream.Kind]
	}
	return nouns[t.stream.Kind] + " of " + t.repo.name
}

// path is the address of a list of the turn's repository.
func (t *Turn) path(list string) string { return "repos/" + t.repo.name + "/" + list }

// values makes a query of pairs.
func values(pairs ...string) url.Values {
	v := url.Values{}
	for i := 0; i+1 < len(pairs); i += 2 {
		v.Set(pairs[i], pairs[i+1])
	}
	return v
}

// hidden is the fault of a thing that GraphQL answers with null.
func (t *Turn) hidden() error {
	return fault.New(fault.NotFound, "%s: there is no such thing, or it is not shown to the credential", t.what())
}
