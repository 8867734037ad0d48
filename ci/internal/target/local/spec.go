package local

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"net"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"runtime"
	"strconv"
	"strings"

	"github.com/lgtm-lab/lgtm-lab/ci/internal/forward"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/labdir"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/retention"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/sampling"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/target"
)

// order is the order in which components start: a store before the components that
// write to it. They stop in the reverse order, so that each can still hand on what it
// holds: the services their telemetry to Alloy, Tempo its span metrics to Mimir.
var order = []string{
	target.Loki, target.Mimir, target.Tempo, target.Grafana,
	target.Inspector, target.Alloy, target.Backend, target.Frontend,
}

// A spec is all that is needed to start one component.
type spec struct {
	name string
	path string
	args []string
	env  []string
	dir  string
	// built is the file that will be at path once the service is installed; ""
	// for the programs of the stack.
	built string
	ready string
	// ports are the TCP ports that the component listens on; they must be free
	// before it starts.
	ports []int
	// receives are those of the ports that must accept connections, too, before the
	// component counts as ready: Alloy's page says that Alloy is ready some time before
	// its receivers listen.
	receives    []int
	fingerprint string
}

// Program is a program and what to put before its arguments.
type Program struct {
	Path string
	Args []string
	// Home is Grafana's --homepath; "" for the others.
	Home string
	// built is the service's program before it is installed at Path.
	built string
}

// plan has everything that specs are made of.
type plan struct {
	layout    layout
	folder    labdir.Folder
	ports     target.Ports
	addresses target.Addresses
	programs  map[string]Program
	inspect   bool
	forward   forward.Endpoint
	faults    bool
	closed    bool // every connection is mutual TLS
	origins   []string
	listen    string // the address that components listen on
	// databaseURL is the backend's PostgreSQL database; "" is its SQLite file.
	databaseURL string
	// retention is how long the three backends keep data.
	retention retention.Periods
	// sampling is which traces are kept.
	sampling sampling.Traces
}

// specs returns every component of the lab in start order. Grafana is among
// them only when its program is there.
func (p plan) specs() ([]spec, error) {
	if err := p.checkGrafana(); err != nil {
		return nil, err
	}
	var specs []spec
	for _, name := range order {
		program, ok := p.programs[name]
		if !ok {
			continue
		}
		s := p.spec(name, program)
		s.name, s.path, s.built, s.dir = name, program.Path, program.built, p.layout.dir
		if p.closed {
			s = p.closedComponent(s)
		}
		s.args = append(append([]string{}, program.Args...), s.args...)
		s.env = append(append(s.env, "LAB_LISTEN="+p.listen), p.retention.Environment()...)
		s.env = append(s.env, ownership(p.folder, name, program.Path)...)
		if name != target.Grafana { // whose plugins' sockets may not have long paths
			temp := p.layout.relative(p.layout.temp(name))
			s.env = append(s.env, "TMPDIR="+temp, "TMP="+temp, "TEMP="+temp) // the last two on Windows
		}
		files, err := p.layout.reads(name)
		if err != nil {
			return nil, err
		}
		if p.closed { // which is read at the start; the certificate is not
			files = append(files, p.layout.authority(name))
		}
		if s.fingerprint, err = s.sum(files); err != nil {
			return nil, err
		}
		specs = append(specs, s)
	}
	return specs, nil
}

