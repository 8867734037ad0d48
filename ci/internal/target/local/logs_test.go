package local

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/lgtm-lab/lgtm-lab/ci/internal/labdir"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/target"
)

// printed is what a command writes while a test reads it.
type printed struct {
	mu   sync.Mutex
	text strings.Builder
}

func (p *printed) Write(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.text.Write(b)
}

func (p *printed) String() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.text.String()
}

// A component that is replaced begins a log of its own, and Logs goes on with that.
func TestLogsFollow(t *testing.T) {
	l := Open(Config{Dir: filepath.Join(t.TempDir(), "lab")})
	if _, err := labdir.Claim(l.cfg.Dir); err != nil {
		t.Fatal(err)
	}
	log := l.layout.log("loki")
	write(t, log, "the first\n")
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var out printed
	ended := make(chan error, 1)
	go func() { ended <- l.Logs(ctx, &out, "loki", true) }()
	want := ""
	shows := func(text string) {
		t.Helper()
		want += text
		if _, err := waitFor(t, func() (string, error) {
			if s := out.String(); s != want {
				return s, errors.New("not yet")
			}
			return want, nil
		}); err != nil {
			t.Fatalf("printed: %q, want %q", out.String(), want)
		}
	}
	shows("the first\n")
	f, err := os.OpenFile(log, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	add := func(text string) {
		t.Helper()
		if _, err := f.WriteString(text); err != nil {
			t.Fatal(err)
		}
	}
	add("goes on\n")
	shows("goes on\n")
	// What startOne does.
	if err := os.Rename(log, log+".old"); err != nil {
		t.Fatal(err)
	}
	add("ends\n")
	write(t, log, "the second\n")
	shows("ends\nthe second\n")
	// What Reset does.
	if err := os.RemoveAll(l.layout.logs()); err != nil {
		t.Fatal(err)
	}
	write(t, log, "the third\n")
	shows("the third\n")
	cancel()
	if err := <-ended; err != nil {
		t.Errorf("Logs() = %v", err)
	}
}

func TestLogs(t *testing.T) {
	l := Open(Config{Dir: t.TempDir()})
	var out printed
	if err := l.Logs(t.Context(), &out, "lokki", false); !errors.Is(err, target.ErrUnknownComponent) {
		t.Errorf("Logs() of a misspelled component = %v", err)
	}
	if err := l.Logs(t.Context(), &out, "loki", true); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("Logs() of a lab that was never up = %v", err)
	}
	write(t, l.layout.log("loki"), "a line\n")
	if err := l.Logs(t.Context(), &out, "loki", false); err != nil || out.String() != "a line\n" {
		t.Errorf("Logs() = %v, printed %q", err, out.String())
	}
}
