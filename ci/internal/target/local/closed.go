package local

import (
	"context"
	"maps"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/lgtm-lab/lgtm-lab/ci/internal/certificates"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/target"
)

// withoutGrafana says why a closed lab has no Grafana: it asks nobody for a certificate, and
// shows all telemetry to whoever reaches it.
const withoutGrafana = "a closed lab leaves Grafana out, which asks nobody for a certificate; the inspector's pages show traces"

// isClosed tells whether the lab's connections are mutual TLS, by the notes of when it was
// brought up.
func (s *State) isClosed() bool { return strings.HasPrefix(s.Addresses.Loki, "https://") }

// wantsClosed tells whether the lab is to be closed. Without a wish a lab stays what it was:
// nobody opens one by leaving a flag out.
func (l *Lab) wantsClosed(state *State) bool {
	if l.cfg.Closed != nil {
		return *l.cfg.Closed
	}
	return state.isClosed()
}

// programs are those of the stack, without Grafana in a closed lab.
func (l *Lab) programs(ctx context.Context, closed bool) (map[string]Program, error) {
	all, err := l.cfg.Programs(ctx)
	if _, ok := all[target.Grafana]; err != nil || !ok || !closed {
		return all, err
	}
	l.cfg.Progress(withoutGrafana)
	all = maps.Clone(all)
	delete(all, target.Grafana)
	return all, nil
}

// certify makes the certificates of a closed lab that are not there, and renews those that
// are due.
func (l *Lab) certify() error {
	made, err := certificates.Make(l.folder, certificates.Options{Renew: certificates.Due})
	if err == nil && made.Authority.Issued {
		l.cfg.Progress("made an authority and certificates: " + made.Path)
	}
	return err
}

// reached returns the addresses with what a client of them needs.
func (l *Lab) reached(state *State) (target.Addresses, error) {
	at := state.Addresses
	if !state.isClosed() {
		return at, nil
	}
	at.Application = target.TLSFiles(certificates.Of(l.layout.dir, certificates.Application))
	var err error
	at.TLS, err = certificates.Of(l.layout.dir, certificates.Client).Config()
	return at, err
}

// client returns a client that asks the process. The certificate that a closed lab wants is
// in the lab's folder, in which the process runs.
func (p Process) client(timeout time.Duration) (*http.Client, error) {
	if !strings.HasPrefix(p.Ready, "https://") {
		return &http.Client{Timeout: timeout}, nil
	}
	config, err := certificates.Of(p.Dir, certificates.Client).Config()
	if err != nil {
		return nil, err
	}
	t := target.Addresses{TLS: config}.Transport()
	t.DisableKeepAlives = true // a client is for one question
	return &http.Client{Transport: t, Timeout: timeout}, nil
}

// tlsEnvironment are the variables with which a component of a closed lab serves and asks
// with its certificate; the configuration files and the services know the same ones.
func (l layout) tlsEnvironment(name string) []string {
	f := l.certificate(name)
	return []string{
		"TLS_CERT_FILE=" + f.Certificate, "TLS_KEY_FILE=" + f.Key, "TLS_CA_FILE=" + f.Authority,
		"TLS_ENABLED=true", "TLS_CLIENT_AUTH=RequireAndVerifyClientCert", "TLS_SERVER_NAME=" + name, "LAB_SCHEME=https",
	}
}

// certificate are the files of the component's certificate, as seen from the lab's folder.
func (l layout) certificate(name string) certificates.Files {
	f := certificates.Of(l.dir, name)
	return certificates.Files{Certificate: l.relative(f.Certificate), Key: l.relative(f.Key), Authority: l.relative(f.Authority)}
}

// authority is the file of the authority's certificate that the component trusts.
func (l layout) authority(name string) string { return certificates.Of(l.dir, name).Authority }

// exporterEnvironment are the standard variables of a service whose collector wants its
// certificate.
func (l layout) exporterEnvironment(name string) []string {
	f := l.certificate(name)
	return []string{
		"OTEL_EXPORTER_OTLP_CERTIFICATE=" + f.Authority,
		"OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE=" + f.Certificate, "OTEL_EXPORTER_OTLP_CLIENT_KEY=" + f.Key,
	}
}

// closedComponent adds to the spec of a component what it needs in a closed lab.
func (p plan) closedComponent(s spec) spec {
	s.env = append(s.env, p.layout.tlsEnvironment(s.name)...)
	f := p.layout.certificate(s.name)
	switch s.name {
	case target.Tempo:
		s.env = append(s.env, "TEMPO_OTLP_TLS={cert_file: "+f.Certificate+", key_file: "+f.Key+", client_ca_file: "+f.Authority+", reload_interval: 1s}")
	case target.Inspector:
		s.args = append(s.args, "--tls-cert="+f.Certificate, "--tls-key="+f.Key, "--tls-ca="+f.Authority)
	case target.Backend, target.Frontend:
		s.env = append(s.env, p.layout.exporterEnvironment(s.name)...)
	}
	return s
}

// host is where a component asks another, as name:port.
func (p plan) host(port int) string {
	if p.closed {
		return net.JoinHostPort("localhost", strconv.Itoa(port)) // see target.Addresses.OverTLS
	}
	return target.Loopback(port)
}

// url is the base URL at which a component asks another.
func (p plan) url(port int) string {
	if p.closed {
		return "https://" + p.host(port)
	}
	return "http://" + p.host(port)
}
