package deploy

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"
)

const twoManifests = `---
apiVersion: apps/v1
kind: Deployment
metadata:
  name: backend
  namespace: app
  labels: {app: backend}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: new, namespace: app}
data:
  text: |
    one
    ---
    two
---
apiVersion: v1
kind: Namespace
metadata: {name: app}
`

func TestParseManifests(t *testing.T) {
	all, err := parseManifests([]byte(twoManifests))
	if err != nil {
		t.Fatal(err)
	}
	var order []string
	for _, m := range all {
		order = append(order, m.String())
		if labels := m.fields["metadata"].(map[string]any)["labels"].(map[string]any); labels[ManagedBy] != Manager {
			t.Errorf("%s has the labels %v", m.Ref, labels)
		}
	}
	if want := []string{"namespace/app", "app/configmap/new", "app/deployment/backend"}; !slices.Equal(order, want) {
		t.Errorf("order %q, want %q", order, want)
	}
	if text := all[1].fields["data"].(map[string]any)["text"]; text != "one\n---\ntwo\n" {
		t.Errorf("the text was cut to %q", text)
	}
	for _, bad := range []string{"", "---\n---\n", "kind: X\n", "metadata: {name: x}\n", "{", twoManifests + "---\n" + twoManifests} {
		if _, err := parseManifests([]byte(bad)); err == nil {
			t.Errorf("no error for %.30q", bad)
		}
	}
}

// A real kubectl has written these: the listing, and the output of apply.
const (
	listing = "Namespace    <none>   app            <none>   1\n" +
		"ConfigMap    app      old            <none>   7\n" +
		"Deployment   app      backend        3        90\n" +
		"PersistentVolumeClaim   app   backend-data   <none>   8\n"
	appliedLines = "Namespace <none> app <none> 1\nConfigMap app new <none> 95\nDeployment app backend 3 99\n"
)

func TestApply(t *testing.T) {
	k := &fakeKubectl{rules: []rule{{begins: "get", answers: []string{listing}}, {begins: "apply", answers: []string{appliedLines}}}}
	done, err := Apply(context.Background(), k, []byte(twoManifests))
	if err != nil {
		t.Fatal(err)
	}
	if want := []Ref{{"ConfigMap", "app", "new"}}; !slices.Equal(done.Changed, want) {
		// The Deployment's resource version also changes with its status, so its
		// generation counts.
		t.Errorf("changed %v, want %v", done.Changed, want)
	}
	if want := []Ref{{"ConfigMap", "app", "old"}}; !slices.Equal(done.Surplus, want) {
		// Deleting a volume claim would delete data.
		t.Errorf("surplus %v, want %v", done.Surplus, want)
	}
	if got := Workloads(done.Objects); !slices.Equal(got, []Ref{backend}) {
		t.Errorf("workloads %v", got)
	}
	apply := k.called("apply")[0]
	if !strings.Contains(apply.line, "--server-side") || !strings.Contains(apply.line, "--field-manager=lgtm-lab") {
		t.Errorf("applied with %s", apply.line)
	}
	var list struct{ Items []any }
	if err := json.Unmarshal([]byte(apply.stdin), &list); err != nil || len(list.Items) != 3 {
		t.Errorf("applied %d objects, %v", len(list.Items), err)
	}
}

