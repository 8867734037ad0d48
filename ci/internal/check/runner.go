package check

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/lgtm-lab/lgtm-lab/ci/internal/application"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/cases"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/judge"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/k3d"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/report"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/runid"
)

// runner runs one case.
type runner struct {
	Options
	c     cases.Case
	out   *outcome
	turns turns

	scope       judge.Scope
	remembering sync.Mutex // guards scope.TraceIDs while requests are sent
	app         *app       // nil when the case starts none
	base        string     // the application's base URL; "" when there is no application

	// A fixture of containers: what opens the way of their telemetry, the cluster for those
	// that need one, and the containers.
	openGate   func(context.Context) (address string, err error)
	cluster    *k3d.Host
	containers containers
}

func newRunner(c cases.Case, o Options) *runner {
	return &runner{Options: o, c: c, out: &outcome{}, turns: newTurns()}
}

// run runs the case from its start to its verdict, and ends what it has started.
func (r *runner) run(ctx context.Context) {
	began := time.Now()
	defer func() { r.out.took = time.Since(began) }()
	if reason := r.cannotRun(ctx); reason != "" {
		r.out.add(r.c.At, report.Check{Name: "case", Status: report.Skip, Detail: reason})
		return
	}
	r.scope = judge.Scope{Since: began, RunID: r.RunID}
	r.base = strings.TrimSuffix(r.App, "/")
	inContainers := r.c.Run == nil && !r.c.Fixture.StackOnly()
	if r.c.Run != nil || r.c.Seed.Inline || inContainers {
		r.scope.RunID = runid.New()
	}
	if inContainers {
		defer r.endContainers(ctx)
		if !r.startContainers(ctx) {
			return
		}
	}
	if r.c.Run != nil {
		ok := r.start(ctx)
		if r.app != nil {
			defer r.app.stop(ctx)
		}
		if !ok {
			return
		}
	}
	if r.c.Seed.Inline && !r.seed(ctx) {
		return
	}
	if !r.input(ctx) {
		r.appEnded()
		return
	}
	if r.Record != nil {
		r.record(ctx)
		return
	}
	r.expectations(ctx)
	r.appEnded()
	r.silent(ctx)
}

// record writes down what the run has sent.
func (r *runner) record(ctx context.Context) {
	began := time.Now()
	wrote, err := r.Record(ctx, r.c, r.scope)
	c := report.Check{Name: "recorded", Measured: wrote, Status: report.Pass, Duration: time.Since(began)}
	if err != nil {
		c.Status, c.Detail = report.Fail, err.Error()
	}
	r.out.add(r.c.At, c)
}

// silent adds a check that fails when expectations have failed and nothing at all has come
// from the application.
func (r *runner) silent(ctx context.Context) {
	askedLong := func(c report.Check) bool { return c.Failed() && c.Duration >= min(r.Timeout, lastWords) }
	if r.app == nil || r.Arrived == nil || !slices.ContainsFunc(r.out.checks, askedLong) {
		return // else telemetry may be under way
	}
	if any, err := r.Arrived(ctx, r.scope); any || err != nil {
		return
	}
	said := append([]string{
		fmt.Sprintf("The application was told to send to %s or %s, by OTEL_EXPORTER_OTLP_ENDPOINT.", r.At.OTLPHTTP, r.At.OTLPGRPC),
	}, r.app.telemetry.Diverted(r.app.environment)...)
	r.out.add(r.c.Run.At, report.Check{
		Name: "telemetry", Status: report.Fail, Measured: "nothing of this run has arrived", Expected: "telemetry with the run's id",
		Detail: strings.Join(append(said, r.app.lastOutput()), "\n"),
	})
}

// app is the case's application.
type app struct {
	process *application.Process
	output  string // the file with what it prints
	keep    bool
	exit    application.Exit
	ended   atomic.Pointer[time.Time] // when its end with an error was noticed
	// environment is what the application was told about the lab.
	environment []string
	telemetry   application.Telemetry
}

// stopGrace is how long an application may take to end after the verdict.
const stopGrace = 5 * time.Second

func (a *app) stop(ctx context.Context) application.Exit {
	a.exit = a.process.Stop(context.WithoutCancel(ctx), stopGrace)
	if !a.keep {
		_ = os.Remove(a.output)
	}
	return a.exit
}

// lastOutput is the end of what the application has printed.
func (a *app) lastOutput() string {
	raw, err := os.ReadFile(a.output)
	if err != nil || len(raw) == 0 {
		return "The application has printed nothing."
	}
	return "The application's output ends:\n" + endOf(raw)
}

