package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/lgtm-lab/lgtm-lab/ci/internal/application"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/arrival"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/interrupt"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/runid"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/target"
)

// runFlags are the flags of run, with those of the lab that it may bring up.
type runFlags struct {
	up                      upFlags
	service, protocol, json string
	interval                time.Duration
}

func runCommand(e *env) *cobra.Command {
	var f runFlags
	cmd := &cobra.Command{
		Use:   "run [flags] -- COMMAND [ARGUMENT…]",
		Short: "Start an application that sends its telemetry to the lab",
		Long: `run starts an application of any language, with the standard OTEL_* variables for the lab:
the endpoint and the protocol, a service name, short intervals, and a run id as the
resource attribute lab.run.id. Variables that you have set stay as they are. Without a lab
that is up, run brings one up, without the sample services. That lab stays.

The application has the terminal, its output is not changed, signals reach it, and its
exit code is that of run. While the application runs, run says when its first trace, log
line and metric are in the lab. At the end run counts what has arrived, and says what to
do if nothing has.

    lab run -- node app.js
    lab run --protocol grpc --service shop -- ./shop --port 8000`,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return usageError{errors.New("run wants the command of an application, such as: lab run -- node app.js")}
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error { return e.run(cmd.Context(), &f, args) },
	}
	e.registerTarget(cmd)
	f.up.register(cmd)
	flags := cmd.Flags()
	flags.SetInterspersed(false) // what follows COMMAND is its own
	flags.StringVar(&f.service, "service", "", "the service's `NAME` (default $OTEL_SERVICE_NAME, or the command's name)")
	flags.StringVar(&f.protocol, "protocol", "", "how telemetry is sent: grpc, http/protobuf or http/json (default $OTEL_EXPORTER_OTLP_PROTOCOL, or http/protobuf)")
	flags.DurationVar(&f.interval, "interval", time.Second, "how often the application sends metrics")
	flags.StringVar(&f.json, "json", "", "write what has arrived to this `FILE` as JSON")
	return cmd
}

// exitError is the exit code of a command that did what it should, such as the code of an
// application.
type exitError int

func (e exitError) Error() string { return fmt.Sprintf("exit code %d", int(e)) }

func (e *env) run(ctx context.Context, f *runFlags, args []string) error {
	if f.protocol != "" {
		if err := oneOf("protocol", f.protocol, application.Protocols()...); err != nil {
			return err
		}
	}
	if f.interval < 100*time.Millisecond {
		return usageError{fmt.Errorf("--interval %v: want 100ms or more", f.interval)}
	}
	file, err := createIfNamed(f.json)
	if err != nil {
		return err
	}
	at, err := e.labForApplication(ctx, &f.up)
	if err != nil {
		return err
	}
	telemetry := application.Telemetry{
		HTTP: at.OTLPHTTP, GRPC: at.OTLPGRPC, TLS: application.TLSFiles(at.Application), Protocol: f.protocol, Service: f.service,
		DefaultService: application.Name(args), RunID: runid.New(), Interval: f.interval,
	}
	environment := telemetry.Environment(os.Environ())
	r := runReport{
		RunID: telemetry.RunID, Service: application.ServiceName(environment), Command: args,
		at: at, telemetry: telemetry, environment: environment,
	}
	e.say(fmt.Sprintf("lab: run %s of the service %s; OTLP goes to %s", r.RunID, r.Service, endpoint(environment)))
	for _, line := range telemetry.Diverted(environment) {
		e.say("lab: warning: " + line)
	}
	exit, err := e.supervise(ctx, args, &r)
	if err != nil {
		return err
	}
	settle, cancel := ctx, context.CancelFunc(func() {})
	if ctx.Err() != nil { // a Ctrl-C has ended the application; one more ends the wait
		settle, cancel = interrupt.Cleanup(ctx, time.Minute)
	}
	defer cancel()
	e.line("· looking for what has arrived")
	r.Counts, r.problem = arrival.Settle(settle, storesOf(at), r.run())
	e.line("")
	if settle.Err() != nil {
		r.problem = errors.New("the wait for what has arrived was interrupted")
	}
	r.ExitCode = exit.Code
	r.complete()
	r.write(e.say, exit)
	if err := writeRun(file, r); err != nil {
		return err
	}
	if exit.Code != 0 {
		return exitError(exit.Code)
	}
	return nil
}

