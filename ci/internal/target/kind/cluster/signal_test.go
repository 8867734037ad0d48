package cluster

import (
	"errors"
	"io"
	"strings"
	"testing"
)

// A signal goes to the containers of the one pod, on its node.
func TestSignal(t *testing.T) {
	f := newFake()
	f.status[node] = "running"
	var asked []string
	f.inNode = func(_ io.Reader, line string) (string, error) {
		asked = append(asked, line)
		if strings.HasSuffix(line, "SIGKILL") {
			return "", errors.New("exit status 1")
		}
		return "", nil
	}
	c := f.cluster(t, nil)
	if err := c.Signal(t.Context(), node, "observability", "tempo-0", "SIGSTOP"); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`"io.cri-containerd.kind"==container`, `pod.namespace"=="observability"`, `pod.name"=="tempo-0" SIGSTOP`} {
		if len(asked) != 1 || !strings.Contains(asked[0], want) {
			t.Errorf("the node was asked %q, want %s", asked, want)
		}
	}
	if err := c.Signal(t.Context(), node, "observability", "tempo-0", "SIGKILL"); err == nil || !strings.Contains(err.Error(), "SIGKILL to the pod tempo-0") {
		t.Errorf("a pod that does not run: %v", err)
	}
	if err := c.Signal(t.Context(), "n9", "observability", "tempo-0", "SIGKILL"); err == nil || !strings.Contains(err.Error(), "no node n9") {
		t.Errorf("a node that is not there: %v", err)
	}
}
