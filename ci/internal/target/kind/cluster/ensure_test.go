package cluster

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"sigs.k8s.io/kind/pkg/exec"
)

const node = "lab-control-plane"

func TestEnsureMakes(t *testing.T) {
	f := newFake()
	made, err := f.cluster(t, nil).Ensure(context.Background())
	if !made || err != nil {
		t.Fatalf("Ensure = %v, %v", made, err)
	}
	if !f.marked || f.network != "lab" {
		t.Errorf("marked %v, network %q: the next run would not know what this one has made", f.marked, f.network)
	}
	if made, err = f.cluster(t, nil).Ensure(context.Background()); made || err != nil || f.called("kind create") != 1 {
		t.Errorf("the second Ensure = %v, %v, after %d creations", made, err, f.called("kind create"))
	}
}

func TestEnsureRepairs(t *testing.T) {
	for _, test := range []struct {
		name   string
		set    func(*fakeRuntime)
		made   bool
		called string // a command that Ensure must run exactly once
	}{
		{"stopped", func(f *fakeRuntime) { f.status[node], f.marked, f.whole = "exited", true, true }, false, "start " + node},
		{"paused", func(f *fakeRuntime) { f.status[node], f.marked, f.whole = "paused", true, true }, false, "unpause " + node},
		{"killed before kubeadm had finished", func(f *fakeRuntime) { f.status[node] = "running" }, true, "rm --force --volumes " + node},
		{"killed while a node was made", func(f *fakeRuntime) { f.status[node] = "created" }, true, "rm --force --volumes " + node},
		{"killed with one worker missing", func(f *fakeRuntime) { f.status["lab-worker"] = "running" }, true, "rm --force --volumes lab-worker"},
		{"whole, but killed before the mark", func(f *fakeRuntime) { f.status[node], f.whole = "running", true }, false, "exec " + node + " touch"},
	} {
		t.Run(test.name, func(t *testing.T) {
			f := newFake()
			test.set(f)
			made, err := f.cluster(t, nil).Ensure(context.Background())
			if made != test.made || err != nil {
				t.Fatalf("Ensure = %v, %v, want %v", made, err, test.made)
			}
			if f.called(test.called) != 1 || !f.marked || f.status[node] != "running" {
				t.Errorf("calls %q, marked %v, node %s", f.calls, f.marked, f.status[node])
			}
		})
	}
}

// Ensure never deletes a cluster that may have a user's data.
func TestEnsureLeavesAlone(t *testing.T) {
	f := newFake()
	f.status[node], f.marked, f.whole = "running", true, true
	for name, change := range map[string]func(*Config){
		"its port 30080 is the host's port 8080, not 9000":            func(c *Config) { c.Ports = map[int]int{30080: 9000} },
		"it has 1 nodes, not 3":                                       func(c *Config) { c.Workers = 2 },
		"is published on 127.0.0.1, not on 0.0.0.0":                   func(c *Config) { c.Listen = "0.0.0.0" },
		"of the image kindest/node:v1.34.4, not kindest/node:v1.35.0": func(c *Config) { c.NodeImage = "kindest/node:v1.35.0" },
		"its port 6443 is the host's port (none), not 7":              func(c *Config) { c.Ports = map[int]int{APIPort: 7} },
	} {
		made, err := f.cluster(t, change).Ensure(context.Background())
		if made || err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("Ensure = %v, %v, want %q", made, err, name)
		}
	}
	f.whole = false
	made, err := f.cluster(t, nil).Ensure(context.Background())
	if made || err == nil || !strings.Contains(err.Error(), "was whole once, but does not come to life") || !strings.Contains(err.Error(), "was refused") {
		t.Errorf("Ensure of a broken cluster = %v, %v", made, err)
	}
	if f.called("rm") != 0 || f.called("kind create") != 0 {
		t.Errorf("calls %q", f.calls)
	}
}

// A cluster that the runtime says nothing about may have a user's data, too.
func TestEnsureLeavesTheUnknownAlone(t *testing.T) {
	f := newFake()
	f.status[node], f.cpErr = "exited", errors.New("context deadline exceeded")
	if made, err := f.cluster(t, nil).Ensure(context.Background()); made || err == nil || f.called("rm") != 0 {
		t.Errorf("Ensure = %v, %v, after %q", made, err, f.calls)
	}
}

// Ensure does not delete a cluster when the runtime has no image for another.
func TestEnsureKeepsAClusterThatItCannotReplace(t *testing.T) {
	f := newFake()
	f.status[node], f.whole, f.marked, f.pullErr = "running", true, true, errors.New("no such host")
	made, err := f.cluster(t, func(c *Config) { c.Recreate, c.NodeImage = true, "kindest/node:v1.35.0@sha256:aa" }).Ensure(t.Context())
	if err == nil || !strings.Contains(err.Error(), "left as it is") || !strings.Contains(err.Error(), "no such host") {
		t.Errorf("Ensure = %v, %v", made, err)
	}
	if f.called("rm ") != 0 || f.status[node] != "running" {
		t.Errorf("the cluster was deleted: %q", f.calls)
	}
}

