package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"

	"cairn/docs"
	"cairn/internal/fault"
)

// manifest is a file that a system is to be given, so that it tells cairn what happens or lets it read. It stands on the
// system's page of the documentation, in a block that has its name after the language.
type manifest struct {
	name, text string
}

var namedBlock = regexp.MustCompile("(?ms)^( *)```[a-z]+ ([a-zA-Z0-9._-]+)\n(.*?)^ *```$")

// manifestsOf are the files on a system's page.
func manifestsOf(system string) []manifest {
	page, err := docs.Files.ReadFile(system + ".md")
	if err != nil {
		return nil
	}
	var list []manifest
	for _, m := range namedBlock.FindAllStringSubmatch(string(page), -1) {
		text := strings.TrimPrefix(strings.ReplaceAll("\n"+m[3], "\n"+m[1], "\n"), "\n")
		list = append(list, manifest{m[2], text})
	}
	return list
}

func manifestNames(list []manifest) (names []string) {
	for _, m := range list {
		names = append(names, m.name)
	}
	return names
}

// What pages of the documentation have where a manifest is filled in.
const (
	placeholderAddress = "https://your-cairn"
	placeholderSecret  = "put-the-secret-here"
)

// filled puts cairn's address, the connection's name and its secret's variable in their places. The secret itself stays
// out of files that are copied about: ${NAME} is what envsubst replaces.
func (m manifest) filled(address, system, name, secret string) string {
	text := strings.ReplaceAll(m.text, placeholderAddress, address)
	text = strings.ReplaceAll(text, "/hooks/"+system, "/hooks/"+name)
	if variable, ok := strings.CutPrefix(secret, "env:"); ok {
		text = strings.ReplaceAll(text, placeholderSecret, "${"+variable+"}")
	}
	return text
}

// giveManifests writes the files to a folder, or prints one.
func (c *connectSystem) giveManifests(w *world, address string, config any) error {
	list := manifestsOf(c.system)
	if len(list) == 0 {
		return fault.New(fault.NotFound, "there are no files for %s: docs/%[1]s.md says what to do there", c.system)
	}
	secret := webhookSecret(optionsOf(c.system), config)
	if c.Manifest != "" {
		i := slices.IndexFunc(list, func(m manifest) bool { return m.name == c.Manifest })
		if i < 0 {
			return fault.New(fault.NotFound, "there is no file %s for %s; there are: %s", c.Manifest, c.system, strings.Join(manifestNames(list), ", "))
		}
		_, err := fmt.Fprint(w.stdout, list[i].filled(address, c.system, nameOf(config), secret))
		return err
	}
	for _, m := range list {
		path := filepath.Join(c.Manifests, m.name)
		if err := writeManifest(path, m.filled(address, c.system, nameOf(config), secret)); err != nil {
			return err
		}
		fmt.Fprintf(w.stdout, "Written: %s\n", path)
	}
	var left []string
	if address == placeholderAddress {
		left = append(left, placeholderAddress+" stands for the address at which the system reaches cairn; --server URL sets it")
	}
	if variable, ok := strings.CutPrefix(secret, "env:"); ok {
		left = append(left, "${"+variable+"} stands for the secret; envsubst puts it there")
	} else {
		left = append(left, placeholderSecret+" stands for the secret, where there is one")
	}
	fmt.Fprintf(w.stdout, "%s.\n", strings.Join(left, ".\n"))
	return nil
}

// exampleOf is how a system is connected, as its page has it.
func exampleOf(system string) string {
	page, err := docs.Files.ReadFile(system + ".md")
	if err != nil {
		return ""
	}
	for line := range strings.Lines(string(page)) {
		if line = strings.TrimSpace(line); strings.HasPrefix(line, "cairn connect "+system+" ") && !strings.HasSuffix(line, "|") {
			return strings.TrimSuffix(line, " --check")
		}
	}
	return ""
}

// webhookSecret refers to the first secret that webhooks of a connection come with, "" without one.
func webhookSecret(options []option, config any) string {
	for _, key := range secretLists(options) {
		if refs := valueAt(reflect.ValueOf(config).Elem(), strings.Split(key, ".")); refs.Len() > 0 {
			return refs.Index(0).String()
		}
	}
	return ""
}

// writeManifest writes a file that is not there yet. One that somebody has changed is left alone.
func writeManifest(path, text string) error {
	old, err := os.ReadFile(path)
	switch {
	case err == nil && string(old) == text:
		return nil
	case err == nil:
		return fault.New(fault.Conflict, "%s is there already, and is different: move it away, or name another folder", path)
	case !errors.Is(err, fs.ErrNotExist):
		return fault.Wrap(fault.Denied, err, "the files")
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return fault.Wrap(fault.Denied, err, "the files")
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		return fault.Wrap(fault.Denied, err, "the files")
	}
	return nil
}

// valueAt is the value of a setting, by the parts of its key.
func valueAt(v reflect.Value, key []string) reflect.Value {
	for i := range v.NumField() {
		if yamlKey(v.Type().Field(i)) != key[0] {
			continue
		}
		if len(key) == 1 {
			return v.Field(i)
		}
		return valueAt(v.Field(i), key[1:])
	}
	return reflect.Value{}
}
