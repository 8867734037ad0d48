package conventions

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// semconvKeys reads the keys that a file of OpenTelemetry's Go module declares:
// HTTPRouteKey = attribute.Key("http.route").
func semconvKeys(t *testing.T, version string) map[string]string {
	t.Helper()
	out, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "go.opentelemetry.io/otel").Output()
	if err != nil {
		t.Skipf("go list: %v", err)
	}
	name := filepath.Join(strings.TrimSpace(string(out)), "semconv", "v"+version, "attribute_group.go")
	file, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	keys := map[string]string{}
	ast.Inspect(file, func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if !ok || len(spec.Values) != 1 || !strings.HasSuffix(spec.Names[0].Name, "Key") {
			return true
		}
		if call, ok := spec.Values[0].(*ast.CallExpr); ok && len(call.Args) == 1 {
			if text, ok := call.Args[0].(*ast.BasicLit); ok {
				if key, err := strconv.Unquote(text.Value); err == nil {
					keys[key] = spec.Names[0].Name
				}
			}
		}
		return true
	})
	return keys
}

// Two publications of OpenTelemetry's must agree: the model that the registry is made of, and
// the Go module.
func TestRegistryHasTheKeysOfTheGoModule(t *testing.T) {
	r := Load()
	keys := semconvKeys(t, r.Version)
	if len(keys) < 500 {
		t.Fatalf("only %d keys are read from the Go module", len(keys))
	}
	for key, name := range keys {
		if a, ok := r.Attributes[key]; !ok || a.Deprecated {
			t.Errorf("%s (%s): %+v, %v", key, name, a, ok)
		}
	}
}

func TestSuccessor(t *testing.T) {
	r := Load()
	for key, want := range map[string]string{
		"http.method":            "http.request.method",
		"db.statement":           "db.query.text",
		"deployment.environment": "deployment.environment.name",
		"net.peer.name":          "", // of clients server.address, of servers client.address
		"http.request.method":    "",
		"not.there":              "",
	} {
		if got := r.Successor(key); got != want {
			t.Errorf("Successor(%s) = %q, want %q", key, got, want)
		}
	}
	if got := r.MetricSuccessor("cpu.time"); got != "system.cpu.time" {
		t.Errorf("MetricSuccessor(cpu.time) = %q", got)
	}
	for key, a := range r.Attributes {
		if a.Deprecated && a.Successor != "" && r.Successor(key) == "" {
			if next, ok := r.Attributes[a.Successor]; ok && next.Note == "" {
				t.Errorf("%s is renamed to %s, which leads nowhere", key, a.Successor)
			}
		}
	}
}

func TestMisplaced(t *testing.T) {
	r := Load()
	for _, test := range []struct {
		key, level string
		want       bool
	}{
		{"service.name", "span", true}, // the specification's two examples
		{"http.request.method", "resource", true},
		{"service.name", "resource", false},
		{"service.name", "log", true},
		{"http.request.method", "span", false},
		{"http.request.method", "log", false},
		{"http.request.header.content-type", "resource", true},
		{"user_agent.original", "resource", false},
		{"user_agent.original", "span", false},
		{"process.pid", "span", false},
		{"deployment.environment", "span", true}, // by its successor
		{"deployment.environment", "resource", false},
		{"http.method", "resource", true},
		{"thread.id", "resource", false}, // no convention places it
		{"lab.run.id", "span", false},
		{"k8s.pod.name", "metric", true},
	} {
		if got := r.Misplaced(test.key, test.level); got != test.want {
			t.Errorf("Misplaced(%s, %s) = %v", test.key, test.level, got)
		}
	}
}

// What the SDK's own detectors put on a resource is at its place.
func TestNoResourceAttributeOfDetectorsIsMisplaced(t *testing.T) {
	r := Load()
	for _, key := range []string{
		"service.name", "service.version", "service.namespace", "service.instance.id", "host.name", "host.id", "host.arch", "os.type", "os.description",
		"os.name", "os.version", "process.pid", "process.executable.name", "process.executable.path", "process.command", "process.command_args",
		"process.command_line", "process.owner", "process.runtime.name", "process.runtime.version", "process.runtime.description",
		"container.id", "telemetry.sdk.name", "telemetry.sdk.language", "telemetry.sdk.version", "telemetry.distro.name", "telemetry.distro.version",
		"cloud.provider", "cloud.region", "cloud.account.id", "cloud.availability_zone", "cloud.platform", "faas.name", "faas.instance", "faas.version",
		"k8s.pod.name", "k8s.pod.uid", "k8s.namespace.name", "k8s.container.name", "k8s.deployment.name", "k8s.node.name", "browser.language", "device.id",
		"deployment.environment.name", "webengine.name", "aws.ecs.task.arn", "aws.log.group.names",
	} {
		if r.Misplaced(key, "resource") {
			t.Errorf("%s is said to be misplaced on a resource: %+v", key, r.Attributes[key])
		}
	}
}
