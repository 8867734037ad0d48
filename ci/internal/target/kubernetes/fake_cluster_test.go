package kubernetes

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/lgtm-lab/lgtm-lab/ci/internal/build"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/checkout"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/images"
)

// A fakeCluster answers kubectl's command lines: each by the longest of its answers' beginnings.
// It records the lines, and what they got on standard input.
type fakeCluster struct {
	mu      sync.Mutex
	answers map[string]string
	errs    map[string]error
	denied  map[string]bool // the rights, in the words of `kubectl auth can-i`
	lines   []string
	stdin   map[string]string
}

// newCluster is an empty cluster in which the lab may do everything.
func newCluster() *fakeCluster {
	return &fakeCluster{
		errs: map[string]error{}, denied: map[string]bool{}, stdin: map[string]string{},
		answers: map[string]string{
			"config current-context":    "their-cluster\n",
			"config view":               "https://api.example.com:6443",
			"version":                   `{"serverVersion": {"major": "1", "minor": "34", "gitVersion": "v1.34.4"}}`,
			"get":                       "",
			"get storageclasses":        `{"kind": "List", "items": [` + storageClassOf("standard", true) + `]}`,
			"get nodes":                 `{"kind": "List", "items": [` + nodeOf("2", "12Gi") + `]}`,
			"get deployments":           readyItems,
			"get pods,deployments":      `{"kind": "List", "items": []}`,
			"get deployments.apps,stat": "",
			"annotate":                  "", "delete": "", "api-resources": "pods\nconfigmaps\nevents\n",
			// The Job that probes the network policies.
			"create": "", "logs job-pod": Enforced + "\n", "get pods job-pod": endedPod,
			"get pods --namespace=observability --selector=batch.kubernetes.io/job-name=": `{"kind": "List", "items": [` + endedPod + `]}`,
		},
	}
}

// endedPod is the pod of a Job that has ended well.
const endedPod = `{"kind": "Pod", "metadata": {"name": "job-pod", "namespace": "observability"}, "status": {"phase": "Succeeded",
	"containerStatuses": [{"name": "lab", "state": {"terminated": {"exitCode": 0, "reason": "Completed"}}}]}}`

func storageClassOf(name string, isDefault bool) string {
	return fmt.Sprintf(`{"kind": "StorageClass", "metadata": {"name": %q, "annotations": {"storageclass.kubernetes.io/is-default-class": "%v"}}}`, name, isDefault)
}

func nodeOf(cpu, memory string) string {
	return fmt.Sprintf(`{"kind": "Node", "metadata": {"name": "n"}, "status": {"allocatable": {"cpu": %q, "memory": %q}}}`, cpu, memory)
}

// readyItems is a state in which every workload of the lab is ready; ready fills it in.
const readyItems = "READY"

func (f *fakeCluster) Namespaces() []string { return Namespaces() }

func (f *fakeCluster) Kubectl(ctx context.Context, stdin io.Reader, args ...string) ([]byte, error) {
	var out bytes.Buffer
	err := f.KubectlTo(ctx, &out, stdin, args...)
	return out.Bytes(), err
}

func (f *fakeCluster) KubectlTo(_ context.Context, w io.Writer, stdin io.Reader, args ...string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	line := strings.Join(args, " ")
	f.lines = append(f.lines, line)
	given := ""
	if stdin != nil {
		raw, err := io.ReadAll(stdin)
		if err != nil {
			return err
		}
		given = string(raw)
		f.stdin[args[0]] = given
	}
	begins := ""
	for beginning := range f.answers {
		if strings.HasPrefix(line, beginning) && len(beginning) > len(begins) {
			begins = beginning
		}
	}
	for beginning, err := range f.errs {
		if strings.HasPrefix(line, beginning) {
			return err
		}
	}
	answer := f.answers[begins]
	switch {
	case strings.Contains(given, "SelfSubjectAccessReview"):
		answer = f.judge(given)
	case args[0] == "apply":
		answer = versions(given)
	case answer == readyItems:
		answer = f.ready(args[2])
	case begins == "":
		return fmt.Errorf("kubectl %s: the fake does not know this command", line)
	}
	_, err := io.WriteString(w, answer)
	return err
}

