package application

import (
	"slices"
	"strings"
)

// daggerMark is a variable of Dagger's own. Dagger sets it, with an OTLP endpoint of its
// own, for each command that it runs in a container, in the place of what the user has set
// for the container.
const daggerMark = "OTEL_EXPORTER_OTLP_TRACES_LIVE"

// withoutDagger returns the environment without the variables with which Dagger collects
// the telemetry of its commands for itself. They are nobody's choice, and an application
// would send to Dagger instead of to the lab.
func withoutDagger(env []string) []string {
	if !slices.ContainsFunc(env, func(entry string) bool { return strings.HasPrefix(entry, daggerMark+"=") }) {
		return env
	}
	names := []string{daggerMark, "TRACEPARENT", "TRACESTATE", "BAGGAGE"}
	for _, signal := range []string{"", "TRACES_", "METRICS_", "LOGS_"} {
		names = append(names, "OTEL_EXPORTER_OTLP_"+signal+"ENDPOINT", "OTEL_EXPORTER_OTLP_"+signal+"PROTOCOL")
	}
	return slices.DeleteFunc(slices.Clone(env), func(entry string) bool {
		name, _, _ := strings.Cut(entry, "=")
		return slices.Contains(names, name)
	})
}
