// Package mutualtlstest makes authorities and certificates for tests.
package mutualtlstest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/lgtm-lab/lgtm-lab/services/internal/mutualtls"
)

// Authority is a certificate authority of a test.
type Authority struct {
	// Certificate is its own certificate, and File is where it is.
	Certificate *x509.Certificate
	File        string
	key         *ecdsa.PrivateKey
}

// NewAuthority makes an authority that is valid from ten years ago to ten years ahead, for
// tests with clocks of their own.
func NewAuthority(t *testing.T) *Authority {
	t.Helper()
	a := &Authority{File: filepath.Join(t.TempDir(), "ca.crt")}
	var der []byte
	der, a.key = sign(t, nil, x509.Certificate{
		Subject: pkix.Name{CommonName: "an authority"}, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
		NotBefore: time.Now().AddDate(-10, 0, 0), NotAfter: time.Now().AddDate(10, 0, 0),
	})
	var err error
	if a.Certificate, err = x509.ParseCertificate(der); err != nil {
		t.Fatal(err)
	}
	write(t, a.File, "CERTIFICATE", der)
	return a
}

// Issue makes a certificate for localhost and 127.0.0.1 that is valid from an hour ago for two hours.
func (a *Authority) Issue(t *testing.T) mutualtls.Files {
	t.Helper()
	dir := t.TempDir()
	f := mutualtls.Files{Certificate: filepath.Join(dir, "tls.crt"), Key: filepath.Join(dir, "tls.key"), Authority: a.File}
	a.IssueTo(t, f, time.Now().Add(-time.Hour), 2*time.Hour)
	return f
}

// IssueTo replaces the certificate and the key in the files, each in one step, by new ones
// that are valid from then on for some time.
func (a *Authority) IssueTo(t *testing.T, f mutualtls.Files, from time.Time, valid time.Duration) {
	t.Helper()
	der, key := sign(t, a, x509.Certificate{
		Subject: pkix.Name{CommonName: "a service"}, DNSNames: []string{"localhost"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
		NotBefore: from, NotAfter: from.Add(valid),
	})
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	write(t, f.Key, "PRIVATE KEY", secret)
	write(t, f.Certificate, "CERTIFICATE", der)
}

// sign makes a key, and a certificate that the authority signs, or, if it is nil, that
// signs itself.
func sign(t *testing.T, by *Authority, template x509.Certificate) (der []byte, key *ecdsa.PrivateKey) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	if by == nil {
		by = &Authority{Certificate: &template, key: key}
	}
	der, err = x509.CreateCertificate(rand.Reader, &template, by.Certificate, &key.PublicKey, by.key)
	if err != nil {
		t.Fatal(err)
	}
	return der, key
}

// write replaces a file by one with a single block.
func write(t *testing.T, file, kind string, der []byte) {
	t.Helper()
	err := os.WriteFile(file+".new", pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600)
	if err == nil {
		err = os.Rename(file+".new", file)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// CheckGuarded checks that the listener of an https URL serves a client with a certificate
// of the authority, and refuses a client without one, one of another authority, and one
// without TLS.
func (a *Authority) CheckGuarded(t *testing.T, url string) {
	t.Helper()
	own := open(t, a.Issue(t))
	if err := ask(own, url); err != nil {
		t.Errorf("%s with a certificate: %v", url, err)
	}
	without := own.Clone()
	without.GetClientCertificate = nil
	strange := own.Clone()
	strange.GetClientCertificate = open(t, NewAuthority(t).Issue(t)).GetClientCertificate
	for name, config := range map[string]*tls.Config{"without a certificate": without, "with one of another authority": strange} {
		if err := ask(config, url); err == nil || !strings.Contains(err.Error(), "tls: ") {
			t.Errorf("%s %s: %v, want an error of TLS", url, name, err)
		}
	}
	res, err := http.Get("http" + strings.TrimPrefix(url, "https"))
	if err != nil {
		return
	}
	_ = res.Body.Close()
	if res.StatusCode != http.StatusBadRequest {
		t.Errorf("%s without TLS: %s", url, res.Status)
	}
}

// open returns the settings of a client with the certificate.
func open(t *testing.T, f mutualtls.Files) *tls.Config {
	t.Helper()
	id, err := mutualtls.Open(f)
	if err != nil {
		t.Fatal(err)
	}
	return id.Client()
}

// ask sends a GET over a connection of its own.
func ask(config *tls.Config, url string) error {
	client := &http.Client{Timeout: time.Minute, Transport: &http.Transport{TLSClientConfig: config, DisableKeepAlives: true}}
	res, err := client.Get(url)
	if err != nil {
		return err
	}
	return res.Body.Close()
}

// FreeAddress is an address of this machine that nobody listens on.
func FreeAddress(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = listener.Close() }()
	return listener.Addr().String()
}

// Environment are the variables that give a service the certificate.
func Environment(f mutualtls.Files) map[string]string {
	return map[string]string{"TLS_CERT_FILE": f.Certificate, "TLS_KEY_FILE": f.Key, "TLS_CA_FILE": f.Authority}
}
