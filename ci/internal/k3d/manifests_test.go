package k3d

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// The stack of the case is left out, its place is kept, and every container has the run's
// attributes beside its own.
func TestManifests(t *testing.T) {
	all, err := read("testdata/k8s")
	if err != nil {
		t.Fatal(err)
	}
	all, namespaces := withoutStack(all)
	var names []string
	for _, o := range all {
		names = append(names, o.kind()+"/"+o.name())
		for _, c := range o.containers() {
			c.addAttributes("lab.run.id=1")
		}
	}
	if want := []string{"Deployment/shop", "Service/shop", "CronJob/report", "ConfigMap/lgtm"}; !slices.Equal(names, want) {
		t.Errorf("objects %v, want %v", names, want)
	}
	if !slices.Equal(namespaces, []string{"watch"}) {
		t.Errorf("the stack is looked for in %v", namespaces)
	}
	if have := images(all); !slices.Equal(have, []string{"report:1", "shop:test"}) {
		t.Errorf("images %v", have)
	}
	raw, err := document(all)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"- name: OTEL_RESOURCE_ATTRIBUTES value: lab.run.id=1 image: shop:test name: migrate",
		"value: team=a,lab.run.id=1",
		"name: LAB_OWN_RESOURCE_ATTRIBUTES valueFrom:",
		"value: $(LAB_OWN_RESOURCE_ATTRIBUTES),lab.run.id=1",
	} {
		if !strings.Contains(strings.Join(strings.Fields(string(raw)), " "), want) {
			t.Errorf("the manifests lack %q:\n%s", want, raw)
		}
	}
	if n := strings.Count(string(raw), "name: OTEL_RESOURCE_ATTRIBUTES"); n != 3 {
		t.Errorf("the variable is set %d times in 3 containers", n)
	}
}

// A folder that no application can be made of is an error that says what is wrong.
func TestBadManifests(t *testing.T) {
	for says, content := range map[string]string{
		"has no manifests":                 "",
		"an object has no kind":            "apiVersion: v1\nmetadata: {name: a}\n",
		"an object has no kind or no name": "apiVersion: v1\nkind: Pod\nmetadata: {}\n",
		"app.yaml":                         "kind: [",
	} {
		dir := t.TempDir()
		if content != "" {
			if err := os.WriteFile(filepath.Join(dir, "app.yaml"), []byte(content), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := read(dir); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%q: %v, want %q", content, err, says)
		}
	}
	if _, err := read(filepath.Join(t.TempDir(), "absent")); err == nil {
		t.Error("a folder that is not there is no error")
	}
}

// The way to the application ends at the port of its Service that requests mean.
func TestDoor(t *testing.T) {
	all, err := read("testdata/k8s")
	if err != nil {
		t.Fatal(err)
	}
	ours, err := door(all, "shop")
	if err != nil {
		t.Fatal(err)
	}
	raw, err := document(ours)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"namespace: default", "nodePort: 30080", "port: 8080", "targetPort: http", "app: shop", "type: NodePort"} {
		if !strings.Contains(string(raw), want) {
			t.Errorf("the Service lacks %q:\n%s", want, raw)
		}
	}
	for says, o := range map[string]object{
		"manifests have the Services other": {"kind": "Service", "metadata": map[string]any{"name": "other"}},
		"the manifests have no Service":     {"kind": "Pod", "metadata": map[string]any{"name": "shop"}},
		"selects no pods":                   {"kind": "Service", "metadata": map[string]any{"name": "shop"}},
		"has 2 ports, and none is 8080":     {"kind": "Service", "metadata": map[string]any{"name": "shop"}, "spec": map[string]any{"selector": map[string]any{"a": "b"}, "ports": []any{map[string]any{"port": int64(1)}, map[string]any{"port": int64(2)}}}},
		"the Service shop: ":                {"kind": "Service", "metadata": map[string]any{"name": "shop"}, "spec": "x"},
	} {
		if _, err := door([]object{o}, "shop"); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%v, want %q", err, says)
		}
	}
}
