package telemetry

import (
	"bytes"
	"errors"
	"os"
	"strings"
	"testing"
)

func TestUnknownExporter(t *testing.T) {
	for _, name := range exporterVariables {
		for _, value := range []string{"carrier-pigeon", "none,carrier-pigeon"} {
			t.Run(name+"="+value, func(t *testing.T) {
				noExporters(t)
				t.Setenv(name, value)
				_, err := Start(t.Context(), Config{ServiceName: "test", Stdout: &bytes.Buffer{}})
				if want := name + `: "carrier-pigeon"`; err == nil || !strings.Contains(err.Error(), want) {
					t.Errorf("Start() = %v, want an error with %s", err, want)
				}
			})
		}
	}
}

// A signal may have several exporters, spelled in any way that the specification
// allows.
func TestExporterLists(t *testing.T) {
	for value, want := range map[string]int{
		"": 1, "otlp": 1, " OTLP ": 1, "otlp,otlp": 1, ",": 1,
		"none": 0, "None": 0, "console": 1, "otlp,console": 2, "console, otlp, none": 2,
	} {
		t.Run(value, func(t *testing.T) {
			for _, name := range exporterVariables {
				t.Setenv(name, value)
			}
			spans, err1 := spanExporters(t.Context())
			readers, err2 := metricReaders(t.Context())
			logs, err3 := logExporters(t.Context())
			if err := errors.Join(err1, err2, err3); err != nil || len(spans) != want || len(readers) != want || len(logs) != want {
				t.Errorf("%d, %d and %d exporters, %v; want %d each", len(spans), len(readers), len(logs), err, want)
			}
			for i, name := range exporterNames(exporterVariables[0]) {
				if _, ours := spans[i].(retryingSpanExporter); ours != (name == "otlp") {
					t.Errorf("the exporter %s is a %T", name, spans[i])
				}
			}
			for _, name := range exporterVariables {
				if got := os.Getenv(name); got != value {
					t.Errorf("%s is %q afterwards", name, got)
				}
			}
		})
	}
}
