package telemetry

import (
	"context"
	"runtime/debug"

	"go.opentelemetry.io/otel/sdk/resource"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
)

// buildVersion is set by the linker: -ldflags "-X …/telemetry.buildVersion=v1.2.3".
var buildVersion string

// Version returns the program's version: the one that the linker set, else the module's
// version, else the first 12 digits of the commit, else "dev".
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

// newResource describes the sender of the telemetry. If two detectors set the same
// attribute, the later one wins. The environment comes last, so that OTEL_SERVICE_NAME
// overrides the default in cfg. That default comes after WithService, which would name
// the service unknown_service. WithService also adds a random service.instance.id,
// which keeps the series of two replicas apart. WithProcess is left out on purpose,
// because command lines may contain secrets.
//
// The resource is usable even if there is an error: a failed detector only leaves its
// attributes out.
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

// serviceName returns res's service.name, or fallback if it has none.
func serviceName(res *resource.Resource, fallback string) string {
	if v, ok := res.Set().Value(semconv.ServiceNameKey); ok && v.AsString() != "" {
		return v.AsString()
	}
	return fallback
}
