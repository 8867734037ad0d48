package sampling

import (
	"regexp"
	"slices"
	"testing"

	"sigs.k8s.io/yaml"

	"github.com/lgtm-lab/lgtm-lab/config"
)

// The metrics of spans have the same labels wherever they are made: by Alloy, where it
// samples, or by Tempo's generator.
func TestLabelsOfSpanMetrics(t *testing.T) {
	read := func(name string) []byte {
		raw, err := config.Files.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		return raw
	}
	type spanMetrics struct {
		Dimensions []string `json:"dimensions"`
		Mappings   []struct {
			Sources []string `json:"source_labels"`
		} `json:"dimension_mappings"`
	}
	type generator struct {
		Processor struct {
			SpanMetrics spanMetrics `json:"span_metrics"`
		} `json:"processor"`
	}
	var tempo struct {
		Generator generator `json:"metrics_generator"`
		Overrides struct {
			Defaults struct {
				Generator generator `json:"metrics_generator"`
			} `json:"defaults"`
		} `json:"overrides"`
	}
	if err := yaml.Unmarshal(read("tempo/tempo.yaml"), &tempo); err != nil {
		t.Fatal(err)
	}
	want := tempo.Generator.Processor.SpanMetrics.Dimensions
	for _, m := range tempo.Overrides.Defaults.Generator.Processor.SpanMetrics.Mappings {
		want = append(want, m.Sources...)
	}
	have := []string{"service.name"} // Alloy's connector has this one by itself
	for _, m := range regexp.MustCompile(`dimension \{\s+name = "(.+)"`).FindAllSubmatch(read("alloy/sampling/tail.alloy"), -1) {
		have = append(have, string(m[1]))
	}
	slices.Sort(want)
	slices.Sort(have)
	if len(want) < 2 || !slices.Equal(have, want) {
		t.Errorf("Alloy makes labels of %q, Tempo of %q", have, want)
	}
}
