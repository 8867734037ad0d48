// Package rules holds the recording and alerting rules that Mimir's ruler
// evaluates, and reads them.
//
// Each *.yaml file here is a rule file in Prometheus' format, as Mimir loads it on
// every target; the tests of promtool's format in tests/ say of every alert when it
// fires and when it does not. Every alert has its page in docs/runbooks. What Go
// does here is to tell others what the rules are: `lab verify`, which asks Mimir
// whether it evaluates these and has the metrics that they select, and the tests.
package rules

import (
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql/parser"
	"sigs.k8s.io/yaml"
)

//go:embed *.yaml
var files embed.FS

// Group is a group of rules, which are evaluated together, one after the other.
type Group struct {
	// File is the name of its file in this folder; Mimir has it as the group's
	// namespace, and its API as "file".
	File string
	Name string
	// Interval is how often it is evaluated, at least a second.
	Interval time.Duration
	Rules    []Rule
}

// Rule is a recording rule, which has Record, or an alert, which has Alert.
type Rule struct {
	// Record is the name of the metric that is recorded, level:metric:operations.
	Record string
	// Alert is the name of the alert. Several rules may have the same, for several
	// ways to see one trouble: then their labels differ.
	Alert string
	// Expr is PromQL.
	Expr string
	// For is how long the expression must have a result before the alert fires; until
	// then it is pending.
	For                 time.Duration
	Labels, Annotations map[string]string
}

// Name is the name of the metric or of the alert.
func (r Rule) Name() string {
	if r.Alert != "" {
		return r.Alert
	}
	return r.Record
}

// All returns every group of the folder, in the order of the files and within them.
func All() ([]Group, error) { return read(files) }

// read reads the rule files of a folder. A field that the format does not have is
// an error, as it is for Mimir, which then loads none of the rules.
func read(folder fs.FS) ([]Group, error) {
	names, err := fs.Glob(folder, "*.yaml")
	if err != nil {
		return nil, err
	}
	var all []Group
	for _, name := range names {
		raw, err := fs.ReadFile(folder, name)
		if err != nil {
			return nil, err
		}
		var file ruleFile
		if err := yaml.UnmarshalStrict(raw, &file); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		for _, g := range file.Groups {
			group, err := g.group(name)
			if err != nil {
				return nil, fmt.Errorf("%s: group %s: %w", name, g.Name, err)
			}
			all = append(all, group)
		}
	}
	return all, nil
}

// What of Prometheus' rule files the lab uses.
type (
	ruleFile struct {
		Groups []fileGroup `json:"groups"`
	}

	fileGroup struct {
		Name     string     `json:"name"`
		Interval string     `json:"interval"`
		Rules    []fileRule `json:"rules"`
	}

	fileRule struct {
		Record      string            `json:"record,omitempty"`
		Alert       string            `json:"alert,omitempty"`
		Expr        string            `json:"expr"`
		For         string            `json:"for,omitempty"`
		Labels      map[string]string `json:"labels,omitempty"`
		Annotations map[string]string `json:"annotations,omitempty"`
	}
)

func (g fileGroup) group(file string) (Group, error) {
	interval, err := model.ParseDuration(g.Interval)
	if err != nil {
		return Group{}, fmt.Errorf("interval: %w", err)
	}
	group := Group{File: file, Name: g.Name, Interval: time.Duration(interval)}
	for _, r := range g.Rules {
		if (r.Record == "") == (r.Alert == "") {
			return Group{}, fmt.Errorf("a rule is either a record or an alert: %q, %q", r.Record, r.Alert)
		}
		rule := Rule{Record: r.Record, Alert: r.Alert, Expr: r.Expr, Labels: r.Labels, Annotations: r.Annotations}
		if r.For != "" {
			d, err := model.ParseDuration(r.For)
			if err != nil {
				return Group{}, fmt.Errorf("%s: for: %w", rule.Name(), err)
			}
			rule.For = time.Duration(d)
		}
		group.Rules = append(group.Rules, rule)
	}
	return group, nil
}

// ErrNoName says that an expression selects series without naming their metric,
// by a pattern for instance: nobody can say then whether the metric is there.
var ErrNoName = errors.New("a selector does not name its metric")

// Metrics returns the names of the metrics that the PromQL expression selects,
// sorted. An expression that does not parse is an error, and so is a selector
// without a name, see [ErrNoName].
func Metrics(expr string) ([]string, error) {
	parsed, err := parser.NewParser(parser.Options{}).ParseExpr(expr)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", expr, err)
	}
	names := map[string]bool{}
	parser.Inspect(parsed, func(node parser.Node, _ []parser.Node) error {
		selector, ok := node.(*parser.VectorSelector)
		if !ok {
			return nil
		}
		name := selector.Name
		for _, m := range selector.LabelMatchers {
			if m.Name == model.MetricNameLabel && m.Type == labels.MatchEqual {
				name = m.Value
			}
		}
		if name == "" {
			err = fmt.Errorf("%s: %w", selector, ErrNoName)
		}
		names[name] = true
		return nil
	})
	if err != nil {
		return nil, err
	}
	return slices.Sorted(maps.Keys(names)), nil
}
