package httpx

import (
	"crypto/tls"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/lgtm-lab/lgtm-lab/services/internal/mutualtls"
	"github.com/lgtm-lab/lgtm-lab/services/internal/mutualtls/mutualtlstest"
)

// identity opens a certificate's files.
func identity(t *testing.T, f mutualtls.Files) *mutualtls.Identity {
	t.Helper()
	id, err := mutualtls.Open(f)
	if err != nil {
		t.Fatal(err)
	}
	return id
}

// ask sends a GET, and returns the serial number of the server's certificate.
func ask(client *http.Client, url string) (serial string, err error) {
	res, err := client.Get(url)
	if err != nil {
		return "", err
	}
	defer res.Body.Close()
	return res.TLS.PeerCertificates[0].SerialNumber.String(), nil
}

func clientWith(config *tls.Config) *http.Client {
	return &http.Client{Timeout: time.Minute, Transport: &http.Transport{TLSClientConfig: config, DisableKeepAlives: true}}
}

// Every listener of a service that has an identity refuses a client without a certificate,
// and one of another authority.
func TestClientsWithoutCertificateAreRefused(t *testing.T) {
	ours := mutualtlstest.NewAuthority(t)
	own := identity(t, ours.Issue(t))
	t.Run("service", func(t *testing.T) {
		l := newHarness(t, RouterConfig{})
		l.Probe("GET /health", Health)
		server := runServer(t, l, ServerConfig{TLS: own.Server()})
		ours.CheckGuarded(t, "https://"+server.addr+"/health")
	})
	t.Run("profiles", func(t *testing.T) {
		addr := mutualtlstest.FreeAddress(t)
		if err := ServeProfiles(t.Context(), addr, own.Server()); err != nil {
			t.Fatal(err)
		}
		ours.CheckGuarded(t, "https://"+addr+"/debug/pprof/")
	})
}

// Certificates that live a minute are renewed under requests: over connections that stay
// and over new ones, at both ends. None fails.
func TestRenewalFailsNoRequest(t *testing.T) {
	ours := mutualtlstest.NewAuthority(t)
	serverFiles, clientFiles := ours.Issue(t), ours.Issue(t)
	var ahead atomic.Int64 // the clock of both ends, which moves only here
	began := time.Now()
	now := func() time.Time { return began.Add(time.Duration(ahead.Load())) }
	renew := func() {
		for _, f := range []mutualtls.Files{serverFiles, clientFiles} {
			ours.IssueTo(t, f, now().Add(-time.Second), time.Minute)
		}
	}
	renew()
	serverConfig, clientConfig := identity(t, serverFiles).Server(), identity(t, clientFiles).Client()
	serverConfig.Time, clientConfig.Time = now, now

	l := newHarness(t, RouterConfig{})
	l.Handle("GET /things", func(w http.ResponseWriter, _ *http.Request) error { return WriteJSON(w, http.StatusOK, "thing") })
	server := runServer(t, l, ServerConfig{TLS: serverConfig})
	url := "https://" + server.addr + "/things"
	kept := &http.Client{Timeout: time.Minute, Transport: &http.Transport{TLSClientConfig: clientConfig}}
	defer kept.CloseIdleConnections()
	first, err := ask(kept, url)
	if err != nil {
		t.Fatal(err)
	}
	serials := map[string]bool{}
	const renewals = 5
	for range renewals {
		renew()
		for range 3 {
			ahead.Add(int64(19 * time.Second))
			if _, err := ask(kept, url); err != nil {
				t.Errorf("over a connection that stays: %v", err)
			}
			serial, err := ask(clientWith(clientConfig), url)
			if err != nil {
				t.Errorf("over a new connection: %v", err)
			}
			serials[serial] = true
		}
	}
	if serials[first] || len(serials) != renewals {
		t.Errorf("%d renewals made %d serial numbers; the first is among them: %v", renewals, len(serials), serials[first])
	}
	// The test can fail: without a renewal the certificate ends.
	ahead.Add(int64(2 * time.Hour))
	if _, err := ask(clientWith(clientConfig), url); err == nil {
		t.Error("a certificate that has ended is accepted")
	}
}

// The listener for probes serves those, without TLS, and nothing else.
func TestServeProbes(t *testing.T) {
	ready := NewReadiness(nil)
	if err := ServeProbes(t.Context(), "", ready); err != nil {
		t.Errorf("without an address: %v", err)
	}
	addr := mutualtlstest.FreeAddress(t)
	if err := ServeProbes(t.Context(), addr, ready); err != nil {
		t.Fatal(err)
	}
	status := func(path string) int {
		t.Helper()
		res, err := http.Get("http://" + addr + path)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		return res.StatusCode
	}
	for path, want := range map[string]int{"/health": 200, "/ready": 200, "/": 404, "/users": 404, "/debug/pprof/": 404} {
		if have := status(path); have != want {
			t.Errorf("%s = %d, want %d", path, have, want)
		}
	}
	ready.Drain()
	if have := status("/ready"); have != http.StatusServiceUnavailable {
		t.Errorf("/ready of a service that stops = %d", have)
	}
	if err := ServeProbes(t.Context(), addr, ready); err == nil || !strings.Contains(err.Error(), "HEALTH_ADDR") {
		t.Errorf("on a port that is taken: %v", err)
	}
}
