package kubernetes

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Up says the context before it changes anything, applies, and notes what the next Up and
// the Jobs must know.
func TestUp(t *testing.T) {
	f := newCluster()
	lab, said := newTarget(t, f, Options{Images: ownImages(), Settings: map[string]string{"LAB_KUBELET_VERIFY": "false"}})
	summary, err := lab.Up(t.Context())
	if err != nil {
		t.Fatal(err, "\n", said)
	}
	if !strings.HasPrefix(said.String(), "· the context their-cluster of your kubeconfig: the cluster at https://api.example.com:6443\n") {
		t.Errorf("it says %q", said)
	}
	if !strings.Contains(summary.Headline, "their-cluster, size small") || !strings.Contains(summary.Next[0].Command, "--target kubernetes --context their-cluster") {
		t.Errorf("%+v", summary)
	}
	applied := f.stdin["apply"]
	for _, want := range []string{ownImages()["lab"], `"LAB_KUBELET_VERIFY":"false"`, `"PUBLIC_ENDPOINT":"false"`, `"grafana-admin-`} {
		if !strings.Contains(applied, want) {
			t.Errorf("applied without %s", want)
		}
	}
	notes := ""
	for _, line := range f.lines {
		if strings.HasPrefix(line, "annotate") {
			notes = line
		}
	}
	for _, want := range []string{"lgtm-lab/image=" + ownImages()["lab"], "lgtm-lab/size=small", `lgtm-lab/settings={"LAB_KUBELET_VERIFY":"false"}`} {
		if !strings.Contains(notes, want) {
			t.Errorf("%s lacks %s", notes, want)
		}
	}

	// The next one needs no flag.
	next := newCluster()
	noted, err := json.Marshal(map[string]string{
		ImageNote: ownImages()["lab"], sizeNote: "medium", settingsNote: `{"LAB_KUBELET_VERIFY":"false"}`, imagesNote: string(mustJSON(t, ownImages())), "other": "x",
	})
	if err != nil {
		t.Fatal(err)
	}
	next.answers["get namespace observability"] = string(noted)
	next.answers["get nodes"] = `{"kind": "List", "items": [` + nodeOf("16", "64Gi") + `]}`
	lab, said = newTarget(t, next, Options{})
	if summary, err = lab.Up(t.Context()); err != nil || !strings.Contains(summary.Headline, "size medium") ||
		!strings.Contains(next.stdin["apply"], `"LAB_KUBELET_VERIFY":"false"`) || !strings.Contains(next.stdin["apply"], ownImages()["backend"]) {
		t.Errorf("again: %+v, %v\n%s", summary, err, said)
	}
	// A Secret of the user's own has the password.
	own := newCluster()
	own.answers["get secret grafana-admin"] = "secret/grafana-admin\n"
	own.answers["get secrets"] = `{"kind": "List", "items": [{"kind": "Secret", "metadata": {"name": "grafana-admin"}}]}`
	lab, _ = newTarget(t, own, Options{Images: ownImages()})
	if summary, err = lab.Up(t.Context()); err != nil || strings.Contains(own.stdin["apply"], `"kind":"Secret"`) || !strings.Contains(summary.Places[1].About, "your Secret grafana-admin") {
		t.Errorf("with a Secret of the user's: %+v, %v", summary.Places, err)
	}
}

func mustJSON(t *testing.T, v any) []byte {
	t.Helper()
	raw, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// Diff changes nothing: it lists what is to be in a new namespace, and asks the server about
// the rest.
func TestDiff(t *testing.T) {
	f := newCluster()
	f.answers["get namespaces app observability"] = `{"kind": "Namespace", "metadata": {"name": "app"}}`
	f.answers["diff"] = "-  replicas: 1\n+  replicas: 2\n"
	lab, _ := newTarget(t, f, Options{Images: ownImages()})
	var out strings.Builder
	if err := lab.Diff(t.Context(), &out); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"+ namespace/observability\n", "+ observability/statefulset/loki\n", "+  replicas: 2\n"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("%s\nlacks %q", out.String(), want)
		}
	}
	if strings.Contains(out.String(), "app/deployment/frontend") || !strings.Contains(f.stdin["diff"], `"frontend"`) || len(f.changed()) > 0 {
		t.Errorf("it has done %q, and printed\n%s", f.changed(), &out)
	}
}

