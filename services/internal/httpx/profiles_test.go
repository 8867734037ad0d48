package httpx

import (
	"context"
	"net"
	"net/http"
	"strings"
	"testing"
)

func TestServeProfiles(t *testing.T) {
	if err := ServeProfiles(t.Context(), "", nil); err != nil {
		t.Errorf("without an address: %v", err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := listener.Addr().String()
	if err := ServeProfiles(t.Context(), addr, nil); err == nil || !strings.Contains(err.Error(), "PPROF_ADDR") {
		t.Errorf("on a port that is taken: %v, want an error with PPROF_ADDR", err)
	}
	listener.Close()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	if err := ServeProfiles(ctx, addr, nil); err != nil {
		t.Fatal(err)
	}
	res, err := http.Get("http://" + addr + "/debug/pprof/goroutine?debug=1")
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	if res.StatusCode != http.StatusOK {
		t.Errorf("the profile answers %s", res.Status)
	}
}
