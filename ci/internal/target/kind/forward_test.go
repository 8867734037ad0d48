package kind

import (
	"context"
	"net"
	"strings"
	"testing"
	"time"
)

// forward ends when one of its ports is taken, although it has opened another before.
func TestForwardPortTaken(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	s := &Target{o: Options{Say: func(string) {}}}
	err = s.forward(ctx, "127.0.0.1", "127.0.0.1", []Route{
		{name: "frontend"}, {name: "grafana", here: taken.Addr().(*net.TCPAddr).Port},
	}, []int{1, 2})
	if err == nil || !strings.Contains(err.Error(), "grafana=PORT takes another port") || ctx.Err() != nil {
		t.Errorf("forward = %v, after the time was up: %v", err, ctx.Err() != nil)
	}
}
