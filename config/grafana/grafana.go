// Package grafana reads what Grafana is provisioned with: the data sources, and the
// links by which one signal leads to another.
//
// The files are those in provisioning/, which Grafana itself reads on every target.
// What Go does here is to tell others what the links are: `lab verify`, which goes
// from a request's log line to its trace, and from there on, as a reader of Grafana
// would.
package grafana

import (
	_ "embed" // for the file below
	"fmt"
	"strings"

	"sigs.k8s.io/yaml"
)

//go:embed provisioning/datasources/lab.yaml
var datasources []byte

// Datasource is a data source with the links that begin at what it has found. A
// variable in a link is written as Grafana fills it in: ${__value.raw}.
type Datasource struct {
	Name string `json:"name"`
	// UID is its id, by which links and dashboards name it.
	UID string `json:"uid"`
	// Type is prometheus, loki or tempo.
	Type  string `json:"type"`
	Links Links  `json:"jsonData"`
}

// Links are those of one data source, most of them absent.
type Links struct {
	// Derived lead from a log line.
	Derived []DerivedField `json:"derivedFields"`
	// Exemplars lead from an exemplar.
	Exemplars []ExemplarLink `json:"exemplarTraceIdDestinations"`
	// Logs and Metrics lead from a span.
	Logs    LogsLink    `json:"tracesToLogsV2"`
	Metrics MetricsLink `json:"tracesToMetrics"`
	// ServiceMap is where the metrics of the service graph are.
	ServiceMap struct {
		UID string `json:"datasourceUid"`
	} `json:"serviceMap"`
}

// DerivedField is a value in a log line that leads to another data source.
type DerivedField struct {
	Name string `json:"name"`
	// MatcherType is "label" when Matcher finds the name of a label, the value of
	// which it is; or else "regex", and Matcher's first group finds it in the text.
	// Matcher is a regular expression that need not match the whole.
	MatcherType string `json:"matcherType"`
	Matcher     string `json:"matcherRegex"`
	// UID is the data source that Query is for, with ${__value.raw} for the value.
	UID   string `json:"datasourceUid"`
	Query string `json:"url"`
}

// ExemplarLink leads from an exemplar to the trace whose id is its label Name.
type ExemplarLink struct {
	Name string `json:"name"`
	UID  string `json:"datasourceUid"`
}

// Tag is an attribute of a span, or of its resource, that a query has as a label.
type Tag struct {
	Attribute string `json:"key"`
	Label     string `json:"value"`
}

// LogsLink leads from a span to its log lines.
type LogsLink struct {
	UID string `json:"datasourceUid"`
	// From and To are added to the span's start and end, "-5m"; "" adds nothing.
	From string `json:"spanStartTimeShift"`
	To   string `json:"spanEndTimeShift"`
	Tags []Tag  `json:"tags"`
	// Custom says that Query is used, and not one of Grafana's own. ${__tags} in it
	// are the Tags with the span's values.
	Custom bool   `json:"customQuery"`
	Query  string `json:"query"`
}

// MetricsLink leads from a span to metrics. Its fields are as those of LogsLink.
type MetricsLink struct {
	UID     string `json:"datasourceUid"`
	From    string `json:"spanStartTimeShift"`
	To      string `json:"spanEndTimeShift"`
	Tags    []Tag  `json:"tags"`
	Queries []struct {
		Name  string `json:"name"`
		Query string `json:"query"`
	} `json:"queries"`
}

// Datasources returns the data sources of provisioning/datasources, in the order of
// the file.
func Datasources() ([]Datasource, error) { return read(datasources) }

func read(raw []byte) ([]Datasource, error) {
	var file struct {
		Datasources []Datasource `json:"datasources"`
	}
	// Grafana replaces the variables of the environment first, and then $$ is a $.
	// Those variables are addresses, which are of no concern here.
	text := strings.ReplaceAll(string(raw), "$$", "$")
	if err := yaml.Unmarshal([]byte(text), &file); err != nil {
		return nil, fmt.Errorf("config/grafana/provisioning/datasources/lab.yaml: %w", err)
	}
	return file.Datasources, nil
}
