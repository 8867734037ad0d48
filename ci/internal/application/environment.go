package application

import (
	"cmp"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/lgtm-lab/lgtm-lab/ci/internal/runid"
)

// Protocols are OTLP's protocols, as OTEL_EXPORTER_OTLP_PROTOCOL names them; the default
// is the first.
func Protocols() []string { return []string{"http/protobuf", "grpc", "http/json"} }

// Telemetry says where an application is to send its telemetry, and as whom.
type Telemetry struct {
	// HTTP and GRPC are the base URLs at which OTLP is received.
	HTTP, GRPC string
	// TLS are the files of the certificate that a receiver at an https address wants; empty
	// for another.
	TLS TLSFiles
	// Protocol is one of [Protocols]; "" leaves the choice to the user's environment.
	Protocol string
	// Service is the service's name; "" leaves the name to the user's environment, and
	// to DefaultService.
	Service string
	// DefaultService is the service's name if nothing else gives one.
	DefaultService string
	// RunID is the value of [runid.Attribute].
	RunID string
	// Interval is how often metrics are sent.
	Interval time.Duration
}

// TLSFiles are the paths of a client's certificate and its key, and of the authority's
// certificate.
type TLSFiles struct{ Certificate, Key, Authority string }

// batchDelay is how long an SDK collects spans and log lines before it sends them. The
// SDKs' own default is 5 s for spans, which is long for a person who watches.
const batchDelay = 500 * time.Millisecond

// signals are the signals' names in the OTEL_* variables, and the paths of OTLP over HTTP.
var signals = []struct{ variable, name, path string }{
	{"TRACES", "traces", "/v1/traces"},
	{"METRICS", "metrics", "/v1/metrics"},
	{"LOGS", "logs", "/v1/logs"},
}

// Environment returns the user's environment with the OTEL_* variables that the user has
// not set. The run id is added to the user's own resource attributes. Variables that Dagger
// has set are not the user's.
func (t Telemetry) Environment(user []string) []string {
	e := environment(withoutDagger(slices.Clone(user)))
	attributes, _ := e.get("OTEL_RESOURCE_ATTRIBUTES")
	if t.Service != "" {
		e.set("OTEL_SERVICE_NAME", t.Service)
	} else if !hasAttribute(attributes, "service.name") {
		e.setDefault("OTEL_SERVICE_NAME", t.DefaultService)
	}
	e.set("OTEL_RESOURCE_ATTRIBUTES", withRunID(attributes, t.RunID))

	if t.Protocol != "" {
		e.set("OTEL_EXPORTER_OTLP_PROTOCOL", t.Protocol)
	}
	e.setDefault("OTEL_EXPORTER_OTLP_PROTOCOL", Protocols()[0])
	protocol, _ := e.get("OTEL_EXPORTER_OTLP_PROTOCOL")
	if _, own := e.get("OTEL_EXPORTER_OTLP_ENDPOINT"); !own {
		e.set("OTEL_EXPORTER_OTLP_ENDPOINT", t.endpoint(protocol))
		if t.TLS != (TLSFiles{}) {
			e.setDefault("OTEL_EXPORTER_OTLP_CERTIFICATE", t.TLS.Authority)
			e.setDefault("OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE", t.TLS.Certificate)
			e.setDefault("OTEL_EXPORTER_OTLP_CLIENT_KEY", t.TLS.Key)
		}
		for _, s := range signals { // a signal may have a protocol of its own
			prefix := "OTEL_EXPORTER_OTLP_" + s.variable
			if other, ok := e.get(prefix + "_PROTOCOL"); ok && t.endpoint(other) != t.endpoint(protocol) {
				path := s.path
				if other == "grpc" {
					path = ""
				}
				e.setDefault(prefix+"_ENDPOINT", t.endpoint(other)+path)
			}
		}
	}
	for _, s := range signals {
		e.setDefault("OTEL_"+s.variable+"_EXPORTER", "otlp")
	}
	delay := milliseconds(batchDelay)
	e.setDefault("OTEL_BSP_SCHEDULE_DELAY", delay)
	e.setDefault("OTEL_BLRP_SCHEDULE_DELAY", delay)
	if _, own := e.get("OTEL_METRIC_EXPORT_INTERVAL"); !own {
		interval := milliseconds(cmp.Or(t.Interval, time.Second))
		e.set("OTEL_METRIC_EXPORT_INTERVAL", interval)
		// Node's SDK refuses a time limit that is longer than the interval.
		e.setDefault("OTEL_METRIC_EXPORT_TIMEOUT", interval)
	}
	return e
}

