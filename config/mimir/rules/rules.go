// Package rules holds the recording and alerting rules that Mimir's ruler
// evaluates, and reads them.
//
// Each *.yaml file here is a rule file in Prometheus' format, which Mimir loads on every
// target. The files in tests/, in promtool's format, test when each alert fires and when
// it does not. Each alert has a page in docs/runbooks. This package tells others what the
// rules are: `lab verify`, which asks Mimir whether it evaluates them and has the metrics
// that they select, and the tests.
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

// Names of files here that are about services.
const (
	// SampleServices has the alerts about the lab's own two services. A lab without the
	// services does not load it.
	SampleServices = "sample_services.yaml"
	// Services has the rules about requests to any service. They have something to record
	// once a service with HTTP metrics has sent some.
	Services = "service.yaml"
)

//go:embed *.yaml
var files embed.FS

// Group is a group of rules, which are evaluated together, one after the other.
type Group struct {
	// File is the name of the group's file in this folder. It is the group's namespace in
	// Mimir, and "file" in Mimir's API.
	File string
	Name string
	// Interval is the time between two evaluations, at least a second.
	Interval time.Duration
	Rules    []Rule
}

// Rule is a recording rule, which has Record, or an alert, which has Alert.
type Rule struct {
	// Record is the name of the metric that is recorded, level:metric:operations.
	Record string
	// Alert is the name of the alert. Several rules may have the same name if they detect
	// one problem in different ways. Then their labels differ.
	Alert string
	// Expr is PromQL.
	Expr string
	// For is how long the expression must have a result before the alert fires. Until then
	// the alert is pending.
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

// read reads the rule files of a folder. An unknown field is an error, as it is for Mimir,
// which then loads no rules at all.
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

// The part of Prometheus' rule file format that the lab uses.
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

// ErrNoName says that an expression selects series without naming their metric, for
// instance by a pattern. Then it cannot be checked whether the metric exists.
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