// Down deletes what has the lab's label, and no volume; Reset deletes the volumes. A
// namespace with anything else in it stays.
func TestDown(t *testing.T) {
	const listing = "Deployment app frontend 1 1\nDeployment app backend 1 1\nConfigMap observability loki 1 1\nNamespace <none> app 1 1\nPersistentVolumeClaim app backend-data 1 1\nClusterRole <none> lgtm-lab-alloy 1 1\n"
	for name, test := range map[string]struct {
		left   string
		reset  bool
		says   string
		delete bool // the namespace
	}{
		"clean":   {"configmap/kube-root-ca.crt\nserviceaccount/default\n", true, "and its volumes", true},
		"volumes": {"persistentvolumeclaim/backend-data\n", false, "stays, with 1 volumes and their data", false},
		"foreign": {"secret/theirs\npod/theirs\n", true, "more than the lab's objects: secret/theirs, pod/theirs", false},
	} {
		t.Run(name, func(t *testing.T) {
			f := newCluster()
			f.answers["get deployments.apps,stat"] = listing
			f.answers["get namespaces --selector"] = `{"kind": "Namespace", "metadata": {"name": "app"}}`
			f.answers["get pods,configmaps --namespace=app"] = test.left
			lab, _ := newTarget(t, f, Options{})
			end := lab.Down
			if test.reset {
				end = lab.Reset
			}
			done, err := end(t.Context())
			if err != nil || !strings.Contains(done, test.says) || !strings.Contains(done, "4 objects") {
				t.Errorf("%q, %v", done, err)
			}
			for line, want := range map[string]bool{
				"delete Deployment backend frontend": true, "delete ConfigMap loki": true, "delete ClusterRole lgtm-lab-alloy": true,
				"delete PersistentVolumeClaim": false, "delete persistentvolumeclaims --namespace=app --selector=app.kubernetes.io/part-of=lgtm-lab": test.reset,
				"delete namespace app": test.delete, "delete Namespace": false, "delete jobs --namespace=observability": true,
			} {
				if f.called(line) != want {
					t.Errorf("%s: %v, want %v, in\n%s", line, f.called(line), want, strings.Join(f.lines, "\n"))
				}
			}
		})
	}
	f := newCluster()
	lab, _ := newTarget(t, f, Options{})
	if done, err := lab.Down(t.Context()); err != nil || !strings.Contains(done, "Nothing to delete") {
		t.Errorf("of no lab: %q, %v", done, err)
	}
}

// The lab's state is read in its namespaces alone, and a lab that is not up says so.
func TestStatusAndExecute(t *testing.T) {
	f := newCluster()
	lab, _ := newTarget(t, f, Options{Images: ownImages()})
	if _, err := lab.Execute(t.Context(), []string{"traffic"}); err == nil || !strings.Contains(err.Error(), "up --target kubernetes --context their-cluster") {
		t.Errorf("without a lab: %v", err)
	}
	if _, err := lab.Up(t.Context()); err != nil {
		t.Fatal(err)
	}
	s, err := lab.Status(t.Context())
	if err != nil || !s.Ready || s.Target != "kubernetes" || s.Cluster != "their-cluster" || len(s.Components) != 7 {
		t.Errorf("%+v, %v", s, err)
	}
	for _, line := range f.lines {
		if strings.Contains(line, "pods") && strings.Contains(line, "--all-namespaces") {
			t.Errorf("%s: asks about everybody's pods", line)
		}
	}
	file, err := lab.TrafficFile()
	if err != nil || !strings.Contains(filepath.Base(file), "their-cluster") {
		t.Errorf("the last traffic is in %s, %v", file, err)
	}
}

// Every call of the user's kubectl names the context, and an error has kubectl's own words.
func TestClient(t *testing.T) {
	dir := t.TempDir()
	script := "#!/bin/sh\nif [ \"$2\" = fail ]; then echo 'error: no such thing' >&2; exit 3; fi\necho \"$@\"\ncat\n"
	if err := os.WriteFile(filepath.Join(dir, "kubectl"), []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat("/bin/sh"); err != nil {
		t.Skip("the stand-in for kubectl is a shell script, and this machine has no /bin/sh")
	}
	t.Setenv("PATH", dir+string(os.PathListSeparator)+os.Getenv("PATH"))
	c := client{"arn:aws:eks:x/y z"}
	out, err := c.Kubectl(t.Context(), strings.NewReader("input\n"), "get", "pods")
	if err != nil || string(out) != "--context=arn:aws:eks:x/y z get pods\ninput\n" {
		t.Errorf("%q, %v", out, err)
	}
	if _, err := c.Kubectl(t.Context(), nil, "fail"); exitCode(err) != 3 || !strings.Contains(err.Error(), "kubectl fail: error: no such thing") {
		t.Errorf("%v, exit code %d", err, exitCode(err))
	}
	t.Setenv("PATH", t.TempDir())
	if _, err := c.Kubectl(t.Context(), nil, "get"); err == nil || !strings.Contains(err.Error(), "your own kubectl") {
		t.Errorf("without kubectl: %v", err)
	}
}