// spec returns what is the component's own. Paths are relative to the lab's folder, in
// which each component runs: configuration files have them in places where a space, a
// # or a backslash of the folder's own name would be something else than a letter.
func (p plan) spec(name string, program Program) spec {
	base := p.addresses.URL(name)
	config := p.layout.relative(p.layout.configOf(name))
	data := p.layout.relative(p.layout.data(name))
	switch name {
	case target.Loki:
		return spec{
			args: []string{"-config.expand-env=true", "-config.file=" + config},
			env: []string{"LOKI_DATA=" + data, port("LOKI_HTTP_PORT", p.ports.Loki),
				port("LOKI_GRPC_PORT", p.ports.LokiGRPC), "GOMEMLIMIT=400MiB"},
			ready: base + "/ready", ports: []int{p.ports.Loki, p.ports.LokiGRPC},
		}
	case target.Tempo:
		s := spec{
			args: []string{"-config.expand-env=true", "-config.file=" + config},
			env: []string{"TEMPO_DATA=" + data, port("TEMPO_HTTP_PORT", p.ports.Tempo),
				port("TEMPO_GRPC_PORT", p.ports.TempoGRPC), port("TEMPO_OTLP_PORT", p.ports.TempoOTLP),
				"MIMIR_URL=" + p.addresses.Mimir, "GOMEMLIMIT=600MiB"},
			ready: base + "/ready", ports: []int{p.ports.Tempo, p.ports.TempoGRPC, p.ports.TempoOTLP},
		}
		s.env = append(s.env, p.sampling.Environment()...)
		return s
	case target.Mimir:
		return spec{
			args: []string{"-config.expand-env=true", "-config.file=" + config},
			env: []string{"MIMIR_DATA=" + data, port("MIMIR_HTTP_PORT", p.ports.Mimir),
				port("MIMIR_GRPC_PORT", p.ports.MimirGRPC), "LAB_RULES=" + p.layout.relative(p.layout.rules()), "GOMEMLIMIT=400MiB"},
			ready: base + "/ready", ports: []int{p.ports.Mimir, p.ports.MimirGRPC},
		}
	case target.Alloy:
		return p.alloy(base, config, data)
	case target.Grafana:
		return p.grafana(base, program)
	case target.Inspector:
		return p.inspector(base)
	case target.Backend:
		return spec{
			env: append(otel("grpc", p.addresses.OTLPGRPC), append(p.layout.databases(p.databaseURL),
				"LISTEN_ADDR="+p.at(p.ports.Backend), "LAB_FAULTS="+strconv.FormatBool(p.faults))...),
			ready: base + "/ready", ports: []int{p.ports.Backend},
		}
	default: // the frontend
		return spec{
			env: append(otel("http/protobuf", p.addresses.OTLPHTTP),
				"LISTEN_ADDR="+p.at(p.ports.Frontend), "BACKEND_URL="+p.addresses.Backend,
				"LAB_TRACE_URL="+p.addresses.TraceURL(), "LAB_FAULTS="+strconv.FormatBool(p.faults), "PUBLIC_ENDPOINT=false"),
			ready: base + "/ready", ports: []int{p.ports.Frontend},
		}
	}
}

// at is where a component listens, as address:port.
func (p plan) at(port int) string { return net.JoinHostPort(p.listen, strconv.Itoa(port)) }

func (p plan) alloy(base, config, data string) spec {
	copies := "off"
	if p.inspect {
		copies = "inspector"
	}
	s := spec{
		args: []string{"run", path.Dir(config), "--stability.level=experimental", "--disable-reporting",
			"--server.http.listen-addr=" + p.at(p.ports.Alloy), "--storage.path=" + data + "/storage"},
		env: []string{
			port("ALLOY_OTLP_GRPC_PORT", p.ports.AlloyOTLPGRPC), port("ALLOY_OTLP_HTTP_PORT", p.ports.AlloyOTLPHTTP),
			"LAB_QUEUE_DIR=" + data + "/queue", "TEMPO_OTLP_URL=" + p.url(p.ports.TempoOTLP),
			"LOKI_URL=" + p.addresses.Loki, "MIMIR_URL=" + p.addresses.Mimir, "ALLOY_ADDR=" + p.host(p.ports.Alloy),
			"LOKI_ADDR=" + p.host(p.ports.Loki), "TEMPO_ADDR=" + p.host(p.ports.Tempo),
			"MIMIR_ADDR=" + p.host(p.ports.Mimir), "LAB_CORS_ORIGINS=" + strings.Join(p.origins, ","), "GOMEMLIMIT=400MiB",
			"LAB_INSPECTOR_COPY=" + copies, "INSPECTOR_URL=" + p.addresses.Inspector,
		},
		ready: base + "/-/ready", ports: []int{p.ports.Alloy, p.ports.AlloyOTLPGRPC, p.ports.AlloyOTLPHTTP},
		receives: []int{p.ports.AlloyOTLPGRPC, p.ports.AlloyOTLPHTTP},
	}
	s.env = append(append(s.env, p.forward.Environment()...), "LAB_FORWARD_SECRETS="+p.layout.relative(p.layout.secrets()))
	s.env = append(s.env, p.sampling.Environment()...)
	if p.inspect {
		// Memory for CPU: the copy would cost Alloy 12 % of its CPU, half of it the garbage
		// collector's. See docs/score.md.
		s.env = append(s.env, "GOGC=250")
	}
	return s
}

