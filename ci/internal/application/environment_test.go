package application

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var lab = Telemetry{
	HTTP: "http://127.0.0.1:4318", GRPC: "http://127.0.0.1:4317", DefaultService: "app", RunID: "0123456789abcdef",
}

// values are the OTEL_* variables of an environment.
func values(env []string) map[string]string {
	all := map[string]string{}
	for _, pair := range env {
		if key, value, _ := strings.Cut(pair, "="); strings.HasPrefix(key, "OTEL_") {
			all[key] = value
		}
	}
	return all
}

func TestEnvironmentOfAnApplicationThatSetsNothing(t *testing.T) {
	user := []string{"PATH=/bin", "OTEL_SERVICE_NAME="}
	want := map[string]string{
		"OTEL_SERVICE_NAME":           "app",
		"OTEL_RESOURCE_ATTRIBUTES":    "lab.run.id=0123456789abcdef",
		"OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf",
		"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:4318",
		"OTEL_TRACES_EXPORTER":        "otlp",
		"OTEL_METRICS_EXPORTER":       "otlp",
		"OTEL_LOGS_EXPORTER":          "otlp",
		"OTEL_BSP_SCHEDULE_DELAY":     "500",
		"OTEL_BLRP_SCHEDULE_DELAY":    "500",
		"OTEL_METRIC_EXPORT_INTERVAL": "1000",
		"OTEL_METRIC_EXPORT_TIMEOUT":  "1000",
	}
	env := lab.Environment(user)
	if diff := cmp.Diff(want, values(env)); diff != "" {
		t.Error(diff)
	}
	if !slices.Contains(env, "PATH=/bin") {
		t.Error("the user's other variables are missing")
	}
	if said := lab.Diverted(env); len(said) > 0 {
		t.Errorf("this environment leads to the lab, but: %q", said)
	}
}

