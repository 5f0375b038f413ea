package dashboards

import (
	"embed"
	"encoding/json"
	"fmt"
	"html/template"
	"net/url"
	"path"
	"strings"
	"time"

	"cairn/metrics/words"
)

//go:embed templates/*.html templates/parts/*.html
var templateFiles embed.FS

// loadTemplates parses each page with the layout and the parts that pages share.
func loadTemplates(a assets) (map[string]*template.Template, error) {
	shared, err := template.New("").Funcs(functions(a)).ParseFS(templateFiles, "templates/parts/*.html")
	if err != nil {
		return nil, err
	}
	files, err := templateFiles.ReadDir("templates")
	if err != nil {
		return nil, err
	}
	pages := map[string]*template.Template{}
	for _, f := range files {
		if f.IsDir() {
			continue
		}
		t, err := shared.Clone()
		if err != nil {
			return nil, err
		}
		if t, err = t.ParseFS(templateFiles, path.Join("templates", f.Name())); err != nil {
			return nil, err
		}
		pages[strings.TrimSuffix(f.Name(), ".html")] = t
	}
	return pages, nil
}

// functions are what templates may call beside fields and methods.
func functions(a assets) template.FuncMap {
	return template.FuncMap{
		"asset":      a.address,
		"place":      place,
		"rolling":    rolling,
		"json":       func(v any) (string, error) { b, err := json.Marshal(v); return string(b), err },
		"path":       url.PathEscape,
		"list":       func(items ...capability) []capability { return items },
		"deployment": deploymentPlace,
		"value":      valueOf,
		"counted":    func(n any, noun string) string { v, _ := words.Sample(n); return words.Counted(v, noun) },
		"grouped":    func(n any) string { return words.Size(n) },
		"short":      words.Short,
		"lower":      strings.ToLower,
		"clipped":    words.Clipped,
		"upper":      words.Upper,
		"join":       func(list []string, with string) string { return strings.Join(list, with) },
		"words":      words.Plain,
		"foundby":    words.FoundBy,
		"instant":    func(t time.Time) string { return t.UTC().Format(time.RFC3339) },
		"pair": func(pairs ...any) (map[string]any, error) {
			if len(pairs)%2 != 0 {
				return nil, fmt.Errorf("pair: %d arguments", len(pairs))
			}
			m := map[string]any{}
			for i := 0; i < len(pairs); i += 2 {
				name, ok := pairs[i].(string)
				if !ok {
					return nil, fmt.Errorf("pair: %v is no name", pairs[i])
				}
				m[name] = pairs[i+1]
			}
			return m, nil
		},
	}
}

// valueOf writes a value that may be a pointer.
func valueOf(v any, unit string) string {
	if p, ok := v.(*float64); ok {
		if p == nil {
			return words.Value(nil, unit)
		}
		v = *p
	}
	return words.Value(v, unit)
}
