package telemetry

import (
	"cmp"
	"crypto/tls"
	"fmt"
	"os"
	"strings"

	"github.com/lgtm-lab/lgtm-lab/services/internal/mutualtls"
)

// exporterTLS returns the settings of an exporter whose receiver wants a client's
// certificate, for a signal (TRACES, METRICS, LOGS): they follow the files that the standard
// variables name, which the SDK itself would read once. They are nil if the variables
// name no such certificate, or no https endpoint. Then the SDK does what they say.
func exporterTLS(signal string) (*tls.Config, error) {
	get := func(name string) string {
		return cmp.Or(os.Getenv("OTEL_EXPORTER_OTLP_"+signal+"_"+name), os.Getenv("OTEL_EXPORTER_OTLP_"+name))
	}
	f := mutualtls.Files{Certificate: get("CLIENT_CERTIFICATE"), Key: get("CLIENT_KEY"), Authority: get("CERTIFICATE")}
	if f.Certificate == "" || f.Key == "" || f.Authority == "" || !strings.HasPrefix(get("ENDPOINT"), "https://") {
		return nil, nil
	}
	id, err := mutualtls.Open(f)
	if err != nil {
		return nil, fmt.Errorf("OTEL_EXPORTER_OTLP_CERTIFICATE, _CLIENT_CERTIFICATE, _CLIENT_KEY: %w", err)
	}
	return id.Client(), nil
}
