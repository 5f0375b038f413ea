package gitlab

//lint:file-ignore SA1019 go-gitlab goes on under another path; until that is taken, this file alone knows it.

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	gl "github.com/xanzy/go-gitlab"

	"cairn/internal/fault"
)

// api asks the REST API. It is the one place where requests are made.
type api struct {
	name   string // of the connection, for errors
	client *gl.Client
}

// newAPI makes a client of go-gitlab that only speaks the protocol: retries and limits are those of the HTTP client that
// it is handed, and so is the credential.
func newAPI(cfg Config, client *http.Client) (api, error) {
	at, err := addressOf(cfg.URL)
	if err != nil {
		return api{}, err
	}
	c, err := gl.NewClient("", gl.WithBaseURL(at.String()), gl.WithHTTPClient(client), gl.WithoutRetries(),
		gl.WithCustomRetryMax(0), gl.WithCustomLimiter(unlimited{}))
	if err != nil {
		return api{}, err
	}
	c.UserAgent = "cairn"
	return api{name: cfg.Name, client: c}, nil
}

type unlimited struct{}

func (unlimited) Wait(context.Context) error { return nil }

// query are parameters of a request.
type query map[string]string

// page says what follows a page of a list.
type page struct {
	last  bool   // there is no page after it
	next  string // query of the next page, of lists that have no page numbers
	total int64  // how many things the list has; 0 where GitLab does not count
}

// perPage is how many things GitLab gives at most on a page.
const perPage = 100

// get asks for one thing. Errors are faults.
func (a api) get(ctx context.Context, path string, q query, into any) error {
	_, err := a.ask(ctx, path, q.encode(), into)
	return err
}

// list asks for a page of a list into a slice.
func list[T any](ctx context.Context, a api, path string, q query) ([]T, page, error) {
	return listRaw[T](ctx, a, path, q.encode())
}

// listRaw is list with a query as it stands in an address.
func listRaw[T any](ctx context.Context, a api, path, raw string) ([]T, page, error) {
	var things []T
	response, err := a.ask(ctx, path, raw, &things)
	if err != nil {
		return nil, page{}, err
	}
	p := page{total: int64(response.TotalItems)}
	if response.NextLink != "" {
		if u, err := url.Parse(response.NextLink); err == nil {
			p.next = u.RawQuery
		}
	}
	size := perPage
	if values, err := url.ParseQuery(raw); err == nil {
		if n, err := strconv.Atoi(values.Get("per_page")); err == nil {
			size = n
		}
	}
	// A proxy may take away headers; then a full page has another one after it.
	told := response.Header.Get("X-Per-Page") != "" || response.Header.Get("Link") != ""
	p.last = len(things) == 0 || response.NextPage == 0 && response.NextLink == "" && (told || len(things) < size)
	return things, p, nil
}

// ask makes one request. into may be a *strings.Builder, which takes the body as it is.
func (a api) ask(ctx context.Context, path, raw string, into any) (*gl.Response, error) {
	request, err := a.client.NewRequest(http.MethodGet, path, nil, []gl.RequestOptionFunc{
		gl.WithContext(ctx), gl.WithKeysetPaginationParameters("?" + raw), // which sets all of a query
	})
	if err != nil {
		return nil, fault.Wrap(fault.Internal, err, "%s: asking GitLab for %s", a.name, path)
	}
	response, err := a.client.Do(request, into)
	if err != nil {
		return nil, a.fault(ctx, path, response, err)
	}
	return response, nil
}

// fault says what an error of a request means.
func (a api) fault(ctx context.Context, path string, response *gl.Response, err error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	path, _ = url.PathUnescape(path)
	status := 0
	if response != nil && response.Response != nil {
		status = response.StatusCode
	}
	switch {
	case status == http.StatusUnauthorized:
		return fault.Replace(fault.Denied, errRefused, "%s: GitLab refuses the token: it has ended, was revoked, or is mistyped; make a new one and put it in its place", a.name)
	case status == http.StatusForbidden:
		return fault.Wrap(fault.Denied, asked(err), "%s: the token may not read %s: it needs the scope read_api and the role Reporter there", a.name, path)
	case status == http.StatusNotFound || errors.Is(err, gl.ErrNotFound):
		return fault.Replace(fault.NotFound, err, "%s: GitLab has no %s, or does not show it to the token", a.name, path)
	case status == http.StatusTooManyRequests:
		return fault.Wrap(fault.Unavailable, asked(err), "%s: the limit of GitLab on requests is reached", a.name)
	case status >= 500:
		return fault.Replace(fault.Unavailable, err, "%s: GitLab answered %s with %d: it may work later", a.name, path, status)
	case status == http.StatusMethodNotAllowed:
		return fault.Wrap(fault.Internal, errNotAllowed, "%s: GitLab answered %s with %d", a.name, path, status)
	case status >= 400:
		return fault.Wrap(fault.Internal, asked(err), "%s: GitLab answered %s with %d", a.name, path, status)
	case status == 0:
		return fault.Wrap(fault.Unavailable, err, "%s: asking GitLab for %s", a.name, path)
	}
	var syntax *json.SyntaxError
	var kind *json.UnmarshalTypeError
	if errors.As(err, &kind) {
		return fault.Wrap(fault.Internal, err, "%s: what GitLab answered to %s has another form than it had", a.name, path)
	}
	if errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) || errors.As(err, &syntax) {
		return fault.Replace(fault.Unavailable, err, "%s: the answer of GitLab to %s was cut off", a.name, path)
	}
	return fault.Wrap(fault.Unavailable, err, "%s: reading what GitLab answered to %s", a.name, path)
}

// errRefused is in the chain of the error that the token is refused altogether.
var errRefused = errors.New("the token is refused")

// errNotAllowed is how GitLab says that a list cannot be paged through by ids.
var errNotAllowed = errors.New("there is no such paging of this list")

// asked is an error of go-gitlab with GitLab's words alone.
func asked(err error) error {
	var answer *gl.ErrorResponse
	if !errors.As(err, &answer) {
		return err
	}
	text := strings.TrimSpace(answer.Message)
	if text == "" {
		text = http.StatusText(answer.Response.StatusCode)
	}
	if len(text) > 200 {
		text = text[:200]
	}
	return errors.New(strings.ToValidUTF8(text, ""))
}

func (q query) encode() string {
	values := url.Values{}
	for key, value := range q {
		if value != "" {
			values.Set(key, value)
		}
	}
	return values.Encode()
}

// stamp is an instant as a parameter: the milliseconds count, go-gitlab leaves them out.
func stamp(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format("2006-01-02T15:04:05.000Z")
}

// in is the path of something in a project.
func (p known) in(rest string) string {
	return "projects/" + strconv.FormatInt(p.ID, 10) + rest
}