// endGrace is how long an application may take to end after the first signal that asks it to.
const endGrace = 10 * time.Second

// supervise runs the application to its end and passes signals on to it. A second signal
// that asks to end, or the time, kills the application.
func (e *env) supervise(ctx context.Context, args []string, r *runReport) (application.Exit, error) {
	came := make(chan os.Signal, 8)
	signal.Notify(came, application.Passed()...)
	defer signal.Stop(came)
	stdout, closeStdout := asFile(e.stdout)
	stderr, closeStderr := asFile(e.stderr)
	defer closeStdout()
	defer closeStderr()

	r.Started = time.Now()
	p, err := application.Start(application.Command{
		Args: args, Env: r.environment, Stdin: os.Stdin, Stdout: stdout, Stderr: stderr, Interactive: true,
	})
	if failed, ok := errors.AsType[*application.StartError](err); ok {
		e.say("lab: " + failed.Error())
		return application.Exit{}, exitError(failed.Code)
	}
	watching, stopWatching := context.WithCancel(context.WithoutCancel(ctx))
	go arrival.Watch(watching, storesOf(r.at), r.run(), func(text string) { e.say("lab: " + text) })
	defer stopWatching()
	defer func() { r.Duration = time.Since(r.Started).Seconds() }()
	var late <-chan time.Time
	for asked := false; ; {
		select {
		case s := <-came:
			p.Signal(s)
			if application.AsksToEnd(s) && asked {
				return p.Stop(ctx, 0), nil
			}
			if application.AsksToEnd(s) {
				asked, late = true, time.After(endGrace)
			}
		case <-late:
			return p.Stop(ctx, 0), nil
		case <-p.Done():
			return p.Stop(context.WithoutCancel(ctx), 0), nil
		}
	}
}

// asFile returns the writer as a file that another process can write to. done waits until
// all of that is written.
func asFile(w io.Writer) (file *os.File, done func()) {
	if f, ok := w.(*os.File); ok {
		return f, func() {}
	}
	read, write, err := os.Pipe()
	if err != nil {
		return nil, func() {}
	}
	copied := make(chan struct{})
	go func() {
		defer close(copied)
		_, _ = io.Copy(w, read)
	}()
	return write, func() {
		_ = write.Close()
		<-copied
		_ = read.Close()
	}
}

// labForApplication returns the addresses of the lab that is up, or of one that it brings
// up. The lab then stays up.
func (e *env) labForApplication(ctx context.Context, up *upFlags) (target.Addresses, error) {
	t, err := e.wanted(up)
	if err != nil {
		return target.Addresses{}, err
	}
	lab, ok := t.(target.Reachable)
	if !ok {
		return target.Addresses{}, fmt.Errorf("an application on this machine cannot send to a lab in a cluster, whose ports are not published: leave --target out. %w", target.ErrNotHere)
	}
	status, err := lab.Status(ctx)
	if err != nil && !errors.Is(err, target.ErrNotUp) {
		return target.Addresses{}, err
	}
	if err != nil && !up.noServices { // an application of the user's does not need ours
		up.noServices, up.inspect = true, true
		return e.labForApplication(ctx, up)
	}
	if err != nil || !status.Ready {
		summary, err := lab.Up(ctx)
		if err != nil {
			return target.Addresses{}, err
		}
		e.say(summary.Headline + " It stays up; `lab down` stops it.")
	}
	return lab.Addresses(ctx)
}

// endpoint is where the environment says that telemetry goes.
func endpoint(environment []string) string {
	var to, protocol string
	for _, pair := range environment {
		key, value, _ := strings.Cut(pair, "=")
		switch key {
		case "OTEL_EXPORTER_OTLP_ENDPOINT":
			to = value
		case "OTEL_EXPORTER_OTLP_PROTOCOL":
			protocol = value
		}
	}
	return to + " (" + protocol + ")"
}
