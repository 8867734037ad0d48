package kind

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/lgtm-lab/lgtm-lab/ci/internal/target"
)

// harmed is a cluster with the lab's backend and frontend, and an application of somebody
// else's. It records what is done to it.
type harmed struct {
	mu    sync.Mutex
	did   []string
	owned string // the lab's workloads, as kubectl prints them
	nodes string // the cluster's nodes, as kubectl prints them
	jobs  string // pods of Jobs
}

const (
	backendOf  = `{"kind":"Deployment","metadata":{"name":"backend","namespace":"app","annotations":{%s}},"spec":{"replicas":%d,"selector":{"matchLabels":{"app":"backend"}}}}`
	frontendOf = `{"kind":"Deployment","metadata":{"name":"frontend","namespace":"app","annotations":{}},"spec":{"replicas":2,"selector":{"matchLabels":{"app":"frontend"}}}}`
	podsOf     = `{"items":[
		{"metadata":{"name":"backend-1","namespace":"app","labels":{"app":"backend"}},"spec":{"nodeName":"n1"}},
		{"metadata":{"name":"backend-old","namespace":"app","labels":{"app":"backend"},"deletionTimestamp":"2026-01-02T03:04:05Z"},"spec":{"nodeName":"n1"}},
		{"metadata":{"name":"backend-pending","namespace":"app","labels":{"app":"backend"}},"spec":{}},
		{"metadata":{"name":"frontend-1","namespace":"app","labels":{"app":"frontend"}},"spec":{"nodeName":"n1"}},
		{"metadata":{"name":"frontend-2","namespace":"app","labels":{"app":"frontend"}},"spec":{"nodeName":"n2"}},
		{"metadata":{"name":"shop-1","namespace":"app","labels":{"app":"shop"}},"spec":{"nodeName":"n1"}}]}`
)

// backend is the lab's backend with so many pods and such a note.
func backend(replicas int, note string) string {
	if note != "" {
		note = fmt.Sprintf("%q:%q", replicasNote, note)
	}
	return fmt.Sprintf(backendOf, note, replicas)
}

func (h *harmed) Kubectl(_ context.Context, _ io.Reader, args ...string) ([]byte, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	line := strings.Join(args, " ")
	switch {
	case strings.HasPrefix(line, "get deployments.apps,statefulsets.apps") && strings.Contains(line, "--selector=app.kubernetes.io/managed-by=lgtm-lab"):
		return []byte(`{"items":[` + h.owned + `]}`), nil
	case strings.HasPrefix(line, "get pods"):
		return []byte(strings.Replace(podsOf, "[", "["+h.jobs, 1)), nil
	case strings.HasPrefix(line, "get nodes"):
		return []byte(`{"items":[` + h.nodes + `]}`), nil
	}
	h.did = append(h.did, line)
	return nil, nil
}

func (h *harmed) KubectlTo(ctx context.Context, w io.Writer, stdin io.Reader, args ...string) error {
	out, err := h.Kubectl(ctx, stdin, args...)
	_, _ = io.Copy(w, bytes.NewReader(out))
	return err
}

func (h *harmed) breaker() breaker {
	return breaker{h, func(_ context.Context, node, namespace, pod, signal string) error {
		h.mu.Lock()
		defer h.mu.Unlock()
		h.did = append(h.did, fmt.Sprintf("%s %s/%s on %s", signal, namespace, pod, node))
		return nil
	}}
}

// Each kind of harm does what it says to the named components' pods, and to no others.
func TestHarm(t *testing.T) {
	ended := []string{
		"annotate Deployment backend --namespace=app --overwrite lgtm-lab/replicas=1",
		"scale Deployment backend --namespace=app --replicas=0",
	}
	const gone = "wait pods --for=delete --namespace=app --selector=app=backend --timeout=1m30s"
	started := []string{"scale Deployment backend --namespace=app --replicas=3", "annotate Deployment backend --namespace=app lgtm-lab/replicas-"}
	thawed := []string{"SIGCONT app/backend-1 on n1"}
	for name, test := range map[string]struct {
		owned string
		harm  func(breaker) error
		want  []string
	}{
		"kill": {backend(1, ""), func(b breaker) error { return b.kill(t.Context(), []string{"backend"}) },
			slices.Concat([]string{"SIGSTOP app/backend-1 on n1"}, ended, []string{"SIGKILL app/backend-1 on n1", gone})},
		"terminate":                {backend(1, ""), func(b breaker) error { return b.terminate(t.Context(), []string{"backend"}) }, append(slices.Clone(ended), gone)},
		"terminate again":          {backend(0, "3"), func(b breaker) error { return b.terminate(t.Context(), []string{"backend"}) }, []string{gone}},
		"freeze":                   {backend(1, ""), func(b breaker) error { return b.signalNamed(t.Context(), "SIGSTOP", []string{"backend"}) }, []string{"SIGSTOP app/backend-1 on n1"}},
		"mend a lab that is well":  {backend(1, ""), mended(t, 1), thawed},
		"mend what was ended":      {backend(0, "3"), mended(t, 1), slices.Concat(thawed, started)},
		"mend what up has started": {backend(1, "3"), mended(t, 1), slices.Concat(thawed, started[1:])},
	} {
		t.Run(name, func(t *testing.T) {
			h := &harmed{owned: test.owned}
			if err := test.harm(h.breaker()); err != nil {
				t.Fatal(err)
			}
			if !slices.Equal(h.did, test.want) {
				t.Errorf("did\n%s\nwant\n%s", strings.Join(h.did, "\n"), strings.Join(test.want, "\n"))
			}
		})
	}
	h := &harmed{owned: backend(1, "") + "," + frontendOf}
	if err := h.breaker().kill(t.Context(), []string{"backend", "shop"}); !errors.Is(err, target.ErrUnknownComponent) || len(h.did) > 0 {
		t.Errorf("an application of somebody else's: %v, did %v", err, h.did)
	}
	if err := h.breaker().signalNamed(t.Context(), "SIGSTOP", []string{"frontend"}); err != nil || len(h.did) != 2 {
		t.Errorf("a component with two pods: %v, did %v", err, h.did)
	}
}

// mended mends, and expects so many workloads to wait for.
func mended(t *testing.T, workloads int) func(breaker) error {
	return func(b breaker) error {
		found, err := b.mend(t.Context())
		if err == nil && len(found) != workloads {
			err = fmt.Errorf("waits for %v", found)
		}
		return err
	}
}
