// generate writes ../registry.json from a checkout of OpenTelemetry's semantic conventions
// and from OpenTelemetry's schema file of the same version:
//
//	git clone --branch v1.43.0 https://github.com/open-telemetry/semantic-conventions
//	go generate ./ci/internal/conventions -semconv …/semantic-conventions
//
// The version is that of the Go module go.opentelemetry.io/otel/semconv which the lab's own
// services use; a test compares the two.
package main

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"log"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	ast10 "go.opentelemetry.io/otel/schema/v1.0/ast"
	schema "go.opentelemetry.io/otel/schema/v1.1"
	"go.opentelemetry.io/otel/schema/v1.1/ast"
	"sigs.k8s.io/yaml"

	"github.com/lgtm-lab/lgtm-lab/ci/internal/conventions"
)

func main() {
	dir := flag.String("semconv", os.Getenv("SEMCONV"), "checkout of the semantic conventions, at a version's tag; or the environment variable SEMCONV")
	out := flag.String("o", "registry.json", "file to write")
	flag.Parse()
	if err := generate(*dir, *out); err != nil {
		log.Fatal(err)
	}
}

func generate(dir, out string) error {
	if dir == "" {
		return errors.New("set SEMCONV to a checkout of the semantic conventions")
	}
	tag, err := git(dir, "describe", "--tags", "--exact-match")
	if err != nil {
		return err
	}
	commit, err := git(dir, "rev-parse", "HEAD")
	if err != nil {
		return err
	}
	m, err := readModel(filepath.Join(dir, "model"))
	if err != nil {
		return err
	}
	version := strings.TrimPrefix(tag, "v")
	registry := m.registry()
	registry.Version = version
	registry.Source = "https://github.com/open-telemetry/semantic-conventions, tag " + tag + ", commit " + commit + ": model/ and schemas/" + version
	s, err := schema.ParseFile(filepath.Join(dir, "schemas", version))
	if err != nil {
		return err
	}
	addRenames(&registry, s)
	text, err := json.MarshalIndent(registry, "", " ")
	if err != nil {
		return err
	}
	return os.WriteFile(out, append(text, '\n'), 0o644)
}

func git(dir string, args ...string) (string, error) {
	out, err := exec.Command("git", append([]string{"-C", dir}, args...)...).Output()
	return strings.TrimSpace(string(out)), err
}

// A group is one group of the model: attributes, or a span, a metric, an event, an entity.
type group struct {
	ID         string      `json:"id"`
	Type       string      `json:"type"`
	Extends    string      `json:"extends"`
	MetricName string      `json:"metric_name"`
	Unit       string      `json:"unit"`
	Deprecated *deprecated `json:"deprecated"`
	Attributes []struct {
		ID         string      `json:"id"`
		Ref        string      `json:"ref"`
		Type       any         `json:"type"`
		Deprecated *deprecated `json:"deprecated"`
	} `json:"attributes"`
}

type deprecated struct {
	Reason    string `json:"reason"`
	RenamedTo string `json:"renamed_to"`
	Note      string `json:"note"`
}

type model map[string]group

func readModel(dir string) (model, error) {
	m := model{}
	return m, filepath.WalkDir(dir, func(name string, d fs.DirEntry, err error) error {
		if ext := filepath.Ext(name); err != nil || d.IsDir() || ext != ".yaml" && ext != ".yml" {
			return err
		}
		text, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		var file struct {
			Groups []group `json:"groups"`
		}
		if err := yaml.Unmarshal(text, &file); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		for _, g := range file.Groups {
			if _, twice := m[g.ID]; twice {
				return fmt.Errorf("%s: the group %s is there twice", name, g.ID)
			}
			m[g.ID] = g
		}
		return nil
	})
}

// levels are the groups' types at which an attribute says where it belongs.
var levels = map[string]string{"entity": conventions.Resource, "span": conventions.Span, "event": conventions.Event, "metric": conventions.Metric}

func (m model) registry() conventions.Registry {
	r := conventions.Registry{Attributes: map[string]conventions.Attribute{}, Metrics: map[string]conventions.MetricName{}}
	for _, g := range m {
		for _, a := range g.Attributes {
			if a.ID == "" {
				continue
			}
			kind, _ := a.Type.(string)
			r.Attributes[a.ID] = conventions.Attribute{Template: strings.HasPrefix(kind, "template"), Deprecated: a.Deprecated != nil, Successor: a.Deprecated.successor(), Note: a.Deprecated.note()}
		}
	}
	for _, g := range m {
		if level, ok := levels[g.Type]; ok {
			for _, key := range m.keys(g) {
				a := r.Attributes[key]
				if !slices.Contains(a.Levels, level) {
					a.Levels = append(a.Levels, level)
					slices.Sort(a.Levels)
				}
				r.Attributes[key] = a
			}
		}
		if g.Type == "metric" && g.MetricName != "" {
			if old, ok := r.Metrics[g.MetricName]; ok && !old.Deprecated && g.Deprecated != nil {
				continue // the name has a later meaning
			}
			r.Metrics[g.MetricName] = conventions.MetricName{Unit: g.Unit, Deprecated: g.Deprecated != nil, Successor: g.Deprecated.successor(), Note: g.Deprecated.note()}
		}
	}
	return r
}

// keys are the attributes of a group and of those that it extends.
func (m model) keys(g group) []string {
	var keys []string
	for range 20 { // more than the model extends, and no endless loop
		for _, a := range g.Attributes {
			keys = append(keys, a.ID+a.Ref)
		}
		base, ok := m[g.Extends]
		if !ok {
			break
		}
		g = base
	}
	return keys
}

func (d *deprecated) successor() string {
	if d == nil {
		return ""
	}
	return d.RenamedTo
}

func (d *deprecated) note() string {
	if d == nil || d.RenamedTo != "" {
		return ""
	}
	return strings.Join(strings.Fields(d.Note), " ")
}

// addRenames adds the names that the schema file says have been renamed. A name that the
// model has as current, or with a successor, stays as it is.
func addRenames(r *conventions.Registry, s *ast.Schema) {
	attributes, metrics := map[string]string{}, map[string]string{}
	for _, v := range s.Versions {
		for _, list := range []ast10.Attributes{v.All, v.Resources} {
			for _, c := range list.Changes {
				if c.RenameAttributes != nil {
					maps.Copy(attributes, c.RenameAttributes.AttributeMap)
				}
			}
		}
		for _, c := range v.Spans.Changes {
			if c.RenameAttributes != nil && len(c.RenameAttributes.ApplyToSpans) == 0 {
				maps.Copy(attributes, c.RenameAttributes.AttributeMap)
			}
		}
		for _, c := range v.Logs.Changes {
			if c.RenameAttributes != nil {
				maps.Copy(attributes, c.RenameAttributes.AttributeMap)
			}
		}
		for _, c := range v.Metrics.Changes {
			for from, to := range c.RenameMetrics {
				metrics[string(from)] = string(to)
			}
		}
	}
	for from, to := range attributes {
		if a, ok := r.Attributes[from]; !ok || a.Deprecated && a.Successor == "" {
			r.Attributes[from] = conventions.Attribute{Levels: a.Levels, Deprecated: true, Successor: to}
		}
	}
	for from, to := range metrics {
		if m, ok := r.Metrics[from]; !ok || m.Deprecated && m.Successor == "" {
			r.Metrics[from] = conventions.MetricName{Unit: m.Unit, Deprecated: true, Successor: to}
		}
	}
}
