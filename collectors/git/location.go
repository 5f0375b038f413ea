package git

import (
	"net/url"
	"path/filepath"
	"regexp"
	"strings"

	"cairn/internal/fault"
)

// location is where a repository is: a folder, or an address that git can clone.
type location struct {
	path string // absolute; "" for an address
	url  string // as git takes it; "" for a folder
	host string // of the address, "" for a file:// address
	// name is what the last part of the location, or for a host its whole path, calls the repository: owner/name.
	name string
}

// scp is the form user@host:path. Like git, it takes a colon before the first slash for it.
var scp = regexp.MustCompile(`^(?:([^@/:]+)@)?([^/:@]{2,}|\[[0-9a-fA-F:]+\]):(.+)$`)

// locate reads a path or an address, without a look at disk or network.
func locate(text string) (location, error) {
	if text == "" {
		return location{}, fault.New(fault.Invalid, "no repository is given: name a folder or an address")
	}
	if strings.HasPrefix(text, "-") {
		return location{}, fault.New(fault.Invalid, "%q is no repository: write a folder whose name begins with a dash as ./%s", text, text)
	}
	if strings.ContainsAny(text, "\x00\n\r") {
		return location{}, fault.New(fault.Invalid, "%q is no repository: it has a line break or a NUL in it", text)
	}
	if strings.Contains(text, "://") {
		return locateURL(text)
	}
	if scheme, _, helper := strings.Cut(text, "::"); helper && !strings.ContainsAny(scheme, "/[") {
		return location{}, fault.New(fault.Invalid, "addresses of the form %s:: are not taken: they run programs", scheme)
	}
	if m := scp.FindStringSubmatch(text); m != nil {
		if strings.HasPrefix(m[2], "-") || strings.HasPrefix(m[1], "-") {
			return location{}, fault.New(fault.Invalid, "%q is no address: its host or user begins with a dash", text)
		}
		return named(location{url: text, host: m[2]}, m[3])
	}
	path, err := filepath.Abs(text)
	if err != nil {
		return location{}, fault.Wrap(fault.Invalid, err, "the folder %s", text)
	}
	folder := path
	if filepath.Base(folder) == ".git" {
		folder = filepath.Dir(folder)
	}
	return named(location{path: path}, filepath.Base(folder))
}

func locateURL(text string) (location, error) {
	u, err := url.Parse(text)
	if err != nil {
		// The parser's own message would repeat the address, and with it what may be a password.
		return location{}, fault.New(fault.Invalid, "the address of the repository cannot be read: it is not a valid URL")
	}
	switch u.Scheme {
	case "https", "http", "ssh", "git", "file":
	default:
		return location{}, fault.New(fault.Invalid, "addresses of the kind %s:// are not taken: give https, http, ssh, git or file", u.Scheme)
	}
	if _, secret := u.User.Password(); secret || u.User != nil && u.Scheme != "ssh" {
		return location{}, fault.New(fault.Invalid, "the address of %s has credentials in it: leave them to a git credential helper", u.Host+u.Path)
	}
	if u.RawQuery != "" || u.Fragment != "" {
		return location{}, fault.New(fault.Invalid, "the address of %s has a query or a fragment: leave it out", u.Host+u.Path)
	}
	if strings.HasPrefix(u.Host, "-") || strings.HasPrefix(u.User.Username(), "-") {
		return location{}, fault.New(fault.Invalid, "the address of %s begins with a dash", u.Host+u.Path)
	}
	if u.Scheme == "file" {
		return named(location{url: text}, filepath.Base(u.Path))
	}
	if u.Hostname() == "" {
		return location{}, fault.New(fault.Invalid, "the address %s names no host", text)
	}
	return named(location{url: text, host: u.Host}, u.Path)
}

// named gives the location the name that is left of path.
func named(l location, path string) (location, error) {
	name := strings.TrimSuffix(strings.Trim(path, "/"), ".git")
	name = strings.Trim(strings.TrimPrefix(name, "~"), "/")
	if name == "" || name == "." || name == ".." {
		return location{}, fault.New(fault.Invalid, "%s names no repository", l)
	}
	l.name = strings.ToValidUTF8(name, "\uFFFD")
	return l, nil
}

// String is the location for messages. It holds no credentials: locate refuses them.
func (l location) String() string {
	if l.url != "" {
		return l.url
	}
	return l.path
}

// public returns the address that git has noted for a clone's origin, without credentials, or "" when it is none that
// others could use.
func public(address string) string {
	u, err := url.Parse(address)
	if err == nil && u.Host != "" && u.Scheme != "file" {
		if u.Scheme != "ssh" {
			u.User = nil
		} else if u.User != nil {
			u.User = url.User(u.User.Username())
		}
		u.RawQuery, u.Fragment = "", ""
		return u.String()
	}
	if m := scp.FindStringSubmatch(address); m != nil && !strings.Contains(address, "::") && !strings.Contains(address, "://") {
		return address
	}
	return ""
}

// carrying returns the configuration by which git sends headers to the location's host, over the web, and to no other:
// redirections are not followed then.
func (l location) carrying(header []string) [][2]string {
	u, err := url.Parse(l.url)
	if len(header) == 0 || err != nil || u.Scheme != "https" && u.Scheme != "http" {
		return nil
	}
	base := "http." + (&url.URL{Scheme: u.Scheme, Host: u.Host, Path: "/"}).String()
	variables := [][2]string{{base + ".followRedirects", "false"}}
	for _, h := range header {
		variables = append(variables, [2]string{base + ".extraHeader", h})
	}
	return variables
}
