package dashboards

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"
)

func provisioning(t *testing.T, file string, into any) {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("..", "config", "grafana", "provisioning", filepath.FromSlash(file)))
	if err != nil {
		t.Fatal(err)
	}
	if err := yaml.Unmarshal(data, into); err != nil {
		t.Fatalf("%s: %v", file, err)
	}
}

// dataSources is what the tests read of datasources/lab.yaml.
type dataSources struct {
	Datasources []struct {
		UID      string `json:"uid"`
		Type     string `json:"type"`
		JSONData struct {
			TimeInterval string `json:"timeInterval"`
			Exemplars    []struct {
				Name string `json:"name"`
				UID  string `json:"datasourceUid"`
			} `json:"exemplarTraceIdDestinations"`
			Derived []struct {
				MatcherType  string `json:"matcherType"`
				MatcherRegex string `json:"matcherRegex"`
				UID          string `json:"datasourceUid"`
			} `json:"derivedFields"`
			Logs struct {
				UID   string `json:"datasourceUid"`
				Query string `json:"query"`
			} `json:"tracesToLogsV2"`
			Metrics struct {
				UID     string `json:"datasourceUid"`
				Queries []struct {
					Name  string `json:"name"`
					Query string `json:"query"`
				} `json:"queries"`
			} `json:"tracesToMetrics"`
			ServiceMap struct {
				UID string `json:"datasourceUid"`
			} `json:"serviceMap"`
		} `json:"jsonData"`
	} `json:"datasources"`
}

// provisionedSources returns the types of the data sources by uid.
func provisionedSources(t *testing.T) map[string]string {
	t.Helper()
	var file dataSources
	provisioning(t, "datasources/lab.yaml", &file)
	types := map[string]string{}
	for _, s := range file.Datasources {
		types[s.UID] = s.Type
	}
	return types
}

// TestLinks checks that links lead from each signal to the others. `lab verify` checks
// that the links find something.
func TestLinks(t *testing.T) {
	var file dataSources
	provisioning(t, "datasources/lab.yaml", &file)
	leads := map[string]string{}
	for _, s := range file.Datasources {
		j := s.JSONData
		for _, e := range j.Exemplars {
			leads["exemplar "+e.Name] = e.UID
		}
		for _, d := range j.Derived {
			leads["log "+d.MatcherType+" "+d.MatcherRegex] = d.UID
		}
		if j.Logs.Query != "" {
			leads["trace to logs"] = j.Logs.UID
		}
		for _, q := range j.Metrics.Queries {
			leads["trace to metrics"] = j.Metrics.UID
			// Grafana inserts the tags. It has read $$ as $ already.
			filled := strings.ReplaceAll(q.Query, "$$__tags", `service="backend"`)
			if _, err := promQL(Query{Expr: filled}, Dashboard{}); err != nil {
				t.Errorf("the link %q: %v", q.Name, err)
			}
		}
		if j.ServiceMap.UID != "" {
			leads["service map"] = j.ServiceMap.UID
		}
		if s.Type == Prometheus && j.TimeInterval != ScrapeInterval.String() {
			t.Errorf("timeInterval is %s, and ScrapeInterval %s", j.TimeInterval, ScrapeInterval)
		}
	}
	want := map[string]string{
		"exemplar trace_id": "tempo", "log label trace_id": "tempo", "trace to logs": "loki", "trace to metrics": "mimir", "service map": "mimir",
	}
	for link, to := range want {
		if leads[link] != to {
			t.Errorf("%s leads to %q, want %q", link, leads[link], to)
		}
	}
}

// TestProvider checks that Grafana looks for dashboards in the folder that the lab names.
func TestProvider(t *testing.T) {
	var file struct {
		Providers []struct {
			Type    string `json:"type"`
			Options struct {
				Path string `json:"path"`
			} `json:"options"`
		} `json:"providers"`
	}
	provisioning(t, "dashboards/lab.yaml", &file)
	if len(file.Providers) != 1 || file.Providers[0].Type != "file" || file.Providers[0].Options.Path != "${LAB_DASHBOARDS}" {
		t.Errorf("the providers are %+v, want one of files in ${LAB_DASHBOARDS}", file.Providers)
	}
}
