package application

import (
	"slices"
	"strings"
	"testing"
)

// Within a command of Dagger's an application sends to the lab, and not to Dagger.
func TestEnvironmentWithinDagger(t *testing.T) {
	dagger := []string{
		"OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf", "OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:39747",
		"OTEL_EXPORTER_OTLP_TRACES_PROTOCOL=http/protobuf", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT=http://127.0.0.1:39747/v1/traces",
		"OTEL_EXPORTER_OTLP_LOGS_PROTOCOL=http/protobuf", "OTEL_EXPORTER_OTLP_LOGS_ENDPOINT=http://127.0.0.1:39747/v1/logs",
		"OTEL_EXPORTER_OTLP_METRICS_PROTOCOL=http/protobuf", "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT=http://127.0.0.1:39747/v1/metrics",
		"TRACEPARENT=00-5b8efff798038103d269b633813fc60c-eee19b7ec3c1b174-01",
	}
	lab := Telemetry{HTTP: "http://127.0.0.1:4318", GRPC: "http://127.0.0.1:4317", RunID: "1", DefaultService: "x"}
	env := lab.Environment(append([]string{"PATH=/bin", daggerMark + "=1"}, dagger...))
	if said := lab.Diverted(env); len(said) > 0 {
		t.Errorf("telemetry goes elsewhere: %q", said)
	}
	if !slices.Contains(env, "OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:4318") || !slices.Contains(env, "PATH=/bin") {
		t.Errorf("the environment is %q", env)
	}
	for _, entry := range env {
		if strings.Contains(entry, ":39747") || strings.HasPrefix(entry, "TRACEPARENT=") || strings.HasPrefix(entry, daggerMark) {
			t.Errorf("%s is left", entry)
		}
	}
	// Without Dagger's mark the same variables are the user's.
	if env := lab.Environment(dagger); !slices.Contains(env, dagger[1]) {
		t.Errorf("the user's endpoint is gone: %q", env)
	}
}
