package telemetry

import (
	"context"
	"runtime/debug"

	"go.opentelemetry.io/otel/sdk/resource"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
)

// buildVersion is set with -ldflags "-X …/telemetry.buildVersion=v1.2.3".
var buildVersion string

// Version is the program's version: what the linker was told, else the module's
// version, else the commit's first 12 digits, else "dev".
func Version() string {
	if buildVersion != "" {
		return buildVersion
	}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "dev"
	}
	if v := info.Main.Version; v != "" && v != "(devel)" {
		return v
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" && len(s.Value) >= 12 {
			return s.Value[:12]
		}
	}
	return "dev"
}

// newResource says who sends the telemetry. Of two detectors that set one
// attribute the later wins: the environment comes last, so that
// OTEL_SERVICE_NAME overrides our default, and our default comes after
// WithService, which would call us unknown_service. The random
// service.instance.id that WithService adds keeps the series of two replicas
// apart. WithProcess is left out on purpose: command lines carry secrets.
//
// The resource is usable even when an error is returned: a detector that failed
// left its attributes out.
func newResource(ctx context.Context, cfg Config) (*resource.Resource, error) {
	res, err := resource.New(ctx,
		resource.WithService(),
		resource.WithAttributes(
			semconv.ServiceName(cfg.ServiceName),
			semconv.ServiceVersion(cfg.Version),
		),
		resource.WithHost(),
		resource.WithContainer(),
		resource.WithProcessRuntimeName(),
		resource.WithProcessRuntimeVersion(),
		resource.WithTelemetrySDK(),
		resource.WithFromEnv(),
	)
	if res == nil {
		res = resource.Empty()
	}
	return res, err
}

// serviceName reads service.name back out of res.
func serviceName(res *resource.Resource, fallback string) string {
	if v, ok := res.Set().Value(semconv.ServiceNameKey); ok && v.AsString() != "" {
		return v.AsString()
	}
	return fallback
}
