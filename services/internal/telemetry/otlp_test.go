package telemetry

import (
	"bytes"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/emptypb"
)

// busyReceiver is an OTLP receiver that is not ready at first: it refuses each signal
// as often as refusals says, and then accepts every export.
type busyReceiver struct {
	refusals int

	mu    sync.Mutex
	asked map[string]int
	taken map[string]chan struct{}
}

func newBusyReceiver(refusals int) *busyReceiver {
	b := &busyReceiver{refusals: refusals, asked: map[string]int{}, taken: map[string]chan struct{}{}}
	for _, signal := range []string{"traces", "metrics", "logs"} {
		b.taken[signal] = make(chan struct{})
	}
	return b
}

// takes counts an export of the signal, and reports whether the receiver accepts it.
func (b *busyReceiver) takes(signal string) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.asked[signal]++
	if b.asked[signal] == b.refusals+1 {
		close(b.taken[signal])
	}
	return b.asked[signal] > b.refusals
}

func (b *busyReceiver) overHTTP(t *testing.T, ln net.Listener) {
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !b.takes(path.Base(r.URL.Path)) {
			http.Error(w, "not yet", http.StatusServiceUnavailable)
		}
	}))
	server.Listener.Close()
	server.Listener = ln
	server.Start()
	t.Cleanup(server.Close)
}

func (b *busyReceiver) overGRPC(t *testing.T, ln net.Listener) {
	// The method is /opentelemetry.proto.collector.trace.v1.TraceService/Export.
	signals := map[string]string{"trace": "traces", "metrics": "metrics", "logs": "logs"}
	server := grpc.NewServer(grpc.UnknownServiceHandler(func(_ any, stream grpc.ServerStream) error {
		method, _ := grpc.MethodFromServerStream(stream)
		if !b.takes(signals[strings.Split(method, ".")[3]]) {
			return status.Error(codes.Unavailable, "not yet")
		}
		return stream.SendMsg(&emptypb.Empty{})
	}))
	var serving sync.WaitGroup
	serving.Go(func() { _ = server.Serve(ln) })
	t.Cleanup(func() { server.Stop(); serving.Wait() })
}

// exporterVariables name the exporter of each signal.
var exporterVariables = []string{"OTEL_TRACES_EXPORTER", "OTEL_METRICS_EXPORTER", "OTEL_LOGS_EXPORTER"}

// protocols are the protocols that a busyReceiver can speak.
var protocols = map[string]func(*busyReceiver, *testing.T, net.Listener){"grpc": (*busyReceiver).overGRPC, "http/protobuf": (*busyReceiver).overHTTP}

func listen(t *testing.T, address string) net.Listener {
	ln, err := net.Listen("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	return ln
}

// exportTo starts telemetry that sends to the endpoint, and records
// a span and a log line; the metrics are Go's own. exporter is the value of the
// OTEL_*_EXPORTER variables. exportTo also returns the name of the file with the
// service's log.
func exportTo(t *testing.T, exporter, protocol, endpoint string) (tel *Telemetry, stdout string) {
	setExporters(t, exporter, protocol, endpoint)
	out, err := os.Create(filepath.Join(t.TempDir(), "stdout"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { out.Close() })
	tel = start(t, Config{ServiceName: "test", Stdout: out})
	recordEarly(t, tel)
	return tel, out.Name()
}

// recordEarly records a span and a log line.
func recordEarly(t *testing.T, tel *Telemetry) {
	_, span := tel.TracerProvider.Tracer("test").Start(t.Context(), "early")
	span.End()
	tel.Logger.InfoContext(t.Context(), "early")
}

// setExporters sets the variables for exports to the endpoint, with short intervals.
func setExporters(t *testing.T, exporter, protocol, endpoint string) {
	noExporters(t)
	for _, name := range exporterVariables {
		t.Setenv(name, exporter)
	}
	for _, name := range []string{"OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_METRICS_PROTOCOL", "OTEL_EXPORTER_OTLP_LOGS_PROTOCOL",
		"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT", "OTEL_EXPORTER_OTLP_LOGS_ENDPOINT"} {
		t.Setenv(name, "")
	}
	t.Setenv("OTEL_EXPORTER_OTLP_PROTOCOL", protocol)
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint)
	t.Setenv("OTEL_METRIC_EXPORT_INTERVAL", "100")
	t.Setenv("OTEL_BSP_SCHEDULE_DELAY", "100")
	t.Setenv("OTEL_BLRP_SCHEDULE_DELAY", "100")
}

// waitUntilTaken waits until each signal is accepted once.
func (b *busyReceiver) waitUntilTaken(t *testing.T) {
	late := time.After(10 * time.Second)
	for signal, taken := range b.taken {
		select {
		case <-taken:
		case <-late:
			b.mu.Lock()
			defer b.mu.Unlock()
			t.Fatalf("%s: no export was taken after %d attempts", signal, b.asked[signal])
		}
	}
}

// A service that starts before its collector is ready sends soon after the collector is
// ready. After three refusals, the exporters' own pauses add up to at least 11 s, and
// this package's to 4 s at most.
func TestRetryIsQuick(t *testing.T) {
	for protocol, serve := range protocols {
		t.Run(protocol, func(t *testing.T) {
			b, ln := newBusyReceiver(3), listen(t, "127.0.0.1:0")
			serve(b, t, ln)
			exportTo(t, "otlp", protocol, "http://"+ln.Addr().String())
			b.waitUntilTaken(t)
		})
	}
}

// A service that starts before its collector listens loses nothing either, and logs at
// once that the collector cannot be reached.
func TestReceiverComesLate(t *testing.T) {
	for protocol, serve := range protocols {
		t.Run(protocol, func(t *testing.T) {
			gone := listen(t, "127.0.0.1:0")
			address := gone.Addr().String()
			gone.Close()
			t.Setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "300") // over gRPC this includes the retries
			tel, stdout := exportTo(t, "none, OTLP", protocol, "http://"+address)
			time.Sleep(time.Second)
			said, err := os.ReadFile(stdout)
			if err != nil {
				t.Fatal(err)
			}
			if strings.Count(string(said), "telemetry problem") != 1 {
				t.Errorf("before the receiver listened, the log was\n%s\nwant one problem in it", said)
			}
			b := newBusyReceiver(0)
			serve(b, t, listen(t, address))
			b.waitUntilTaken(t)
			if err := tel.Shutdown(t.Context()); err != nil { // before the receiver's
				t.Errorf("Shutdown() = %v", err)
			}
		})
	}
}

func TestUnknownProtocol(t *testing.T) {
	for _, signal := range []string{"TRACES", "METRICS", "LOGS"} {
		t.Run(signal, func(t *testing.T) {
			noExporters(t)
			t.Setenv("OTEL_"+signal+"_EXPORTER", "otlp")
			t.Setenv("OTEL_EXPORTER_OTLP_"+signal+"_PROTOCOL", "http/json")
			_, err := Start(t.Context(), Config{ServiceName: "test", Stdout: &bytes.Buffer{}})
			if err == nil || !strings.Contains(err.Error(), "OTEL_EXPORTER_OTLP_"+signal+`_PROTOCOL: "http/json"`) {
				t.Errorf("Start() = %v, want it to name the variable", err)
			}
		})
	}
}