func (t Telemetry) endpoint(protocol string) string {
	if protocol == "grpc" {
		return t.GRPC
	}
	return t.HTTP
}

// ServiceName returns the service's name that an application with this environment has.
func ServiceName(env []string) string {
	e := environment(env)
	if name, ok := e.get("OTEL_SERVICE_NAME"); ok {
		return name
	}
	attributes, _ := e.get("OTEL_RESOURCE_ATTRIBUTES")
	for attribute := range strings.SplitSeq(attributes, ",") {
		if key, value, ok := strings.Cut(attribute, "="); ok && strings.TrimSpace(key) == "service.name" {
			if plain, err := url.PathUnescape(strings.TrimSpace(value)); err == nil {
				return plain
			}
		}
	}
	return ""
}

// Diverted says, a sentence for each, which variables of the environment keep telemetry
// from getting to t.
func (t Telemetry) Diverted(env []string) []string {
	e := environment(env)
	var said []string
	if off, _ := e.get("OTEL_SDK_DISABLED"); strings.EqualFold(off, "true") {
		said = append(said, "OTEL_SDK_DISABLED is true: the SDK sends nothing.")
	}
	if sampler, _ := e.get("OTEL_TRACES_SAMPLER"); sampler != "" && !strings.HasSuffix(sampler, "always_on") {
		said = append(said, fmt.Sprintf("OTEL_TRACES_SAMPLER is %s: the SDK leaves traces out.", sampler))
	}
	if to, _ := e.get("OTEL_EXPORTER_OTLP_ENDPOINT"); t.isElsewhere(to) {
		said = append(said, fmt.Sprintf("OTEL_EXPORTER_OTLP_ENDPOINT is %s: telemetry goes there, not to the lab.", to))
	}
	for _, s := range signals {
		variable := "OTEL_" + s.variable + "_EXPORTER"
		if exporter, ok := e.get(variable); ok && !slices.Contains(strings.Split(exporter, ","), "otlp") {
			said = append(said, fmt.Sprintf("%s is %s: %s do not go out over OTLP.", variable, exporter, s.name))
		}
		variable = "OTEL_EXPORTER_OTLP_" + s.variable + "_ENDPOINT"
		if to, _ := e.get(variable); t.isElsewhere(to) {
			said = append(said, fmt.Sprintf("%s is %s: %s go there, not to the lab.", variable, to, s.name))
		}
	}
	return said
}

// isElsewhere tells whether an endpoint is none of t's.
func (t Telemetry) isElsewhere(endpoint string) bool {
	if endpoint == "" {
		return false
	}
	host := func(text string) string {
		if !strings.Contains(text, "://") {
			text = "http://" + text
		}
		u, err := url.Parse(text)
		if err != nil {
			return text
		}
		return strings.Replace(u.Host, "localhost", "127.0.0.1", 1)
	}
	return host(endpoint) != host(t.HTTP) && host(endpoint) != host(t.GRPC)
}

func hasAttribute(attributes, key string) bool {
	return slices.ContainsFunc(strings.Split(attributes, ","), func(pair string) bool {
		name, _, _ := strings.Cut(pair, "=")
		return strings.TrimSpace(name) == key
	})
}

// withRunID adds the run id, in the place of one that an outer run has set.
func withRunID(attributes, id string) string {
	var kept []string
	for pair := range strings.SplitSeq(attributes, ",") {
		if strings.TrimSpace(pair) != "" && !hasAttribute(pair, runid.Attribute) {
			kept = append(kept, pair)
		}
	}
	return strings.Join(append(kept, runid.Attribute+"="+id), ",")
}

func milliseconds(d time.Duration) string { return strconv.FormatInt(d.Milliseconds(), 10) }

// environment is a list of NAME=value.
type environment []string

// get returns the variable's value. The standard says that an empty variable is one that
// is not set.
func (e environment) get(name string) (string, bool) {
	for _, pair := range slices.Backward(e) {
		if key, value, _ := strings.Cut(pair, "="); key == name {
			return value, value != ""
		}
	}
	return "", false
}

func (e *environment) set(name, value string) {
	*e = slices.DeleteFunc(*e, func(pair string) bool { return strings.HasPrefix(pair, name+"=") })
	*e = append(*e, name+"="+value)
}

func (e *environment) setDefault(name, value string) {
	if _, own := e.get(name); !own {
		e.set(name, value)
	}
}
