package verify

import (
	"context"
	"fmt"
	"regexp"
	"strings"
	"time"

	"github.com/lgtm-lab/lgtm-lab/dashboards"
)

// labelValues matches the query of a variable of Prometheus' data source. It captures
// the selector, which is optional, and the label.
var labelValues = regexp.MustCompile(`^label_values\((?:(.+),\s*)?(\w+)\)$`)

// podLabels is the prefix of labels that telemetry has in a cluster only.
const podLabels = "k8s_"

// variableCheck asks for the values to choose from at the top of the dashboard.
func (v *verifier) variableCheck(w view, variable dashboards.Variable) concurrentCheck {
	return concurrentCheck{name: w.name() + " / $" + variable.Name, expected: "≥ 1 value to choose from", backend: dashboards.Prometheus, run: func(ctx context.Context) (string, error) {
		filled := dashboards.Query{Expr: variable.Query}.Fill(w.values, dashboards.ScrapeInterval, w.length)
		m := labelValues.FindStringSubmatch(filled)
		if m == nil || variable.Datasource != dashboards.Prometheus {
			return "", fmt.Errorf("%s, of the data source %q: verify only understands Prometheus' label_values", variable.Query, variable.Datasource)
		}
		if strings.HasPrefix(m[2], podLabels) && !v.Kubernetes {
			return "", skipReason("only in a cluster does telemetry have " + m[2])
		}
		selector := m[1]
		if selector == "" {
			selector = `{__name__!=""}`
		}
		values, err := v.mimir.LabelValues(ctx, m[2], selector, v.since(), time.Now())
		if err == nil && len(values) == 0 {
			err = fmt.Errorf("no value since %s: %s", v.sinceText(), filled)
		}
		return fmt.Sprintf("%d values", len(values)), err
	}}
}
