package certificates

import (
	"crypto/tls"
	"io"
	"log"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/lgtm-lab/lgtm-lab/ci/internal/labdir"
)

// config returns the settings of a component or client.
func config(t *testing.T, folder labdir.Folder, name string) *tls.Config {
	t.Helper()
	c, err := Of(folder.Path, name).Config()
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// serve serves as the inspector, and returns its URL.
func serve(t *testing.T, folder labdir.Folder) string {
	t.Helper()
	listener, err := tls.Listen("tcp", "127.0.0.1:0", config(t, folder, "inspector"))
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{
		Handler: http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}), ReadHeaderTimeout: time.Minute,
		ErrorLog: log.New(io.Discard, "", 0), // it would name each client that it refuses
	}
	go func() { _ = server.Serve(listener) }()
	t.Cleanup(func() { _ = server.Close() })
	return "https://" + listener.Addr().String()
}

// get asks once, over a connection of its own, and returns the serial number of the server.
func get(t *testing.T, url string, c *tls.Config) (serial string, err error) {
	t.Helper()
	client := &http.Client{Timeout: time.Minute, Transport: &http.Transport{TLSClientConfig: c, DisableKeepAlives: true}}
	res, err := client.Get(url)
	if err != nil {
		return "", err
	}
	defer res.Body.Close()
	return res.TLS.PeerCertificates[0].SerialNumber.String(), nil
}

// A server refuses clients without a certificate of its authority, and a client refuses
// servers without one.
func TestConfig(t *testing.T) {
	ours, others := labFolder(t), labFolder(t)
	mustMake(t, ours, Options{})
	mustMake(t, others, Options{})
	url := serve(t, ours)
	for _, name := range []string{Client, Application, "loki"} {
		if _, err := get(t, url, config(t, ours, name)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	without := config(t, ours, Client)
	without.GetClientCertificate = nil
	stranger := config(t, ours, Client)
	stranger.GetClientCertificate = config(t, others, Client).GetClientCertificate
	for name, c := range map[string]*tls.Config{
		"without a certificate": without, "with one of another authority": stranger, "of another authority": config(t, others, Client),
	} {
		if _, err := get(t, url, c); err == nil {
			t.Errorf("a client %s is served", name)
		}
	}
}

// A certificate that is renewed is used for the next connection, at both ends.
func TestConfigReadsAnew(t *testing.T) {
	folder := labFolder(t)
	mustMake(t, folder, Options{})
	url, client := serve(t, folder), config(t, folder, Client)
	before, err := get(t, url, client)
	if err != nil {
		t.Fatal(err)
	}
	mustMake(t, folder, Options{Renew: All})
	after, err := get(t, url, client)
	if err != nil || after == before {
		t.Errorf("the server still has the serial number %s (%s before), %v", after, before, err)
	}
	presented, err := client.GetClientCertificate(nil)
	if err != nil || presented.Leaf.SerialNumber.Cmp(leaf(t, folder, Client).SerialNumber) != 0 {
		t.Errorf("the client presents %v, %v", presented.Leaf.SerialNumber, err)
	}
}

// A certificate that has ended is named, with what to do.
func TestConfigOfAnEndedCertificate(t *testing.T) {
	folder := labFolder(t)
	mustMake(t, folder, Options{Names: []string{"lab.example.com"}})
	before := contents(t, folder)
	reissue(t, folder, "loki", 4*time.Minute+30*time.Second)
	reissue(t, folder, Client, 4*time.Minute+30*time.Second)
	if _, err := Of(folder.Path, Client).Config(); err == nil || !strings.Contains(err.Error(), "certificates --renew") {
		t.Errorf("= %v", err)
	}
	mustMake(t, folder, Options{})
	config(t, folder, Client)
	if err := leaf(t, folder, "loki").VerifyHostname("lab.example.com"); err != nil {
		t.Errorf("the next one lacks a name: %v", err)
	}
	if contents(t, folder)["loki/tls.key"] != before["loki/tls.key"] {
		t.Error("the next one has another key")
	}
}
