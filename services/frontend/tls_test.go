package main

import (
	"crypto/tls"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/lgtm-lab/lgtm-lab/services/internal/mutualtls"
	"github.com/lgtm-lab/lgtm-lab/services/internal/mutualtls/mutualtlstest"
)

// tlsBackend is a backend that answers a user to clients with a certificate of its authority.
func tlsBackend(t *testing.T, a *mutualtlstest.Authority) string {
	t.Helper()
	id, err := mutualtls.Open(a.Issue(t))
	if err != nil {
		t.Fatal(err)
	}
	backend := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write([]byte(`{"id":1,"name":"Ada Lovelace","email":"ada@example.com"}`))
	}))
	backend.Listener = tls.NewListener(backend.Listener, id.Server())
	backend.Start()
	t.Cleanup(backend.Close)
	return "https" + strings.TrimPrefix(backend.URL, "http")
}

// Every listener of the frontend wants a client's certificate but for that of the probes;
// and the frontend presents its own to the backend, which must be of the same authority.
func TestMutualTLS(t *testing.T) {
	ours, others := mutualtlstest.NewAuthority(t), mutualtlstest.NewAuthority(t)
	own := ours.Issue(t)
	id, err := mutualtls.Open(own)
	if err != nil {
		t.Fatal(err)
	}
	client := &http.Client{Timeout: time.Minute, Transport: &http.Transport{TLSClientConfig: id.Client()}}
	defer client.CloseIdleConnections()
	for name, test := range map[string]struct {
		backend string
		want    int
	}{
		"its backend":                    {tlsBackend(t, ours), http.StatusOK},
		"a backend of another authority": {tlsBackend(t, others), http.StatusBadGateway},
	} {
		t.Run(name, func(t *testing.T) {
			profiles, probes := mutualtlstest.FreeAddress(t), mutualtlstest.FreeAddress(t)
			env := map[string]string{"LISTEN_ADDR": "127.0.0.1:0", "BACKEND_URL": test.backend, "PPROF_ADDR": profiles, "HEALTH_ADDR": probes}
			maps.Copy(env, mutualtlstest.Environment(own))
			base, _, _ := startFrontend(t, env)
			base = "https" + strings.TrimPrefix(base, "http")
			ours.CheckGuarded(t, base+"/health")
			ours.CheckGuarded(t, "https://"+profiles+"/debug/pprof/")
			res, err := client.Get(base + "/api/users/1")
			if err != nil {
				t.Fatal(err)
			}
			res.Body.Close()
			if res.StatusCode != test.want {
				t.Errorf("a user: %s, want %d", res.Status, test.want)
			}
			res, err = http.Get("http://" + probes + "/ready")
			if err != nil {
				t.Fatal(err)
			}
			res.Body.Close()
			if res.StatusCode != http.StatusOK {
				t.Errorf("the probe: %s", res.Status)
			}
		})
	}
}
