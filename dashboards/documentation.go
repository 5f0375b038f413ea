package dashboards

import (
	"bytes"
	"html/template"
	"io/fs"
	"net/http"
	"path"
	"regexp"
	"strings"

	"github.com/labstack/echo/v4"
	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/ast"
	"github.com/yuin/goldmark/extension"
	"github.com/yuin/goldmark/parser"
	"github.com/yuin/goldmark/text"
	"github.com/yuin/goldmark/util"

	"cairn/internal/fault"
)

// documentation are the pages of the documentation by address below /docs/; the index of a folder has the folder's.
type documentation map[string]docPage

type docPage struct {
	Title    string
	Sentence string // the first that is no heading and no list of properties
	Body     template.HTML
}

// loadDocumentation renders every page. Links between pages become addresses; links that leave the documentation are
// left out, since what they name is not part of the program.
func loadDocumentation(files fs.FS) (documentation, error) {
	docs := documentation{}
	err := fs.WalkDir(files, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || path.Ext(name) != ".md" {
			return err
		}
		source, err := fs.ReadFile(files, name)
		if err != nil {
			return err
		}
		var out bytes.Buffer
		markdown := goldmark.New(
			goldmark.WithExtensions(extension.Table, extension.Linkify),
			goldmark.WithParserOptions(parser.WithAutoHeadingID(), parser.WithASTTransformers(util.Prioritized(relink{folder: path.Dir(name)}, 100))),
		)
		if err := markdown.Convert(source, &out); err != nil {
			return err
		}
		docs[addressOf(name)] = docPage{Title: titleOf(source), Sentence: sentenceOf(source), Body: template.HTML(out.String())}
		return nil
	})
	return docs, err
}

// addressOf is a page's place below /docs/.
func addressOf(name string) string {
	name = strings.TrimSuffix(name, ".md")
	if path.Base(name) == "README" {
		name = path.Dir(name)
	}
	return name
}

// relink turns links between files into addresses.
type relink struct{ folder string }

// Transform implements parser.ASTTransformer.
func (r relink) Transform(doc *ast.Document, reader text.Reader, _ parser.Context) {
	var outside []*ast.Link
	_ = ast.Walk(doc, func(n ast.Node, entering bool) (ast.WalkStatus, error) {
		link, ok := n.(*ast.Link)
		if !ok || !entering {
			return ast.WalkContinue, nil
		}
		to, anchor, _ := strings.Cut(string(link.Destination), "#")
		switch {
		case strings.Contains(to, "://") || to == "":
		case strings.HasPrefix(path.Join(r.folder, to), "..") || path.Ext(to) != ".md" && path.Ext(to) != ".json":
			outside = append(outside, link)
		case path.Ext(to) == ".json":
			link.Destination = []byte("/api/v1/" + path.Base(to))
		default:
			address := "/docs/" + addressOf(path.Join(r.folder, to))
			if address == "/docs/api" {
				address += ".md"
			}
			if anchor != "" {
				address += "#" + anchor
			}
			link.Destination = []byte(strings.TrimSuffix(address, "/."))
		}
		return ast.WalkContinue, nil
	})
	for _, link := range outside {
		parent := link.Parent()
		for child := link.FirstChild(); child != nil; child = link.FirstChild() {
			parent.InsertBefore(parent, link, child)
		}
		parent.RemoveChild(parent, link)
	}
}

func titleOf(source []byte) string {
	for line := range strings.Lines(string(source)) {
		if title, ok := strings.CutPrefix(line, "# "); ok {
			return strings.TrimSpace(title)
		}
	}
	return ""
}

// sentenceOf is the first paragraph that is text: behind the title a metric's page has a line of properties.
func sentenceOf(source []byte) string {
	for _, paragraph := range strings.Split(string(source), "\n\n")[1:] {
		paragraph = strings.TrimSpace(paragraph)
		if paragraph == "" || strings.ContainsAny(paragraph[:1], "#`|-") || strings.HasPrefix(paragraph, "    ") {
			continue
		}
		return plain(strings.Join(strings.Fields(paragraph), " "))
	}
	return ""
}

// plain takes the marks out of a paragraph.
func plain(markdown string) string {
	text := regexp.MustCompile(`\[([^\]]*)\]\([^)]*\)`).ReplaceAllString(markdown, "$1")
	return strings.NewReplacer("**", "", "`", "", "*", "").Replace(text)
}

// sentence says what a metric is.
func (d documentation) sentence(metric string) string { return d["metrics/"+metric].Sentence }

// docView is a page of the documentation.
type docView struct {
	docPage
	Metric string // the metric that the page is about
}

func (p *Pages) docsIndex(c echo.Context) error { return p.document(c, ".") }

func (p *Pages) docsPage(c echo.Context) error {
	name := strings.TrimSuffix(c.Param("*"), "/")
	if name == "" {
		return p.docsIndex(c)
	}
	if name == "api.md" { // at /docs/api stands what the API says of itself
		return p.document(c, "api")
	}
	if strings.HasSuffix(name, ".md") {
		return c.Redirect(http.StatusMovedPermanently, strings.TrimSuffix("/docs/"+addressOf(name), "/."))
	}
	return p.document(c, name)
}

func (p *Pages) document(c echo.Context, name string) error {
	v, err := p.view(c)
	if err != nil {
		return err
	}
	doc, ok := p.docs[name]
	if !ok {
		return fault.New(fault.NotFound, "there is no page %s in the documentation", c.Request().URL.Path)
	}
	b := docView{docPage: doc}
	nav := ""
	if folder, id := path.Split(name); folder == "metrics/" {
		nav, b.Metric = "metrics", id
	}
	if name == "metrics" {
		nav = "metrics"
	}
	return p.show(c, "document", page{Title: doc.Title, Nav: nav, View: v, Body: b})
}