func TestApplyReplacesWhatCannotChange(t *testing.T) {
	for _, test := range []struct{ message, deletes string }{
		{`The Deployment "backend" is invalid: spec.selector: Invalid value: {}: field is immutable`, "delete Deployment backend --namespace=app --cascade=background"},
		{`The Deployment "backend" is invalid: spec.replicas: Invalid value: -1: must be greater than or equal to 0`, ""},
		{`The Deployment "other" is invalid: spec.selector: field is immutable`, ""},
	} {
		k := &fakeKubectl{rules: []rule{{begins: "get"}, {begins: "apply", err: errors.New(test.message)}, {begins: "delete"}}}
		// The second apply fails as the first did; the test is about the calls between.
		if _, err := Apply(context.Background(), k, []byte(twoManifests)); err == nil || !strings.Contains(err.Error(), test.message) {
			t.Errorf("%s: error %v", test.message, err)
		}
		deleted := k.called("delete")
		if got := len(deleted) == 1 && strings.HasPrefix(deleted[0].line, test.deletes); got != (test.deletes != "") {
			t.Errorf("%s: deleted %v", test.message, deleted)
		}
	}
	set := []manifest{{Ref: Ref{"StatefulSet", "observability", "loki"}}}
	got := immutable(`The StatefulSet "loki" is invalid: spec: Forbidden: updates to statefulset spec for fields other than 'replicas', 'ordinals' are forbidden`, set)
	if !slices.Equal(got, []Ref{set[0].Ref}) {
		t.Errorf("immutable = %v", got)
	}
}

func TestPrune(t *testing.T) {
	k := &fakeKubectl{rules: []rule{{begins: "delete"}}}
	gone := []Ref{{"ConfigMap", "app", "old"}, {"ClusterRole", "", "alloy"}}
	if err := Prune(context.Background(), k, gone); err != nil {
		t.Fatal(err)
	}
	if len(k.calls) != 2 || k.calls[0].line != "delete ConfigMap old --ignore-not-found --wait=false --namespace=app" ||
		strings.Contains(k.calls[1].line, "namespace") {
		t.Errorf("calls %v", k.calls)
	}
}

func TestNewestSecret(t *testing.T) {
	const list = `{"items":[
		{"metadata":{"name":"grafana-admin-b","creationTimestamp":"2026-01-02T00:00:00Z"},"data":{"password":"bmV3"}},
		{"metadata":{"name":"grafana-admin-a","creationTimestamp":"2026-01-01T00:00:00Z"},"data":{"password":"b2xk"}},
		{"metadata":{"name":"grafana-administrators","creationTimestamp":"2026-01-03T00:00:00Z"},"data":{"password":"eHh4"}},
		{"metadata":{"name":"grafana-admin-c","creationTimestamp":"2026-01-03T00:00:00Z"},"data":{}}]}`
	for list, want := range map[string]string{list: "new", "": "", `{"items":[]}`: ""} {
		if got, err := newestSecret([]byte(list), "grafana-admin", "password"); got != want || err != nil {
			t.Errorf("newestSecret = %q, %v, want %q", got, err, want)
		}
	}
	if _, err := newestSecret([]byte("no JSON"), "a", "b"); err == nil {
		t.Error("no error for text that is not JSON")
	}
}

func TestLogs(t *testing.T) {
	k := &fakeKubectl{rules: []rule{{begins: "get", answers: []string{recorded(t, "ready.json")}}, {begins: "logs", answers: []string{"a line\n"}}}}
	var b strings.Builder
	if err := Logs(context.Background(), k, &b, "frontend", false, "app"); err != nil || b.String() != "a line\n" {
		t.Errorf("Logs = %v, wrote %q", err, b.String())
	}
	if line := k.called("logs")[0].line; !strings.Contains(line, "--namespace=app --selector=app.kubernetes.io/name=frontend ") || !strings.Contains(line, "--prefix") {
		t.Errorf("asked for %s; two pods want a prefix", line)
	}
	if err := Logs(context.Background(), k, &b, "unknown", false, "app"); !errors.Is(err, ErrUnknown) || !strings.Contains(err.Error(), "backend, frontend") {
		t.Errorf("Logs of an unknown workload = %v", err)
	}
	if err := Logs(context.Background(), k, &b, "frontend", false, "other"); !errors.Is(err, ErrUnknown) {
		t.Errorf("Logs in another namespace = %v", err)
	}
}

func TestReadMemory(t *testing.T) {
	got := map[string]int64{}
	err := readMemory([]byte(`{"pods":[{"podRef":{"name":"p","namespace":"app"},"memory":{"workingSetBytes":42}}]}`), got)
	if err != nil || got["app/p"] != 42 {
		t.Errorf("readMemory = %v, %v", got, err)
	}
}
