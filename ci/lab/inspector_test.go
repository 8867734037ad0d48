package main

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/lgtm-lab/lgtm-lab/ci/internal/inspector"
)

// The inspector serves pages, keeps no facts unless asked to, and ends when it is told to.
func TestInspector(t *testing.T) {
	for _, c := range []struct {
		facts bool
		want  error
	}{{false, inspector.ErrOff}, {true, inspector.ErrNoFacts}} {
		free, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		address := free.Addr().String()
		free.Close()
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		e := &env{stdout: io.Discard, stderr: io.Discard}
		go func() {
			ended <- e.inspector(ctx, inspectorFlags{listen: address, tempo: "http://127.0.0.1:1", loki: "http://127.0.0.1:1", alloy: "http://127.0.0.1:1", facts: c.facts})
		}()
		url := "http://" + address
		for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(10 * time.Millisecond) {
			if resp, err := http.Get(url + "/ready"); err == nil {
				resp.Body.Close()
				break
			}
			if time.Now().After(deadline) {
				t.Fatal("it is not ready")
			}
		}
		if _, err := (inspector.Client{URL: url}).Facts(t.Context(), "shop", ""); !errors.Is(err, c.want) {
			t.Errorf("facts %v: %v, want %v", c.facts, err, c.want)
		}
		resp, err := http.Get(url + "/trace/" + strings.Repeat("ab", 16))
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != http.StatusBadGateway {
			t.Errorf("a trace without Tempo: %s", resp.Status)
		}
		stop()
		if err := <-ended; err != nil {
			t.Errorf("it ended with %v", err)
		}
	}
}