// What the user has set stays as it is.
func TestEnvironmentKeepsTheUsers(t *testing.T) {
	for name, c := range map[string]struct {
		telemetry Telemetry
		user      []string
		want      map[string]string
		said      string
	}{
		"attributes": {lab, []string{"OTEL_RESOURCE_ATTRIBUTES=team=a,service.name=shop%20one"},
			map[string]string{"OTEL_RESOURCE_ATTRIBUTES": "team=a,service.name=shop%20one,lab.run.id=0123456789abcdef", "OTEL_SERVICE_NAME": ""}, ""},
		"an outer run": {lab, []string{"OTEL_RESOURCE_ATTRIBUTES=lab.run.id=ffff,team=a"},
			map[string]string{"OTEL_RESOURCE_ATTRIBUTES": "team=a,lab.run.id=0123456789abcdef"}, ""},
		"name": {lab, []string{"OTEL_SERVICE_NAME=shop"}, map[string]string{"OTEL_SERVICE_NAME": "shop"}, ""},
		"name on the command line": {Telemetry{HTTP: lab.HTTP, GRPC: lab.GRPC, Service: "mine"}, []string{"OTEL_SERVICE_NAME=shop"},
			map[string]string{"OTEL_SERVICE_NAME": "mine"}, ""},
		"protocol": {lab, []string{"OTEL_EXPORTER_OTLP_PROTOCOL=grpc"},
			map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:4317"}, ""},
		"protocol of one signal": {lab, []string{"OTEL_EXPORTER_OTLP_LOGS_PROTOCOL=grpc"},
			map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:4318", "OTEL_EXPORTER_OTLP_LOGS_ENDPOINT": "http://127.0.0.1:4317"}, ""},
		"protocol of one signal, over HTTP": {lab, []string{"OTEL_EXPORTER_OTLP_PROTOCOL=grpc", "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL=http/json"},
			map[string]string{"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://127.0.0.1:4318/v1/traces"}, ""},
		"endpoint": {lab, []string{"OTEL_EXPORTER_OTLP_ENDPOINT=https://vendor.example"},
			map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": "https://vendor.example"}, "telemetry goes there, not to the lab"},
		"the lab's endpoint": {lab, []string{"OTEL_EXPORTER_OTLP_ENDPOINT=localhost:4317"}, nil, ""},
		"exporter": {lab, []string{"OTEL_LOGS_EXPORTER=console"},
			map[string]string{"OTEL_LOGS_EXPORTER": "console"}, "OTEL_LOGS_EXPORTER is console: logs do not go out over OTLP."},
		"off":     {lab, []string{"OTEL_SDK_DISABLED=true"}, nil, "the SDK sends nothing"},
		"sampler": {lab, []string{"OTEL_TRACES_SAMPLER=always_off"}, nil, "the SDK leaves traces out"},
		"interval": {lab, []string{"OTEL_METRIC_EXPORT_INTERVAL=60000"},
			map[string]string{"OTEL_METRIC_EXPORT_INTERVAL": "60000", "OTEL_METRIC_EXPORT_TIMEOUT": ""}, ""},
	} {
		env := c.telemetry.Environment(c.user)
		got := values(env)
		for key, value := range c.want {
			if got[key] != value {
				t.Errorf("%s: %s is %q, want %q", name, key, got[key], value)
			}
		}
		if said := strings.Join(c.telemetry.Diverted(env), " "); c.said == "" && said != "" || !strings.Contains(said, c.said) {
			t.Errorf("%s: it says %q, want %q", name, said, c.said)
		}
	}
}

func TestServiceName(t *testing.T) {
	for env, want := range map[string]string{
		"OTEL_SERVICE_NAME=a":                                "a",
		"OTEL_RESOURCE_ATTRIBUTES=x=y, service.name=b%20c":   "b c",
		"OTEL_RESOURCE_ATTRIBUTES=service.name.other=b,x=y":  "",
		"OTEL_RESOURCE_ATTRIBUTES=service.namespace=n,s=t=u": "",
	} {
		if got := ServiceName([]string{env}); got != want {
			t.Errorf("%s: %q, want %q", env, got, want)
		}
	}
}

func TestName(t *testing.T) {
	for line, want := range map[string]string{
		"./bin/shop --port 1":              "shop",
		"node app.js":                      "app",
		"node --require x/register app.js": "app",
		"node --import=x src/server.mjs":   "server",
		"python3.12 -m flask run":          "flask",
		"java -jar target/shop-1.2.jar":    "shop-1.2",
		"go run ./cmd/shop":                "shop",
		"go build":                         "go",
		`C:\apps\shop.exe`:                 "shop",
		"sh -c true":                       "sh",
		"node":                             "node",
		".hidden":                          ".hidden",
	} {
		if got := Name(strings.Fields(line)); got != want {
			t.Errorf("%s: %q, want %q", line, got, want)
		}
	}
}

// An application that sends to a receiver over mutual TLS gets the files of its certificate,
// unless it has an endpoint or files of its own.
func TestCertificate(t *testing.T) {
	told := Telemetry{HTTP: "https://localhost:4318", GRPC: "https://localhost:4317", TLS: TLSFiles{"/lab/tls.crt", "/lab/tls.key", "/lab/ca.crt"}}
	names := []string{"OTEL_EXPORTER_OTLP_CERTIFICATE", "OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE", "OTEL_EXPORTER_OTLP_CLIENT_KEY"}
	for _, c := range []struct {
		name string
		user []string
		want [3]string
	}{
		{"nothing", nil, [3]string{"/lab/ca.crt", "/lab/tls.crt", "/lab/tls.key"}},
		{"an endpoint of its own", []string{"OTEL_EXPORTER_OTLP_ENDPOINT=https://example.com"}, [3]string{}},
		{"an authority of its own", []string{"OTEL_EXPORTER_OTLP_CERTIFICATE=/mine"}, [3]string{"/mine", "/lab/tls.crt", "/lab/tls.key"}},
	} {
		env := environment(told.Environment(c.user))
		for i, name := range names {
			if have, _ := env.get(name); have != c.want[i] {
				t.Errorf("with %s: %s=%s, want %s", c.name, name, have, c.want[i])
			}
		}
	}
	told.TLS = TLSFiles{}
	env := environment(told.Environment(nil))
	for _, name := range names {
		if have, ok := env.get(name); ok {
			t.Errorf("without a certificate: %s=%s", name, have)
		}
	}
}
