package deploy

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// fakeKubectl answers a command line by the first rule with which the line begins, and
// records all lines.
type fakeKubectl struct {
	mu    sync.Mutex
	rules []rule
	calls []call
}

type rule struct {
	begins string
	// answers are given one after another; the last is repeated.
	answers []string
	err     error
	// then is called before the answer; it may be nil.
	then func()
}

type call struct{ line, stdin string }

func (f *fakeKubectl) Kubectl(ctx context.Context, stdin io.Reader, args ...string) ([]byte, error) {
	var out bytes.Buffer
	err := f.KubectlTo(ctx, &out, stdin, args...)
	return out.Bytes(), err
}

func (f *fakeKubectl) KubectlTo(ctx context.Context, w io.Writer, stdin io.Reader, args ...string) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	f.mu.Lock()
	line := strings.Join(args, " ")
	c := call{line: line}
	if stdin != nil {
		raw, _ := io.ReadAll(stdin)
		c.stdin = string(raw)
	}
	f.calls = append(f.calls, c)
	for i := range f.rules {
		r := &f.rules[i]
		if !strings.HasPrefix(line, r.begins) {
			continue
		}
		answer := ""
		if len(r.answers) > 0 {
			answer = r.answers[0]
			if len(r.answers) > 1 {
				r.answers = r.answers[1:]
			}
		}
		then, err := r.then, r.err
		f.mu.Unlock()
		if then != nil {
			then()
		}
		if _, werr := io.WriteString(w, answer); werr != nil {
			return werr
		}
		return err
	}
	f.mu.Unlock()
	return fmt.Errorf("kubectl %s: the fake does not know this command", line)
}

// called returns the calls whose command line begins with the text.
func (f *fakeKubectl) called(begins string) []call {
	f.mu.Lock()
	defer f.mu.Unlock()
	var found []call
	for _, c := range f.calls {
		if strings.HasPrefix(c.line, begins) {
			found = append(found, c)
		}
	}
	return found
}

// recorded reads the recorded output of kubectl about a real cluster.
func recorded(t *testing.T, name string) string {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

// recordedState reads the recorded state of a real cluster, with its events.
func recordedState(t *testing.T, name string) clusterState {
	t.Helper()
	s, err := parseState([]byte(recorded(t, name+".json")))
	if err != nil {
		t.Fatal(err)
	}
	if s.events, err = parseEvents([]byte(recorded(t, name+"-events.json"))); err != nil {
		t.Fatal(err)
	}
	return s
}

var (
	frontend = Ref{"Deployment", "app", "frontend"}
	backend  = Ref{"Deployment", "app", "backend"}
	errTest  = errors.New("a test's error")
)
