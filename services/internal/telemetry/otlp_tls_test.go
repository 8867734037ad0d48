package telemetry

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"io"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// authority is a certificate authority of a test.
type authority struct {
	certificate *x509.Certificate
	key         *ecdsa.PrivateKey
	file        string // of its certificate
}

func newAuthority(t *testing.T) *authority {
	t.Helper()
	a := &authority{}
	a.file, _, a.certificate, a.key = certificate(t, nil, x509.Certificate{
		Subject: pkix.Name{CommonName: "an authority"}, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	})
	return a
}

// issue makes a certificate for 127.0.0.1, and returns its files.
func (a *authority) issue(t *testing.T) (certFile, keyFile string) {
	t.Helper()
	certFile, keyFile, _, _ = certificate(t, a, x509.Certificate{
		Subject: pkix.Name{CommonName: "a service"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, KeyUsage: x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	})
	return certFile, keyFile
}

// certificate makes a certificate that the authority signs, or, if it is nil, that signs
// itself.
func certificate(t *testing.T, by *authority, template x509.Certificate) (certFile, keyFile string, made *x509.Certificate, key *ecdsa.PrivateKey) {
	t.Helper()
	check := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	check(err)
	template.SerialNumber, err = rand.Int(rand.Reader, big.NewInt(1<<62))
	check(err)
	template.NotBefore, template.NotAfter = time.Now().Add(-time.Hour), time.Now().Add(time.Hour)
	if by == nil {
		by = &authority{certificate: &template, key: key}
	}
	der, err := x509.CreateCertificate(rand.Reader, &template, by.certificate, &key.PublicKey, by.key)
	check(err)
	made, err = x509.ParseCertificate(der)
	check(err)
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	check(err)
	dir := t.TempDir()
	certFile, keyFile = filepath.Join(dir, "tls.crt"), filepath.Join(dir, "tls.key")
	check(os.WriteFile(certFile, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600))
	check(os.WriteFile(keyFile, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret}), 0o600))
	return certFile, keyFile, made, key
}

// strictListener accepts connections of clients with a certificate of its authority alone,
// and says of all others why it does not.
type strictListener struct {
	net.Listener
	config  *tls.Config
	refused chan error
}

func newStrictListener(t *testing.T, a *authority, protocol string) strictListener {
	t.Helper()
	pair, err := tls.LoadX509KeyPair(a.issue(t))
	if err != nil {
		t.Fatal(err)
	}
	clients := x509.NewCertPool()
	clients.AddCert(a.certificate)
	application := map[string]string{"grpc": "h2", "http/protobuf": "http/1.1"}[protocol]
	return strictListener{Listener: listen(t, "127.0.0.1:0"), refused: make(chan error, 1), config: &tls.Config{
		MinVersion: tls.VersionTLS13, Certificates: []tls.Certificate{pair}, NextProtos: []string{application},
		ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: clients,
	}}
}

// Accept implements [net.Listener].
func (l strictListener) Accept() (net.Conn, error) {
	for {
		plain, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		conn := tls.Server(plain, l.config)
		err = conn.Handshake()
		if err == nil {
			return conn, nil
		}
		_ = plain.Close()
		select {
		case l.refused <- err:
		default:
		}
	}
}

// The exporters speak TLS with the certificates that the SDK's own variables name, over
// both protocols. A receiver that wants a client's certificate gets nothing without one,
// and a receiver of another authority gets nothing at all.
func TestMutualTLS(t *testing.T) {
	ours, others := newAuthority(t), newAuthority(t)
	certFile, keyFile := ours.issue(t)
	strangeCert, strangeKey := others.issue(t)
	for protocol, serve := range protocols {
		for _, c := range []struct {
			name                        string
			authority, certificate, key string
			taken                       bool
		}{
			{"with a certificate", ours.file, certFile, keyFile, true},
			{"without a certificate", ours.file, "", "", false},
			{"with a certificate of another authority", ours.file, strangeCert, strangeKey, false},
			{"to a receiver of another authority", others.file, certFile, keyFile, false},
		} {
			t.Run(protocol+" "+c.name, func(t *testing.T) {
				t.Setenv("OTEL_EXPORTER_OTLP_CERTIFICATE", c.authority)
				t.Setenv("OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE", c.certificate)
				t.Setenv("OTEL_EXPORTER_OTLP_CLIENT_KEY", c.key)
				b, ln := newBusyReceiver(0), newStrictListener(t, ours, protocol)
				serve(b, t, ln)
				if c.taken {
					exportTo(t, "otlp", protocol, "https://"+ln.Addr().String())
					b.waitUntilTaken(t)
					return
				}
				setExporters(t, "otlp", protocol, "https://"+ln.Addr().String())
				tel, err := Start(t.Context(), Config{ServiceName: "test", Stdout: io.Discard})
				if err != nil {
					t.Fatal(err)
				}
				recordEarly(t, tel)
				defer func() { // at once, for no retry would help
					ended, end := context.WithCancel(t.Context())
					end()
					_ = tel.Shutdown(ended)
				}()
				select {
				case err := <-ln.refused:
					t.Log(err)
				case <-time.After(time.Minute):
					t.Fatal("nobody was refused")
				}
				b.mu.Lock()
				defer b.mu.Unlock()
				if len(b.asked) != 0 {
					t.Errorf("the receiver was asked to take %v", b.asked)
				}
			})
		}
	}
}