func (p plan) inspector(base string) spec {
	args := []string{"--listen=" + p.at(p.ports.Inspector), "--tempo=" + p.addresses.Tempo, "--loki=" + p.addresses.Loki}
	if p.inspect {
		args = append(args, "--facts", "--alloy="+p.addresses.Alloy)
	}
	return spec{args: args, env: []string{"GOMEMLIMIT=200MiB"}, ready: base + "/ready", ports: []int{p.ports.Inspector}}
}

// grafana lets whoever reaches it look and explore without a login. It takes relative paths for those below its own
// --homepath, so that these are absolute; see checkGrafana.
func (p plan) grafana(base string, program Program) spec {
	data := p.layout.data(target.Grafana)
	return spec{
		args: []string{"server", "--homepath", program.Home, "cfg:default.paths.data=" + filepath.Join(data, "data"),
			"cfg:default.paths.logs=" + filepath.Join(data, "logs")},
		env: []string{
			"GF_SERVER_HTTP_ADDR=" + p.listen, port("GF_SERVER_HTTP_PORT", p.ports.Grafana),
			"GF_PATHS_PROVISIONING=" + p.layout.config("provisioning"), "LAB_DASHBOARDS=" + p.layout.relative(p.layout.dashboards()),
			"GF_AUTH_ANONYMOUS_ENABLED=true", "GF_AUTH_ANONYMOUS_ORG_ROLE=Editor",
			"GF_PLUGINS_PREINSTALL_DISABLED=true", "GF_PLUGINS_PREINSTALL_AUTO_UPDATE=false",
			"GF_ANALYTICS_REPORTING_ENABLED=false", "GF_ANALYTICS_CHECK_FOR_UPDATES=false",
			"GF_ANALYTICS_CHECK_FOR_PLUGIN_UPDATES=false",
			"LOKI_URL=" + p.addresses.Loki, "TEMPO_URL=" + p.addresses.Tempo, "MIMIR_URL=" + p.addresses.Mimir,
		},
		ready: base + "/api/health", ports: []int{p.ports.Grafana},
	}
}

// grafanaExpands are the forms in which Grafana takes part of a setting's value for
// a variable.
var grafanaExpands = regexp.MustCompile(`\$(?:|__\w+)\{[^}]*\}|%\([^)]*\)s`)

// checkGrafana fails when Grafana would misread the name of the lab's folder.
func (p plan) checkGrafana() error {
	if _, ok := p.programs[target.Grafana]; !ok || !grafanaExpands.MatchString(p.layout.dir) {
		return nil
	}
	return fmt.Errorf("the lab's folder is %s, and Grafana would take %s in it for a variable; name another folder with --dir",
		p.layout.dir, grafanaExpands.FindString(p.layout.dir))
}

// otel is the telemetry configuration of a service: the standard variables, with
// intervals short enough to watch, and queues that a burst does not overflow.
func otel(protocol, endpoint string) []string {
	return []string{
		"OTEL_EXPORTER_OTLP_PROTOCOL=" + protocol,
		"OTEL_EXPORTER_OTLP_ENDPOINT=" + endpoint,
		"OTEL_RESOURCE_ATTRIBUTES=deployment.environment.name=local",
		"OTEL_BSP_SCHEDULE_DELAY=1000", "OTEL_BSP_MAX_QUEUE_SIZE=20480",
		"OTEL_BLRP_SCHEDULE_DELAY=1000", "OTEL_BLRP_MAX_QUEUE_SIZE=20480",
		"OTEL_METRIC_EXPORT_INTERVAL=5000",
	}
}

func port(name string, n int) string { return name + "=" + strconv.Itoa(n) }

// sum is the fingerprint of the component: all that decides how it behaves, the
// content of these files of its configuration included.
func (s spec) sum(config []string) (string, error) {
	h := sha256.New()
	fmt.Fprintln(h, runtime.GOOS, s.path, s.args, s.env)
	if s.built != "" {
		// A service's content counts, so that a rebuild that changes nothing
		// restarts nothing.
		if err := hashFile(h, s.built); err != nil {
			return "", err
		}
	} else {
		// A backend's program has a hundred megabytes; its size and the time of its last
		// change stand for its content.
		info, err := os.Stat(s.path)
		if err != nil {
			return "", err
		}
		fmt.Fprintln(h, info.Size(), info.ModTime().UnixNano())
	}
	for _, name := range config {
		fmt.Fprintln(h, name)
		if err := hashFile(h, name); err != nil {
			return "", err
		}
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

func hashFile(h io.Writer, name string) error {
	f, err := os.Open(name)
	if err != nil {
		return err
	}
	defer f.Close()
	_, err = io.Copy(h, f)
	return err
}
