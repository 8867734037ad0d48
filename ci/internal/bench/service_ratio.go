package bench

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"sync/atomic"
	"time"

	vegeta "github.com/tsenart/vegeta/v12/lib"

	"github.com/lgtm-lab/lgtm-lab/ci/internal/target"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/wait"
)

// serviceGoal is the goal of both ratios of the instrumented service.
const serviceGoal = 1.3

// operation is a kind of request to the backend.
type operation struct {
	name string
	// next returns the requests to the service at a base URL.
	next func(base string) vegeta.Targeter
}

func operations() []operation {
	var made atomic.Int64
	getting := func(path string) func(string) vegeta.Targeter {
		return func(base string) vegeta.Targeter {
			return vegeta.NewStaticTargeter(vegeta.Target{Method: http.MethodGet, URL: base + path})
		}
	}
	return []operation{
		{"get", getting("/users/1")},
		{"list", getting("/users?limit=50")},
		{"create", func(base string) vegeta.Targeter {
			return func(t *vegeta.Target) error {
				t.Method, t.URL = http.MethodPost, base+"/users"
				t.Header = http.Header{"Content-Type": {"application/json"}}
				t.Body = fmt.Appendf(nil, `{"name":"Bench Mark","email":"bench%d@example.com"}`, made.Add(1))
				return nil
			}
		}},
	}
}

// serviceRatio runs the backend twice, with its telemetry on and off, and sends both the
// same requests in turns. The telemetry goes to a sink in this process.
//
// Off means what a service has that nobody instrumented: no SDK, no otelhttp, no query
// hook, no propagator. Its log on standard output stays.
func serviceRatio(ctx context.Context, o Options) ([]Row, []string, error) {
	if o.Root == "" {
		return nil, nil, errSkip("the services are compiled from a checkout of the lab's sources: run `lab bench` in one")
	}
	dir, remove, err := folder()
	if err != nil {
		return nil, nil, err
	}
	defer remove()
	o.step("building the backend")
	if err := buildServices(ctx, o.Root, dir, "backend"); err != nil {
		return nil, nil, err
	}
	drain, err := newSink()
	if err != nil {
		return nil, nil, err
	}
	defer drain.close()
	on, err := startBackend(ctx, dir, "on", "OTEL_EXPORTER_OTLP_PROTOCOL=grpc", "OTEL_EXPORTER_OTLP_ENDPOINT=http://"+drain.address,
		"OTEL_BSP_SCHEDULE_DELAY=1000", "OTEL_BLRP_SCHEDULE_DELAY=1000", "OTEL_METRIC_EXPORT_INTERVAL=5000")
	if err != nil {
		return nil, nil, err
	}
	defer on.stop()
	off, err := startBackend(ctx, dir, "off", withoutTelemetry...)
	if err != nil {
		return nil, nil, err
	}
	defer off.stop()
	var rows []Row
	for _, op := range operations() {
		more, err := compareService(ctx, o, op, on, off)
		if err != nil {
			return nil, nil, fmt.Errorf("%s: %w", op.name, err)
		}
		rows = append(rows, more...)
	}
	return rows, []string{
		"One backend, started twice: telemetry on (every request a server span, a query span, a log record and two measurements, exported over gRPC to a receiver that drops them), and off (no SDK, no otelhttp, no propagator; the log on standard output stays).",
		fmt.Sprintf("At a constant rate of %d requests a second. Processor time: of the service's process, user and system, with the exports of the second afterwards.", serviceRate),
	}, nil
}

// startBackend starts the backend in the folder, with a database of its own in which are 60
// users.
func startBackend(ctx context.Context, dir, name string, env ...string) (*program, error) {
	p, err := startService(ctx, dir, "backend", "telemetry "+name, append(env, "DATABASE_PATH="+filepath.Join(dir, name+".db"))...)
	if err != nil {
		return nil, err
	}
	create := operations()[2].next(p.url)
	r, err := attack(ctx, create, vegeta.Rate{Freq: 60, Per: time.Second / 2}, time.Second/2)
	if err == nil {
		err = r.check()
	}
	if err != nil {
		p.stop()
		return nil, err
	}
	return p, nil
}

// withoutTelemetry is the environment of a service that nobody instrumented.
var withoutTelemetry = []string{"OTEL_SDK_DISABLED=true", "OTEL_PROPAGATORS=none"}

// startService starts a service that was built in the folder.
func startService(ctx context.Context, dir, name, with string, env ...string) (*program, error) {
	port, err := freePort()
	if err != nil {
		return nil, err
	}
	profiles, err := freePort()
	if err != nil {
		return nil, err
	}
	address, profileAddress := target.Loopback(port), target.Loopback(profiles)
	cmd := exec.Command(filepath.Join(dir, name))
	cmd.Env = append([]string{"PATH=" + os.Getenv("PATH"), "PPROF_ADDR=" + profileAddress, "LISTEN_ADDR=" + address}, env...)
	p, err := startProgram(ctx, "the "+name+" with "+with, "http://"+address, "/ready", cmd)
	if err == nil {
		p.profiles = "http://" + profileAddress
	}
	return p, err
}

// The rate of the requests to the service: as many as it answers without a queue, so that
// its exporter keeps up, and drops nothing whose cost would then be missing.
const serviceRate = 1000

// exportDelay is the time after which what a service has recorded is exported: a second,
// and a margin.
const exportDelay = 1200 * time.Millisecond

// compareService measures one operation in turns.
func compareService(ctx context.Context, o Options, op operation, on, off *program) ([]Row, error) {
	rounds, d := 5, 5*time.Second
	if o.Short {
		rounds, d = 2, 1200*time.Millisecond
	}
	var processor, p99 [2][]float64
	for round := range rounds {
		for side, p := range []*program{on, off} {
			o.step("%s, round %d of %d, %s", op.name, round+1, rounds, p.name)
			if round == 0 { // a service is slower until its pools are full
				if _, err := closedLoop(ctx, op.next(p.url), d/4); err != nil {
					return nil, err
				}
			}
			profiled := func() {}
			if round == rounds-1 { // the others are for the figure
				profiled = profile(ctx, o, p, op.name, d)
			}
			cost, r, err := costOf(ctx, p, op, d)
			profiled()
			if err != nil {
				return nil, err
			}
			processor[side], p99[side] = append(processor[side], cost), append(p99[side], r.p99.Seconds())
		}
	}
	return []Row{
		row(op.name+", processor time a request, on ÷ off", Ratio, ratios(processor[0], processor[1])...).under(serviceGoal),
		row(op.name+", processor time a request, on", Seconds, processor[0]...),
		row(op.name+", processor time a request, off", Seconds, processor[1]...),
		row(op.name+", p99, on ÷ off", Ratio, ratios(p99[0], p99[1])...).under(serviceGoal),
		row(op.name+", p99, on", Seconds, p99[0]...),
		row(op.name+", p99, off", Seconds, p99[1]...),
	}, nil
}

// costOf is the processor time of the program for each request, with what it exports
// afterwards.
func costOf(ctx context.Context, p *program, op operation, d time.Duration) (float64, loadResult, error) {
	before, err := p.measure()
	if err != nil {
		return 0, loadResult{}, err
	}
	r, err := constantRate(ctx, op.next(p.url), serviceRate, d)
	if err == nil && r.failed*10 > r.requests { // on a machine that stalls, a service rejects some
		err = r.check()
	}
	if err == nil {
		err = wait.For(ctx, exportDelay)
	}
	if err != nil {
		return 0, r, err
	}
	after, err := p.measure()
	return (after.processor - before.processor) / float64(r.requests), r, err
}
