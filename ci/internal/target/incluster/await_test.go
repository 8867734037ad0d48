package incluster

import (
	"context"
	"errors"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/lgtm-lab/lgtm-lab/ci/internal/target"
)

// address returns an address of this machine on which no program listens.
func address(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// await waits for a component that refuses connections at first.
func TestAwaitUntilLetIn(t *testing.T) {
	loki := address(t)
	go func() {
		time.Sleep(300 * time.Millisecond)
		l, err := net.Listen("tcp", loki)
		if err != nil {
			t.Error(err)
			return
		}
		t.Cleanup(func() { _ = l.Close() })
	}()
	at := target.Addresses{Name: target.Kind, Loki: "http://" + loki}
	if err := await(t.Context(), at, []string{target.Loki, target.Grafana}, 20*time.Second); err != nil {
		t.Errorf("await = %v", err)
	}
}

func TestAwaitGivesUp(t *testing.T) {
	at := target.Addresses{Name: target.Kind, Tempo: "http://" + address(t)}
	err := await(t.Context(), at, []string{target.Tempo}, 300*time.Millisecond)
	if !errors.Is(err, target.ErrUnreachable) || !strings.Contains(err.Error(), "tempo at "+at.Tempo[len("http://"):]) || !strings.Contains(err.Error(), "refused") {
		t.Errorf("await = %v, want an error that names tempo and the reason", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := await(ctx, at, []string{target.Tempo}, time.Minute); !errors.Is(err, context.Canceled) {
		t.Errorf("await that is interrupted = %v", err)
	}
}
