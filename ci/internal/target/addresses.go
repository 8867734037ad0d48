package target

import (
	"crypto/tls"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// Names of the lab's components, in the order in which data flows through them.
const (
	Frontend = "frontend"
	Backend  = "backend"
	Alloy    = "alloy"
	Loki     = "loki"
	Tempo    = "tempo"
	Mimir    = "mimir"
	Grafana  = "grafana"
	// Inspector is the lab's own program that shows traces as pages and, with --inspect,
	// keeps the facts of what services send.
	Inspector = "inspector"
)

// StackComponents are the components whose programs other projects make.
func StackComponents() []string { return []string{Loki, Tempo, Mimir, Alloy, Grafana} }

// All are the names of all components.
func All() []string { return []string{Frontend, Backend, Alloy, Loki, Tempo, Mimir, Grafana} }

// Addresses holds the base URLs of the lab's components, without a trailing
// slash. An empty URL means that this target has no such component.
type Addresses struct {
	// Name is "local", or "kind" in a cluster of any kind, because a pod sees no
	// difference.
	Name     string `json:"name"`
	Frontend string `json:"frontend"`
	Backend  string `json:"backend"`
	Alloy    string `json:"alloy"`
	Loki     string `json:"loki"`
	Tempo    string `json:"tempo"`
	Mimir    string `json:"mimir"`
	Grafana  string `json:"grafana,omitempty"`
	// OTLPHTTP and OTLPGRPC are where Alloy receives OTLP, as OTEL_EXPORTER_OTLP_ENDPOINT
	// takes them.
	OTLPHTTP string `json:"otlp_http"`
	OTLPGRPC string `json:"otlp_grpc"`
	// Inspector runs where Grafana does not, and with --inspect.
	Inspector string `json:"inspector,omitempty"`
	// TLS are the settings of a client of a closed lab, whose components want a client's
	// certificate; nil elsewhere.
	TLS *tls.Config `json:"-"`
	// Application are the files of the certificate of an application that sends to a closed
	// lab; empty elsewhere.
	Application TLSFiles `json:"-"`
}

// TLSFiles are the paths of a client's certificate and its key, and of the authority's
// certificate.
type TLSFiles struct{ Certificate, Key, Authority string }

// OverTLS returns the addresses of this machine's components with https, and by the name
// localhost: a client that names a server by its IP address sends no name in its TLS
// greeting, and Loki, Tempo and Mimir answer such a client with the certificate that they had
// at their start, renewed or not.
func (g Addresses) OverTLS() Addresses {
	for _, url := range []*string{&g.Frontend, &g.Backend, &g.Alloy, &g.Loki, &g.Tempo, &g.Mimir, &g.Grafana, &g.OTLPHTTP, &g.OTLPGRPC, &g.Inspector} {
		*url = strings.Replace(*url, "http://127.0.0.1:", "https://localhost:", 1)
	}
	return g
}

// Transport returns a transport of its own to the components, as Go's default one, with
// the certificate of a closed lab.
func (g Addresses) Transport() *http.Transport {
	t := http.DefaultTransport.(*http.Transport).Clone()
	if g.TLS != nil {
		t.TLSClientConfig = g.TLS.Clone()
	}
	return t
}

// Client returns a client of the components. An answer may take that long.
func (g Addresses) Client(timeout time.Duration) *http.Client {
	c := &http.Client{Timeout: timeout}
	if g.TLS != nil { // else the connections of the default one are shared
		c.Transport = g.Transport()
	}
	return c
}

// InCluster tells whether the addresses are those of Services in a cluster, so that
// checks may look at pods.
func (g Addresses) InCluster() bool { return g.Name != Local }

// URL returns the base URL of the named component, or "" when there is none.
func (g Addresses) URL(component string) string {
	switch component {
	case Frontend:
		return g.Frontend
	case Backend:
		return g.Backend
	case Alloy:
		return g.Alloy
	case Loki:
		return g.Loki
	case Tempo:
		return g.Tempo
	case Mimir:
		return g.Mimir
	case Grafana:
		return g.Grafana
	case Inspector:
		return g.Inspector
	}
	return ""
}

// TraceURL returns the address at which a person can look at a trace, with
// {trace_id} in the place of its id: Grafana's Explore where Grafana runs, else the
// inspector's page, else Tempo's own answer in JSON.
func (g Addresses) TraceURL() string {
	switch {
	case g.Grafana != "":
	case g.Inspector != "":
		return g.Inspector + "/trace/{trace_id}"
	default:
		return g.Tempo + "/api/v2/traces/{trace_id}"
	}
	// The format of Explore's address: schemaVersion 1 with one pane; a TraceQL
	// query that is a bare trace id opens that trace.
	pane := `{"lab":{"datasource":"tempo","queries":[{"refId":"A","datasource":{"type":"tempo","uid":"tempo"},` +
		`"queryType":"traceql","query":"{trace_id}"}],"range":{"from":"now-1h","to":"now"}}}`
	escaped := strings.ReplaceAll(url.QueryEscape(pane), url.QueryEscape("{trace_id}"), "{trace_id}")
	return g.Grafana + "/explore?schemaVersion=1&orgId=1&panes=" + escaped
}
