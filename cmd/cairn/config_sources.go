package main

import (
	"bytes"
	"fmt"
	"maps"
	"os"
	"reflect"
	"slices"
	"strings"

	"gopkg.in/yaml.v3"

	"cairn/collectors"
	"cairn/internal/fault"
)

// SourcesConfig lists the systems that facts are collected from, in the order of the file.
type SourcesConfig []SourceConfig

// SourceConfig is one connection.
type SourceConfig struct {
	System string // key in collectors.Kinds
	Place  string // in the file, for messages: sources.github[0]
	Config any    // as the kind's Config returns it, filled
}

// of are the connections to one system, in the order of the file.
func (s SourcesConfig) of(system string) SourcesConfig {
	return slices.DeleteFunc(slices.Clone(s), func(c SourceConfig) bool { return c.System != system })
}

// nameOf is the name in a connection's settings, which every system has.
func nameOf(config any) string { return reflect.ValueOf(config).Elem().FieldByName("Name").String() }

// UnmarshalYAML reads a mapping of systems, each with one connection or a list of them, over the defaults. Like
// everywhere in the file an unknown key is an error.
func (s *SourcesConfig) UnmarshalYAML(n *yaml.Node) error {
	*s = nil
	if n.Kind == yaml.ScalarNode && n.Tag == "!!null" {
		return nil
	}
	if n.Kind != yaml.MappingNode {
		return fmt.Errorf("line %d: sources is a mapping of systems, such as github, to connections", n.Line)
	}
	kinds := collectors.Kinds()
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		kind, ok := kinds[key.Value]
		if !ok {
			return fmt.Errorf("line %d: there is no system %q%s", key.Line, key.Value, nearest(key.Value, slices.Sorted(maps.Keys(kinds))))
		}
		nodes := []*yaml.Node{value}
		switch {
		case value.Kind == yaml.SequenceNode:
			nodes = value.Content
		case value.Kind == yaml.ScalarNode && value.Tag == "!!null":
			nodes = nil
		}
		for at, node := range nodes {
			config := kind.Config()
			if err := knownKeys(node, reflect.TypeOf(config)); err != nil {
				return err
			}
			if err := node.Decode(config); err != nil {
				return err
			}
			*s = append(*s, SourceConfig{System: key.Value, Place: fmt.Sprintf("sources.%s[%d]", key.Value, at), Config: config})
		}
	}
	return nil
}

// knownKeys finds the first key below a node that no field of the type has. The decoder's own check does not reach what a
// type reads by itself.
func knownKeys(n *yaml.Node, t reflect.Type) error {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	switch {
	case n.Kind == yaml.SequenceNode && t.Kind() == reflect.Slice:
		for _, item := range n.Content {
			if err := knownKeys(item, t.Elem()); err != nil {
				return err
			}
		}
	case n.Kind == yaml.MappingNode && t.Kind() == reflect.Struct:
		fields := map[string]reflect.Type{}
		var names []string
		for _, f := range reflect.VisibleFields(t) { // those of an inlined struct, too
			if key := yamlKey(f); key != "" && (len(f.Index) == 1 || strings.Contains(t.Field(f.Index[0]).Tag.Get("yaml"), ",inline")) {
				fields[key] = f.Type
				names = append(names, key)
			}
		}
		for i := 0; i+1 < len(n.Content); i += 2 {
			key := n.Content[i]
			field, ok := fields[key.Value]
			if !ok && len(names) > 0 {
				return fmt.Errorf("line %d: there is no setting %q here%s", key.Line, key.Value, nearest(key.Value, names))
			}
			if ok {
				if err := knownKeys(n.Content[i+1], field); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

func yamlKey(f reflect.StructField) string {
	key, _, _ := strings.Cut(f.Tag.Get("yaml"), ",")
	if key == "-" {
		return ""
	}
	return key
}

// secrets puts what references name in their place: env:NAME is an environment variable, file:PATH the content of a
// file. A secret that stands in the file itself is refused, since configurations are copied about.
type secrets struct {
	getenv func(string) string
}

// revealed returns a copy of a connection's settings, a pointer to a struct, in which every field that has the tag
// secret:"true" holds the secret instead of the reference. Empty ones stay empty.
func (s secrets) revealed(place string, config any) (any, error) {
	v := reflect.ValueOf(config).Elem()
	copied := reflect.New(v.Type())
	copied.Elem().Set(v)
	if err := s.revealIn(place, copied.Elem()); err != nil {
		return nil, err
	}
	return copied.Interface(), nil
}

func (s secrets) revealIn(place string, v reflect.Value) error {
	for i := range v.NumField() {
		field, f := v.Type().Field(i), v.Field(i)
		at := place + "." + yamlKey(field)
		switch {
		case f.Kind() == reflect.Struct && field.IsExported():
			if err := s.revealIn(at, f); err != nil {
				return err
			}
		case field.Tag.Get("secret") != "true":
		case f.Kind() == reflect.String && f.String() != "":
			value, err := s.reveal(at, f.String())
			if err != nil {
				return err
			}
			f.SetString(value)
		case f.Kind() == reflect.Slice && f.Len() > 0:
			list := reflect.MakeSlice(f.Type(), f.Len(), f.Len()) // not the slice that the configuration holds
			for n := range f.Len() {
				value, err := s.reveal(fmt.Sprintf("%s[%d]", at, n), f.Index(n).String())
				if err != nil {
					return err
				}
				list.Index(n).SetString(value)
			}
			f.Set(list)
		}
	}
	return nil
}

// reveal returns the secret that a reference names. what says whose it is, for messages.
func (s secrets) reveal(what, reference string) (string, error) {
	kind, name, _ := strings.Cut(reference, ":")
	switch kind {
	case "env":
		value := s.getenv(name)
		if value == "" {
			return "", fault.New(fault.Invalid, "%s is env:%s, and the environment variable %s is not set", what, name, name)
		}
		return value, nil
	case "file":
		text, err := os.ReadFile(name)
		if err != nil {
			return "", fault.Wrap(fault.Invalid, err, "%s is file:%s", what, name)
		}
		text = bytes.TrimRight(text, "\r\n")
		if len(text) == 0 {
			return "", fault.New(fault.Invalid, "%s is file:%s, and that file is empty", what, name)
		}
		return string(text), nil
	}
	return "", fault.New(fault.Invalid, "%s is a secret: write env:NAME for an environment variable or file:PATH for a file that holds it, not the secret itself", what)
}
