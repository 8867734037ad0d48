package kubernetes

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
)

// Whatever is in the way, Up names it and what to do, and changes nothing.
func TestPreflight(t *testing.T) {
	forbidden := errors.New(`Error from server (Forbidden): nodes is forbidden`)
	lab, _ := newTarget(t, newCluster(), Options{Images: ownImages()})
	w, err := lab.connect(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	usual, err := lab.plan(t.Context(), w)
	if err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		cluster func(*fakeCluster)
		options func(*Options)
		want    []string // parts of the error; none: it comes up
		likely  bool
	}{
		"nothing":         {nil, nil, nil, false},
		"no image":        {nil, func(o *Options) { delete(o.Images, "lab") }, []string{"no registry is known for lab", "images build --publish", "--image lab="}, false},
		"no digest":       {nil, func(o *Options) { o.Images["lab"] = "registry.example.com/lab:1" }, []string{"not pinned"}, false},
		"unknown setting": {nil, func(o *Options) { o.Settings = map[string]string{"NOPE": "1"} }, []string{"no setting NOPE"}, false},
		"no cluster":      {func(f *fakeCluster) { f.errs["version"] = errors.New("connection refused") }, nil, []string{"does not answer", "connection refused"}, false},
		"old": {func(f *fakeCluster) {
			f.answers["version"] = `{"serverVersion": {"gitVersion": "v1.26.3-eks-1"}}`
		}, nil, []string{"v1.26.3-eks-1", "1.27 or later"}, false},
		"no right": {func(f *fakeCluster) { f.denied["create networkpolicies.networking.k8s.io -n app"] = true }, nil, []string{"you may not: create networkpolicies.networking.k8s.io -n app", "auth can-i"}, false},
		"a clash": {func(f *fakeCluster) {
			f.answers["get --filename=-"] = `{"kind": "Service", "metadata": {"name": "loki", "namespace": "observability", "labels": {"app.kubernetes.io/managed-by": "Helm"}}}`
		}, nil, []string{"observability/service/loki is there already, made by Helm"}, false},
		"our own objects": {func(f *fakeCluster) {
			f.answers["get --filename=-"] = `{"kind": "Service", "metadata": {"name": "loki", "namespace": "observability", "labels": {"app.kubernetes.io/managed-by": "lgtm-lab"}}}`
		}, nil, nil, false},
		"others' pods": {func(f *fakeCluster) {
			f.answers["get pods,deployments,statefulsets,daemonsets --namespace=app"] = `{"kind": "List", "items": [{"kind": "Pod", "metadata": {"name": "shop"}}]}`
		}, nil, []string{"namespace app has workloads that are not the lab's: Pod/shop", "another namespace"}, false},
		"no default class": {func(f *fakeCluster) { f.answers["get storageclasses"] = storageClassOf("slow", false) }, nil, []string{"no storage class is the cluster's default", "STORAGE_CLASS", "There are slow."}, false},
		"named class": {func(f *fakeCluster) {
			f.answers["get storageclasses"] = storageClassOf("slow", false)
		}, func(o *Options) {
			o.Settings = map[string]string{"STORAGE_CLASS": "slow"}
		}, nil, false},
		"no such class": {nil, func(o *Options) { o.Settings = map[string]string{"STORAGE_CLASS": "fast"} }, []string{"no storage class fast"}, false},
		"no secret": {nil, func(o *Options) {
			o.Settings = map[string]string{"IDENTITY_PROVIDER_URL": "https://login.example.com"}
		}, []string{"no Secret grafana-auth in the namespace observability", "create secret generic grafana-auth"}, false},
		"quota": {func(f *fakeCluster) {
			f.answers["get resourcequotas --namespace=observability"] = quotaOf(`"requests.memory": "2Gi", "pods": "50"`, `"requests.memory": "1536Mi"`)
		}, nil, []string{"quota team of the namespace observability has 512Mi of requests.memory left", "--size"}, false},
		"quota of limits": {func(f *fakeCluster) {
			f.answers["get resourcequotas --namespace=app"] = quotaOf(`"limits.cpu": "4"`, ``)
		}, nil, []string{"limit of CPU"}, true},
		"quota that fits": {func(f *fakeCluster) {
			f.answers["get resourcequotas --namespace=app"] = quotaOf(`"memory": "4Gi", "cpu": "4", "requests.storage": "1Ti"`, ``)
		}, nil, nil, false},
		"small nodes": {func(f *fakeCluster) { f.answers["get nodes"] = nodeOf("200m", "1Gi") }, nil, []string{"1Gi of memory", "200m of cpu"}, true},
		"cordoned nodes": {func(f *fakeCluster) {
			f.answers["get nodes"] = `{"kind": "Node", "spec": {"unschedulable": true}, "status": {"allocatable": {"cpu": "9", "memory": "99Gi"}}}`
		}, nil, []string{"0 of memory"}, true},
		"another store": {func(f *fakeCluster) {
			f.answers["get namespace observability"] = `{"lgtm-lab/settings": "{\"OBJECT_STORE_ENDPOINT\": \"s3.example.com\"}"}`
		}, func(o *Options) {
			o.Settings = map[string]string{"LAB_KUBELET_VERIFY": "false"}
		}, []string{`OBJECT_STORE_ENDPOINT was "s3.example.com" and is to be ""`}, true},
		"may not look": {func(f *fakeCluster) {
			f.errs["get nodes"], f.errs["get storageclasses"] = forbidden, forbidden
		}, nil, nil, false},
		"a broken look": {func(f *fakeCluster) { f.errs["get nodes"] = errors.New("timeout") }, nil, []string{"looking at the nodes: timeout"}, false},
	} {
		t.Run(name, func(t *testing.T) {
			for _, nevertheless := range []bool{false, true} {
				if nevertheless && !test.likely {
					continue
				}
				f, o := newCluster(), Options{Images: ownImages(), NoPreflight: nevertheless}
				if test.cluster != nil {
					test.cluster(f)
				}
				planned := usual
				if test.options != nil {
					test.options(&o)
					planned = plan{}
				}
				lab, said := newTarget(t, f, o)
				err := lookAt(t.Context(), lab, planned)
				if len(test.want) == 0 || nevertheless {
					if err != nil {
						t.Errorf("%v\n%s", err, said)
					}
					continue
				}
				if err == nil {
					t.Fatal("nothing is in the way")
				}
				for _, want := range test.want {
					if !strings.Contains(err.Error(), want) {
						t.Errorf("%v\ndoes not say %q", err, want)
					}
				}
				if strings.Contains(err.Error(), "--no-preflight") != test.likely {
					t.Errorf("%v\n--no-preflight: want %v", err, test.likely)
				}
			}
		})
	}
	f := newCluster()
	f.denied["create services -n app"] = true
	lab, _ = newTarget(t, f, Options{Images: ownImages()})
	if _, err := lab.Up(t.Context()); err == nil || len(f.changed()) > 0 {
		t.Errorf("Up: %v, and it has done %q", err, f.changed())
	}
}

// lookAt looks as Up does; at this plan, if it has manifests already, because they take a
// second to make.
func lookAt(ctx context.Context, lab *Target, planned plan) error {
	if planned.manifests == nil {
		_, _, err := lab.look(ctx)
		return err
	}
	w, err := lab.connect(ctx)
	if err != nil {
		return err
	}
	version, err := serverVersion(ctx, w)
	if err != nil {
		return err
	}
	return lab.preflight(ctx, w, planned, version)
}

func quotaOf(hard, used string) string {
	return fmt.Sprintf(`{"kind": "ResourceQuota", "metadata": {"name": "team"}, "status": {"hard": {%s}, "used": {%s}}}`, hard, used)
}
