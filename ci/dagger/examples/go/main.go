// A module of an application's own repository, which tests the application's telemetry.
//
// In a repository of your own, `dagger install github.com/lgtm-lab/lgtm-lab` writes the
// dependency into dagger.json.
package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"shop/internal/dagger"
)

// Shop tests the telemetry of an application.
type Shop struct {
	// +private
	Lab *dagger.LgtmLab
}

// New returns the tests.
func New(
	// Another image lock for the lab, such as that of a mirror.
	// +optional
	images *dagger.File,
) *Shop {
	return &Shop{Lab: dag.LgtmLab(dagger.LgtmLabOpts{Images: images})}
}

// Check runs the application's acceptance cases, and returns the report.
// +cache="never"
func (m *Shop) Check(ctx context.Context,
	// The folder with the application and its cases.
	source *dagger.Directory,
	// The cases: files and folders in the source.
	// +default=["."]
	cases []string,
	// How long the application may take to be ready, and then an expectation to hold. The
	// default leaves time to compile it.
	// +default="5m"
	caseTimeout string,
) (string, error) {
	return m.Lab.Check(ctx, source, dagger.LgtmLabCheckOpts{Case: cases, CaseTimeout: caseTimeout})
}

// Traces runs an application that sends to a lab, and returns what Tempo's search finds of
// it.
// +cache="never"
func (m *Shop) Traces(ctx context.Context,
	// A container with the application.
	application *dagger.Container,
	// The command that runs it.
	command []string,
	// The service's name.
	// +default="shop"
	service string,
) (string, error) {
	lab, err := m.Lab.Otlp().Start(ctx) // it runs until the call ends
	if err != nil {
		return "", err
	}
	_, err = application.
		WithServiceBinding("lab", lab).
		WithEnvVariable("OTEL_SERVICE_NAME", service).
		WithEnvVariable("CALL", time.Now().String()). // so that it runs each time
		WithExec(toLab(command)).
		Sync(ctx)
	if err != nil {
		return "", err
	}
	tempo, err := lab.Endpoint(ctx, dagger.ServiceEndpointOpts{Port: 3200, Scheme: "http"})
	if err != nil {
		return "", err
	}
	return search(ctx, tempo, fmt.Sprintf(`{ resource.service.name = %q }`, service))
}

// toLab returns a command that sends its telemetry to the lab. WithEnvVariable cannot say
// so: Dagger sets these variables anew for each command, to see the command's telemetry
// itself.
func toLab(command []string) []string {
	all := []string{"env"}
	for _, signal := range []string{"TRACES", "METRICS", "LOGS"} {
		all = append(all, "-u", "OTEL_EXPORTER_OTLP_"+signal+"_ENDPOINT", "-u", "OTEL_EXPORTER_OTLP_"+signal+"_PROTOCOL")
	}
	all = append(all, "OTEL_EXPORTER_OTLP_ENDPOINT=http://lab:4318", "OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf")
	return append(all, command...)
}

// search asks Tempo until it finds a trace, for half a minute at most: a trace can be
// found some seconds after its request.
func search(ctx context.Context, tempo, query string) (string, error) {
	for range 30 {
		found, err := get(ctx, tempo+"/api/search?q="+url.QueryEscape(query))
		if err != nil || strings.Contains(found, "traceID") {
			return found, err
		}
		time.Sleep(time.Second)
	}
	return "", fmt.Errorf("Tempo has found nothing for 30 s: %s", query)
}

func get(ctx context.Context, address string) (string, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return "", err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %s", resp.Status, body)
	}
	return string(body), err
}