// judge answers questions about rights.
func (f *fakeCluster) judge(asked string) string {
	var list struct {
		Items []struct {
			Spec struct{ ResourceAttributes right }
		}
	}
	if err := json.Unmarshal([]byte(asked), &list); err != nil {
		return err.Error()
	}
	var b strings.Builder
	for _, i := range list.Items {
		fmt.Fprintf(&b, `{"kind": "SelfSubjectAccessReview", "status": {"allowed": %v}}`+"\n", !f.denied[i.Spec.ResourceAttributes.String()])
	}
	return b.String()
}

// versions answers apply as its template does.
func versions(applied string) string {
	objects, err := parseJSON([]byte(applied))
	if err != nil {
		return err.Error()
	}
	var b strings.Builder
	for _, o := range objects {
		namespace := o.Metadata.Namespace
		if namespace == "" {
			namespace = "<none>"
		}
		fmt.Fprintf(&b, "%s %s %s 1 1\n", o.Kind, namespace, o.Metadata.Name)
	}
	return b.String()
}

// ready returns the applied workloads of a namespace, each with its pods, and one of
// somebody else's.
func (f *fakeCluster) ready(where string) string {
	objects, err := parseJSON([]byte(f.stdin["apply"]))
	if err != nil {
		return err.Error()
	}
	// An application of somebody's is beside the lab, and is not ready.
	items := []string{fmt.Sprintf(`{"kind": "Deployment", "metadata": {"name": "shop", "namespace": %q, "generation": 1}}`, strings.TrimPrefix(where, "--namespace="))}
	for _, o := range objects {
		if where != "--namespace="+o.Metadata.Namespace || o.Spec.Template == nil {
			continue
		}
		n, name := o.replicas(), o.Metadata.Name
		items = append(items, fmt.Sprintf(`{"kind": %q, "metadata": {"name": %q, "namespace": %q, "generation": 1, "annotations": {}, "labels": {"app.kubernetes.io/managed-by": "lgtm-lab"}},
			"spec": {"replicas": %d, "selector": {"matchLabels": {"a": %q}}},
			"status": {"observedGeneration": 1, "replicas": %[4]d, "updatedReplicas": %[4]d, "readyReplicas": %[4]d, "availableReplicas": %[4]d, "updateRevision": "r"}}`, o.Kind, name, o.Metadata.Namespace, n, name))
		items = append(items, fmt.Sprintf(`{"kind": "ReplicaSet", "metadata": {"name": "%s-h", "namespace": %q, "labels": {"pod-template-hash": "h"}, "annotations": {"deployment.kubernetes.io/revision": "1"}, "ownerReferences": [{"kind": "Deployment", "name": %[1]q}]}}`, name, o.Metadata.Namespace))
		for i := range n {
			items = append(items, fmt.Sprintf(`{"kind": "Pod", "metadata": {"name": "%s-%d", "namespace": %q, "labels": {"a": %[1]q, "pod-template-hash": "h", "controller-revision-hash": "r"}},
				"status": {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]}}`, name, i, o.Metadata.Namespace))
		}
	}
	return `{"kind": "List", "items": [` + strings.Join(items, ",") + `]}`
}

// called tells whether a line begins so.
func (f *fakeCluster) called(begins string) bool {
	return slices.ContainsFunc(f.lines, func(line string) bool { return strings.HasPrefix(line, begins) })
}

// changed returns the lines that change something in the cluster.
func (f *fakeCluster) changed() (all []string) {
	for _, line := range f.lines {
		verb, _, _ := strings.Cut(line, " ")
		if slices.Contains([]string{"apply", "annotate", "delete", "patch"}, verb) {
			all = append(all, line)
		}
	}
	return all
}

const digest = "@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

func ownImages() map[string]string {
	refs := map[string]string{}
	for _, name := range build.Names() {
		refs[name] = "registry.example.com/" + name + ":1" + digest
	}
	return refs
}

// newTarget returns a target in the fake cluster, and collects what it says.
func newTarget(t *testing.T, f *fakeCluster, o Options) (*Target, *strings.Builder) {
	t.Helper()
	root, dir := filepath.Join("..", "..", "..", ".."), t.TempDir()
	var said strings.Builder
	o.Dir = func() (string, error) { return filepath.Join(dir, "lab"), nil }
	o.Files = func() checkout.Files { return checkout.Files{FS: os.DirFS(root), Root: root} }
	o.Lock = func() (images.Lock, error) { return images.Load(filepath.Join(root, "config", "images.json")) }
	o.Say = func(line string) { fmt.Fprintln(&said, line) }
	target := New(o)
	target.kubectl = f
	return target, &said
}
