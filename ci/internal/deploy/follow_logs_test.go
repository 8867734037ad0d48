package deploy

import (
	"context"
	"io"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// replacing is a cluster in which a pod takes the place of another while it is followed.
type replacing struct {
	mu    sync.Mutex
	state []string // answers of `get`, the last for ever
	asked []string // the pods whose logs were followed
	enter chan string
}

func (r *replacing) Kubectl(_ context.Context, _ io.Reader, _ ...string) ([]byte, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	answer := r.state[0]
	if len(r.state) > 1 {
		r.state = r.state[1:]
	}
	return []byte(answer), nil
}

func (r *replacing) KubectlTo(ctx context.Context, w io.Writer, _ io.Reader, args ...string) error {
	pod := args[1]
	r.mu.Lock()
	r.asked = append(r.asked, strings.Join(args, " "))
	r.mu.Unlock()
	_, err := io.WriteString(w, "line of "+pod+"\n")
	r.enter <- pod
	<-ctx.Done()
	return err
}

func TestLogsFollowThePodThatComesNext(t *testing.T) {
	before := recorded(t, "ready.json")
	s, err := parseState([]byte(before))
	if err != nil {
		t.Fatal(err)
	}
	i := slices.IndexFunc(s.workloads, func(w Workload) bool { return w.Name == "backend" })
	old := s.workloads[i].Pods[0].Name
	k := &replacing{state: []string{before, before, strings.ReplaceAll(before, old, "backend-next")}, enter: make(chan string, 9)}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	ended := make(chan error, 1)
	go func() { ended <- followLogs(ctx, k, io.Discard, s.workloads[i].Ref, time.Millisecond) }()
	if first, next := <-k.enter, <-k.enter; first != old || next != "backend-next" {
		t.Errorf("followed %s, then %s; want %s, then backend-next", first, next, old)
	}
	cancel()
	if err := <-ended; err != nil {
		t.Errorf("followLogs that is interrupted = %v", err)
	}
	if len(k.asked) != 2 || !strings.HasSuffix(k.asked[0], "--follow") {
		t.Errorf("asked for %q; want each pod once", k.asked)
	}
}
