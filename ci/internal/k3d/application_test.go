package k3d

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/lgtm-lab/lgtm-lab/ci/internal/compose/composetest"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/target/kind/cluster"
)

func TestMain(m *testing.M) {
	composetest.Main()
	os.Exit(m.Run())
}

// fakeCluster is a cluster in which every workload is ready at once.
type fakeCluster struct {
	calls   []string
	applied string
	refuses string // the verb of kubectl that fails
	broken  bool   // the workload does not become ready
}

func (f *fakeCluster) Kubectl(ctx context.Context, stdin io.Reader, args ...string) ([]byte, error) {
	var out bytes.Buffer
	err := f.KubectlTo(ctx, &out, stdin, args...)
	return out.Bytes(), err
}

func (f *fakeCluster) KubectlTo(_ context.Context, w io.Writer, stdin io.Reader, args ...string) error {
	f.calls = append(f.calls, strings.Join(args, " "))
	if args[0] == f.refuses {
		return errors.New("refused")
	}
	switch {
	case args[0] == "apply":
		raw, err := io.ReadAll(stdin)
		f.applied = string(raw)
		return err
	case args[0] == "logs":
		fmt.Fprintln(w, "sold a book")
	case args[1] == "pods":
		fmt.Fprintln(w, "pod/shop-1")
	case strings.HasPrefix(args[1], "deployments,statefulsets"):
		state := ready
		if f.broken {
			state = strings.NewReplacer(`"availableReplicas":1`, `"availableReplicas":0`, `{"phase":"Running","conditions":[{"type":"Ready","status":"True"}]}`,
				`{"phase":"Pending","containerStatuses":[{"name":"shop","state":{"waiting":{"reason":"InvalidImageName","message":"invalid reference format"}}}]}`).Replace(ready)
		}
		fmt.Fprintln(w, state)
	}
	return nil
}

func (f *fakeCluster) Load(_ context.Context, files []string) (cluster.Loaded, error) {
	f.calls = append(f.calls, fmt.Sprintf("load %d", len(files)))
	return cluster.Loaded{}, nil
}

func (f *fakeCluster) Resolve(context.Context, string) (string, error) { return "192.0.2.9", nil }

// ready is what the cluster says of the Deployment shop and its pod.
const ready = `{"items":[
 {"kind":"Deployment","metadata":{"name":"shop","namespace":"default","generation":1},"spec":{"replicas":1,"selector":{"matchLabels":{"app":"shop"}}},
  "status":{"observedGeneration":1,"updatedReplicas":1,"replicas":1,"availableReplicas":1}},
 {"kind":"ReplicaSet","metadata":{"name":"shop-a","namespace":"default","labels":{"pod-template-hash":"a"},"annotations":{"deployment.kubernetes.io/revision":"1"},"ownerReferences":[{"kind":"Deployment","name":"shop"}]}},
 {"kind":"Pod","metadata":{"name":"shop-1","namespace":"default","labels":{"app":"shop","pod-template-hash":"a"}},"status":{"phase":"Running","conditions":[{"type":"Ready","status":"True"}]}}
]}`

// host returns a host whose cluster is the fake, and how often it was made and deleted.
func host(f *fakeCluster) (h *Host, made, deleted *int) {
	made, deleted = new(int), new(int)
	return &Host{make: func(context.Context) (kubernetes, func(), int, error) {
		*made++
		return f, func() { *deleted++ }, 4711, nil
	}}, made, deleted
}

func shop(h *Host) *Application {
	return &Application{
		Host: h, Gate: "192.0.2.9",
		Dir: "testdata", Manifests: "k8s", Service: "shop", DockerFile: "Dockerfile", Context: "..", Tag: "shop:test",
		Images: []string{"grafana/otel-lgtm:latest"}, Attributes: "lab.run.id=1",
	}
}

