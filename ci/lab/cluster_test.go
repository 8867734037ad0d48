package main

import (
	"context"
	"io"
	"net"
	"strings"
	"testing"
	"time"
)

// A port that is taken ends forward, which has opened another one before.
func TestForwardPortTaken(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	s := kindSite{&env{stderr: io.Discard}, "lab"}
	err = s.forwardAll(ctx, "127.0.0.1", "127.0.0.1", []route{
		{name: "frontend"}, {name: "grafana", here: taken.Addr().(*net.TCPAddr).Port},
	})
	if err == nil || !strings.Contains(err.Error(), "grafana=PORT takes another port") || ctx.Err() != nil {
		t.Errorf("forwardAll = %v, after the time was up: %v", err, ctx.Err() != nil)
	}
}
