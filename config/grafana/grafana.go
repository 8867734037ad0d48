// Package grafana reads Grafana's provisioning: the data sources, and the links from one
// signal to another.
//
// The files are those in provisioning/, which Grafana itself reads on every target.
// This package tells `lab verify` what the links are, so that it can follow them from a
// request's log line to its trace and on, as a reader of Grafana would.
package grafana

import (
	_ "embed" // for the file below
	"fmt"
	"strings"

	"sigs.k8s.io/yaml"
)

//go:embed provisioning/datasources/lab.yaml
var datasources []byte

// Datasource is a data source with the links that begin at its results. Links contain
// Grafana's variables: ${__value.raw}.
type Datasource struct {
	Name string `json:"name"`
	// UID is the id by which links and dashboards name the data source.
	UID string `json:"uid"`
	// Type is prometheus, loki or tempo.
	Type  string `json:"type"`
	Links Links  `json:"jsonData"`
}

// Links are the links of one data source. Most of them are absent.
type Links struct {
	// Derived lead from a log line.
	Derived []DerivedField `json:"derivedFields"`
	// Exemplars lead from an exemplar.
	Exemplars []ExemplarLink `json:"exemplarTraceIdDestinations"`
	// Logs and Metrics lead from a span.
	Logs    LogsLink    `json:"tracesToLogsV2"`
	Metrics MetricsLink `json:"tracesToMetrics"`
	// ServiceMap names the data source with the metrics of the service graph.
	ServiceMap struct {
		UID string `json:"datasourceUid"`
	} `json:"serviceMap"`
}

// DerivedField is a link from a value in a log line to another data source.
type DerivedField struct {
	Name string `json:"name"`
	// MatcherType is "label" if Matcher matches the name of a label, whose value is the
	// link's; or else "regex", and Matcher's first group finds the value in the text.
	// Matcher is a regular expression that may match a part.
	MatcherType string `json:"matcherType"`
	Matcher     string `json:"matcherRegex"`
	// UID is the data source of Query, in which ${__value.raw} stands for the value.
	UID   string `json:"datasourceUid"`
	Query string `json:"url"`
}

// ExemplarLink is a link from an exemplar to the trace whose id is in the label Name.
type ExemplarLink struct {
	Name string `json:"name"`
	UID  string `json:"datasourceUid"`
}

// Tag is an attribute of a span or of its resource, and the label for it in queries.
type Tag struct {
	Attribute string `json:"key"`
	Label     string `json:"value"`
}

// LogsLink is the link from a span to its log lines.
type LogsLink struct {
	UID string `json:"datasourceUid"`
	// From and To shift the span's start and end, "-5m"; "" is no shift.
	From string `json:"spanStartTimeShift"`
	To   string `json:"spanEndTimeShift"`
	Tags []Tag  `json:"tags"`
	// Custom says that Grafana uses Query instead of its own query. ${__tags} in Query
	// stands for the Tags with the span's values.
	Custom bool   `json:"customQuery"`
	Query  string `json:"query"`
}

// MetricsLink is the link from a span to metrics. Its fields are like those of LogsLink.
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
	// Grafana replaces environment variables first, and then reads $$ as $. The variables
	// are addresses, which do not matter here.
	text := strings.ReplaceAll(string(raw), "$$", "$")
	if err := yaml.Unmarshal([]byte(text), &file); err != nil {
		return nil, fmt.Errorf("config/grafana/provisioning/datasources/lab.yaml: %w", err)
	}
	return file.Datasources, nil
}