// With Recreate, Ensure replaces such a cluster.
func TestEnsureRecreates(t *testing.T) {
	for name, set := range map[string]func(*fakeRuntime, *Config){
		"other settings":        func(f *fakeRuntime, c *Config) { f.whole, c.Listen = true, "0.0.0.0" },
		"does not come to life": func(*fakeRuntime, *Config) {},
	} {
		f := newFake()
		f.status[node], f.marked = "running", true
		made, err := f.cluster(t, func(c *Config) { c.Recreate = true; set(f, c) }).Ensure(context.Background())
		if !made || err != nil || f.called("rm --force --volumes "+node) != 1 || !f.marked {
			t.Errorf("%s: Ensure = %v, %v, after %q", name, made, err, f.calls)
		}
	}
	f := newFake()
	f.status[node], f.marked, f.whole = "running", true, true
	made, err := f.cluster(t, func(c *Config) { c.Recreate = true }).Ensure(context.Background())
	if made || err != nil || f.called("rm") != 0 {
		t.Errorf("Ensure of a cluster with the wanted settings = %v, %v, after %q", made, err, f.calls)
	}
}

func TestEnsureClearsTheWay(t *testing.T) {
	inUse := &exec.RunError{Inner: errors.New("exit status 125"), Output: []byte(`The container name "/lab-control-plane" is already in use by container "abc".`)}
	f := newFake()
	f.createErr = []error{inUse, inUse}
	c := f.cluster(t, nil)
	c.limits.clear = time.Minute // a slow machine is no reason to give up
	if made, err := c.Ensure(context.Background()); !made || err != nil || f.called("kind create") != 3 {
		t.Errorf("Ensure = %v, %v after %d creations", made, err, f.called("kind create"))
	}
	f = newFake()
	for range 1000 {
		f.createErr = append(f.createErr, inUse)
	}
	c = f.cluster(t, nil)
	if _, err := c.Ensure(context.Background()); err == nil || !strings.Contains(err.Error(), "already in use") {
		t.Errorf("Ensure of what stays in the way = %v", err)
	}
}

func TestExplainCreate(t *testing.T) {
	err := explainCreate(&exec.RunError{Command: []string{"docker"}, Inner: errors.New("exit status 125"),
		Output: []byte("docker: Bind for 127.0.0.1:8080 failed: port is already allocated\n")})
	for _, want := range []string{"Bind for 127.0.0.1:8080 failed", "--port frontend=8081"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%v\nis without %q", err, want)
		}
	}
}

func TestDelete(t *testing.T) {
	for _, test := range []struct {
		name    string
		set     func(*fakeRuntime)
		network string
	}{
		{"ours", func(f *fakeRuntime) { f.network = "lab" }, ""},
		{"another's network", func(f *fakeRuntime) { f.network = "other" }, "other"},
		{"ours, but in use", func(f *fakeRuntime) { f.network, f.otherInNetwork = "lab", true }, "lab"},
	} {
		f := newFake()
		f.status[node], f.status["lab-worker"] = "running", "exited"
		test.set(f)
		c := f.cluster(t, nil)
		if err := c.Delete(context.Background()); err != nil {
			t.Fatal(err)
		}
		if len(f.status) > 0 || f.network != test.network {
			t.Errorf("%s: left %v and the network %q, want %q", test.name, f.status, f.network, test.network)
		}
		if there, err := c.Exists(context.Background()); there || err != nil {
			t.Errorf("Exists = %v, %v", there, err)
		}
	}
}

func TestComplete(t *testing.T) {
	const ready, storage = `{"kind":"Node","metadata":{"name":"n"},"status":{"conditions":[{"type":"Ready","status":"True"}]}}`, `{"kind":"StorageClass"}`
	const notReady = `{"kind":"Node","metadata":{"name":"n"},"status":{"conditions":[{"type":"Ready","status":"False","message":"no network"}]}}`
	for _, test := range []struct {
		items string
		nodes int
		says  string
	}{
		{ready + "," + storage, 1, ""},
		{ready, 1, "no storage class"},
		{ready + "," + storage, 2, "1 of 2 nodes"},
		{notReady + "," + storage, 1, "no network"},
		{storage, 1, "0 of 1 nodes"},
	} {
		err := complete([]byte(`{"items":[`+test.items+`]}`), test.nodes)
		if (err == nil) != (test.says == "") || err != nil && !strings.Contains(err.Error(), test.says) {
			t.Errorf("complete(%s) = %v, want %q", test.items, err, test.says)
		}
	}
}

func TestKubectl(t *testing.T) {
	f := newFake()
	if _, err := f.cluster(t, nil).Kubectl(context.Background(), nil, "get", "pods"); !errors.Is(err, ErrAbsent) {
		t.Errorf("without a cluster: %v", err)
	}
	f.status[node], f.status["lab-worker"] = "running", "running"
	_, err := f.cluster(t, nil).Kubectl(context.Background(), nil, "get", "nodes,storageclasses")
	if err == nil || !strings.Contains(err.Error(), "kubectl get nodes,storageclasses: The connection to the server was refused") {
		t.Errorf("an error must quote what kubectl says: %v", err)
	}
	f.whole = true
	if out, err := f.cluster(t, nil).Kubectl(context.Background(), nil, "get", "nodes,storageclasses"); err != nil || string(out) != wholeCluster {
		t.Errorf("Kubectl = %s, %v", out, err)
	}
}