// An application's image is built and loaded, its objects are applied with the ways to the
// lab and to the application, and the next case finds none of them.
func TestApplication(t *testing.T) {
	docker := composetest.Docker{}.Install(t)
	f := &fakeCluster{}
	h, made, deleted := host(f)
	for range 2 {
		a := shop(h)
		if err := a.Up(t.Context()); err != nil {
			t.Fatal(err)
		}
		if address, err := a.Address(t.Context()); address != "127.0.0.1:4711" || err != nil {
			t.Errorf("the application is at %q, %v", address, err)
		}
		if logs, err := a.Logs(t.Context()); !strings.Contains(string(logs), "sold a book") || err != nil {
			t.Errorf("logs %q, %v", logs, err)
		}
		if _, err := a.Run(t.Context(), "shop", nil); err == nil {
			t.Error("a command in a container is no error")
		}
		if err := a.Down(t.Context()); err != nil {
			t.Error(err)
		}
	}
	h.Close()
	if *made != 1 || *deleted != 1 {
		t.Errorf("the cluster was made %d times and deleted %d times", *made, *deleted)
	}
	for _, want := range []string{
		`"addresses":["192.0.2.9"]`, `"name":"lgtm","namespace":"watch"`, `"port":4317`, `"port":4318`, `"nodePort":30080`, "team=a,lab.run.id=1",
	} {
		if !strings.Contains(f.applied, want) {
			t.Errorf("applied without %q:\n%s", want, f.applied)
		}
	}
	if strings.Contains(f.applied, "otel-lgtm") {
		t.Error("the case's own stack is applied")
	}
	if n := len(slices.DeleteFunc(slices.Clone(f.calls), func(call string) bool { return !strings.HasPrefix(call, "delete") })); n != 1 {
		t.Errorf("%d deletions for two cases: %q", n, f.calls)
	}
	asked := strings.Join(docker(), "\n")
	for _, want := range []string{"build --quiet --file Dockerfile --tag shop:test ..", "image inspect --format {{.Id}} shop:test", "shop:test"} {
		if !strings.Contains(asked, want) {
			t.Errorf("Docker was not asked %q:\n%s", want, asked)
		}
	}
	if strings.Contains(asked, "otel-lgtm") {
		t.Errorf("an image that no container needs is loaded:\n%s", asked)
	}
}

// A case waits for the cluster until the one before has ended, also when that one has failed.
func TestTurns(t *testing.T) {
	composetest.Docker{}.Install(t)
	f := &fakeCluster{refuses: "apply"}
	h, _, _ := host(f)
	first := shop(h)
	if err := first.Up(t.Context()); err == nil || !strings.Contains(err.Error(), "refused") {
		t.Errorf("an application that cannot be applied: %v", err)
	}
	waiting, cancel := context.WithCancelCause(t.Context())
	cancel(errors.New("interrupted"))
	second := shop(h)
	if err := second.Up(waiting); err == nil || err.Error() != "interrupted" {
		t.Errorf("while another case has the cluster: %v", err)
	}
	if err := errors.Join(second.Down(t.Context()), first.Down(t.Context())); err != nil {
		t.Error(err)
	}
	f.refuses = ""
	if err := second.Up(t.Context()); err != nil {
		t.Error(err)
	}
	if !slices.ContainsFunc(f.calls, func(call string) bool { return strings.HasPrefix(call, "delete --filename=- --ignore-not-found") }) {
		t.Errorf("what the failed case has left is not deleted: %q", f.calls)
	}
}

// An application that can never become ready is an error that says why, in its second line.
func TestNotReady(t *testing.T) {
	composetest.Docker{}.Install(t)
	h, _, _ := host(&fakeCluster{broken: true})
	err := shop(h).Up(t.Context())
	if err == nil || !strings.Contains(err.Error(), "shop (InvalidImageName)\nshop: invalid reference format") {
		t.Errorf("%v", err)
	}
}

// An image that cannot be built is the case's failure, and no cluster is made for it.
func TestBuildFails(t *testing.T) {
	composetest.Docker{Fails: "build"}.Install(t)
	h, made, _ := host(&fakeCluster{})
	a := shop(h)
	if err := a.Up(t.Context()); err == nil || err.Error() != "docker build: no such image" {
		t.Errorf("%v", err)
	}
	if err := a.Down(t.Context()); err != nil || *made != 0 {
		t.Errorf("%v, %d clusters", err, *made)
	}
}