// endOf is the last lines of an output, each with two spaces before it.
func endOf(raw []byte) string {
	lines := strings.Split(strings.TrimRight(string(raw), "\n"), "\n")
	text := strings.Join(lines[max(0, len(lines)-15):], "\n")
	return "  " + strings.ReplaceAll(text[max(0, len(text)-3000):], "\n", "\n  ")
}

// start starts the application and waits until it is ready. It returns false after a
// failure, which the outcome then has.
func (r *runner) start(ctx context.Context) bool {
	began := time.Now()
	fail := func(measured, detail string) bool {
		r.out.add(r.c.Run.At, report.Check{
			Name: "application", Status: report.Fail, Measured: measured, Expected: "it starts and is ready", Detail: detail, Duration: time.Since(began),
		})
		return false
	}
	port, err := application.FreePort()
	if err != nil {
		return fail(err.Error(), "")
	}
	ready := application.WithPort(r.c.Run.Ready, port)
	if ready != "" && application.Answers(ctx, ready) {
		return fail("another program answers at "+ready+" already",
			"The case would test that program. End it, or let the application listen on ${PORT}, a port that is free.")
	}
	if err := r.launch(port); err != nil {
		return fail(err.Error(), "")
	}
	r.base = baseOf(ready, port)
	if ready != "" {
		err = r.app.process.AwaitReady(ctx, ready, r.Timeout)
	} else {
		err = r.awaitPort(ctx, port)
	}
	if ctx.Err() != nil {
		return false
	}
	if err != nil {
		return fail(err.Error(), r.app.lastOutput())
	}
	r.out.add(r.c.Run.At, report.Check{
		Name: "application", Status: report.Pass, Duration: time.Since(began),
		Measured: "ready after " + report.Elapsed(time.Since(began)),
	})
	return true
}

// launch starts the application's process.
func (r *runner) launch(port int) error {
	run := r.c.Run
	var args []string
	for _, arg := range run.Command {
		args = append(args, application.WithPort(arg, port))
	}
	name := application.Name(args)
	if run.Shell {
		name = application.Name(strings.Fields(args[0]))
		args = shell(args[0])
	}
	telemetry := application.Telemetry{
		HTTP: r.At.OTLPHTTP, GRPC: r.At.OTLPGRPC, TLS: application.TLSFiles(r.At.Application), Protocol: run.Protocol, Service: run.Service,
		DefaultService: name, RunID: r.scope.RunID,
	}
	// The case's own variables count as the user's: they stay as they are.
	environment := os.Environ()
	for key, value := range run.Env {
		environment = append(environment, key+"="+application.WithPort(value, port))
	}
	environment = telemetry.Environment(append(environment, fmt.Sprintf("PORT=%d", port)))
	output, err := r.outputFile()
	if err != nil {
		return err
	}
	defer output.Close()
	p, err := application.Start(application.Command{
		Args: args, Dir: filepath.Join(r.c.Dir(), run.Dir), Env: environment, Stdout: output, Stderr: output,
	})
	if err != nil {
		_ = os.Remove(output.Name())
		return err
	}
	r.app = &app{process: p, output: output.Name(), keep: r.Evidence != "", environment: environment, telemetry: telemetry}
	return nil
}

// outputFile is where the application's output goes.
func (r *runner) outputFile() (*os.File, error) {
	if r.Evidence == "" {
		return os.CreateTemp("", "lab-check-*.log")
	}
	if err := os.MkdirAll(r.Evidence, 0o755); err != nil {
		return nil, err
	}
	return os.Create(filepath.Join(r.Evidence, fileName(r.out.group)+".log"))
}

// fileName makes a name of a file out of any text.
func fileName(text string) string {
	return strings.Map(func(c rune) rune {
		if c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '-' || c == '.' {
			return c
		}
		return '_'
	}, text)
}

// deadFor is how long ago the application ended with an error; 0 when it has not.
func (r *runner) deadFor() time.Duration {
	if r.app == nil {
		return 0
	}
	select {
	case <-r.app.process.Done():
	default:
		return 0
	}
	if r.app.process.Exit().Code == 0 {
		return 0
	}
	r.app.ended.CompareAndSwap(nil, new(time.Now()))
	return time.Since(*r.app.ended.Load())
}

// appEnded adds a check that fails when the application has ended by itself with an error.
func (r *runner) appEnded() {
	if r.app == nil {
		return
	}
	if r.deadFor() > 0 {
		exit := r.app.process.Exit()
		r.out.add(r.c.Run.At, report.Check{
			Name: "application runs on", Status: report.Fail, Measured: "the application has ended: " + exit.String(),
			Expected: "it runs until the verdict, or ends with exit code 0", Detail: r.app.lastOutput(),
		})
	}
}
