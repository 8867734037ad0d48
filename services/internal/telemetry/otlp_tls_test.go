package telemetry

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/lgtm-lab/lgtm-lab/services/internal/mutualtls/mutualtlstest"
)

// strictListener accepts connections of clients with a certificate of its authority alone,
// and says of all others why it does not.
type strictListener struct {
	net.Listener
	config  *tls.Config
	refused chan error
}

func newStrictListener(t *testing.T, a *mutualtlstest.Authority, protocol string) strictListener {
	t.Helper()
	own := a.Issue(t)
	pair, err := tls.LoadX509KeyPair(own.Certificate, own.Key)
	if err != nil {
		t.Fatal(err)
	}
	clients := x509.NewCertPool()
	clients.AddCert(a.Certificate)
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
	ours, others := mutualtlstest.NewAuthority(t), mutualtlstest.NewAuthority(t)
	own, strange := ours.Issue(t), others.Issue(t)
	for protocol, serve := range protocols {
		for _, c := range []struct {
			name                        string
			authority, certificate, key string
			taken                       bool
		}{
			{"with a certificate", ours.File, own.Certificate, own.Key, true},
			{"without a certificate", ours.File, "", "", false},
			{"with a certificate of another authority", ours.File, strange.Certificate, strange.Key, false},
			{"to a receiver of another authority", others.File, own.Certificate, own.Key, false},
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

// The exporters follow the files of their certificate: one that the receiver refuses is
// replaced while they run, and then they are served.
func TestExportersFollowTheirFiles(t *testing.T) {
	ours, others := mutualtlstest.NewAuthority(t), mutualtlstest.NewAuthority(t)
	for protocol, serve := range protocols {
		t.Run(protocol, func(t *testing.T) {
			files := others.Issue(t)
			t.Setenv("OTEL_EXPORTER_OTLP_CERTIFICATE", ours.File)
			t.Setenv("OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE", files.Certificate)
			t.Setenv("OTEL_EXPORTER_OTLP_CLIENT_KEY", files.Key)
			b, ln := newBusyReceiver(0), newStrictListener(t, ours, protocol)
			serve(b, t, ln)
			setExporters(t, "otlp", protocol, "https://"+ln.Addr().String())
			tel, err := Start(t.Context(), Config{ServiceName: "test", Stdout: io.Discard})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = tel.Shutdown(context.Background()) })
			recordEarly(t, tel)
			select {
			case err := <-ln.refused:
				t.Log(err)
			case <-time.After(time.Minute):
				t.Fatal("nobody was refused")
			}
			ours.IssueTo(t, files, time.Now().Add(-time.Hour), 2*time.Hour)
			b.waitUntilTaken(t)
		})
	}
}

// A service whose exporters cannot have their certificate does not start.
func TestExportersWithoutTheirFiles(t *testing.T) {
	files := mutualtlstest.NewAuthority(t).Issue(t)
	t.Setenv("OTEL_EXPORTER_OTLP_CERTIFICATE", files.Authority)
	t.Setenv("OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE", files.Certificate+"x")
	t.Setenv("OTEL_EXPORTER_OTLP_CLIENT_KEY", files.Key)
	setExporters(t, "otlp", "http/protobuf", "https://127.0.0.1:1")
	if _, err := Start(t.Context(), Config{ServiceName: "test", Stdout: io.Discard}); err == nil || !strings.Contains(err.Error(), "_CLIENT_CERTIFICATE") {
		t.Errorf("it starts: %v", err)
	}
}
