package conformance

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
)

// Load reads the case in the file. A key that the format does not have is an error that names the file and the key.
func Load(path string) (Case, error) {
	c, unknown, err := LoadNoting(path)
	if err == nil && len(unknown) > 0 {
		err = fmt.Errorf("%s: unknown key %s", path, strings.Join(unknown, ", "))
	}
	return c, err
}

// LoadNoting is Load for files that somebody else keeps: it returns unknown keys, such as events.commits[2].paht,
// beside the case.
func LoadNoting(path string) (c Case, unknown []string, err error) {
	raw, err := os.ReadFile(path)
	if err != nil {
		return Case{}, nil, err
	}
	c, unknown, err = parse(raw)
	if err != nil {
		return Case{}, nil, fmt.Errorf("%s: %w", path, err)
	}
	return c, unknown, nil
}

// LoadDir reads every *.json of the folder, in the order of their names. A folder without any is an error.
func LoadDir(dir string) ([]Case, error) {
	paths, err := filepath.Glob(filepath.Join(dir, "*.json"))
	if err != nil {
		return nil, err
	}
	if len(paths) == 0 {
		return nil, fmt.Errorf("%s: no *.json", dir)
	}
	var cases []Case
	var wrong []error
	for _, path := range paths {
		c, err := Load(path)
		cases, wrong = append(cases, c), append(wrong, err)
	}
	if err := errors.Join(wrong...); err != nil {
		return nil, err
	}
	return cases, nil
}

func parse(raw []byte) (Case, []string, error) {
	var c Case
	if err := json.Unmarshal(raw, &c); err != nil {
		return Case{}, nil, err
	}
	return c, unknownKeys(raw, c), check(raw, c)
}

// check refuses a case that cannot be asked.
func check(raw []byte, c Case) error {
	if c.ID == "" || c.AsOf.IsZero() {
		return errors.New("id and as_of must be given")
	}
	var values struct{ Expected []map[string]any }
	if err := json.Unmarshal(raw, &values); err != nil {
		return err
	}
	for i, e := range c.Expected {
		err := func() error {
			if _, given := values.Expected[i]["value"]; !given {
				return errors.New("no value")
			}
			scopes := 0
			for _, set := range []bool{e.Scope.Service != "", e.Scope.Team != "", e.Scope.Org} {
				if set {
					scopes++
				}
			}
			if scopes != 1 {
				return errors.New("scope must have one of service, team and org")
			}
			if _, err := c.Settings.Override(e.SettingsOverride); err != nil {
				return err
			}
			from, to, err := e.Window.In(e.TimeZone)
			if err == nil && !from.Before(to) {
				err = errors.New("the window ends before it begins")
			}
			return err
		}()
		if err != nil {
			return fmt.Errorf("expected[%d] %s: %w", i, e.Metric, err)
		}
	}
	return nil
}

// unknownKeys lists the keys in raw, with their paths, that the type of shape has no field for. Unlike the decoder it
// distinguishes capital letters.
func unknownKeys(raw []byte, shape any) []string {
	var value any
	if err := json.Unmarshal(raw, &value); err != nil {
		return nil // the caller decodes too and reports it
	}
	var unknown []string
	var walk func(at string, value any, shape reflect.Type)
	walk = func(at string, value any, shape reflect.Type) {
		switch value := value.(type) {
		case []any:
			if shape.Kind() == reflect.Slice {
				for i, element := range value {
					walk(fmt.Sprintf("%s[%d]", at, i), element, shape.Elem())
				}
			}
		case map[string]any:
			for key, element := range value {
				path := strings.TrimPrefix(at+"."+key, ".")
				switch shape.Kind() {
				case reflect.Map:
					walk(path, element, shape.Elem())
				case reflect.Struct:
					if field, known := fieldOf(shape, key); known {
						walk(path, element, field)
					} else {
						unknown = append(unknown, path)
					}
				}
			}
		}
	}
	walk("", value, reflect.TypeOf(shape))
	slices.Sort(unknown)
	return unknown
}

func fieldOf(shape reflect.Type, key string) (reflect.Type, bool) {
	for i := range shape.NumField() {
		field := shape.Field(i)
		if name, _, _ := strings.Cut(field.Tag.Get("json"), ","); name == key {
			return field.Type, true
		}
	}
	return nil, false
}
