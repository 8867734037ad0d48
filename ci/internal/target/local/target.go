package local

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/lgtm-lab/lgtm-lab/ci/internal/checkout"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/command"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/forward"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/retention"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/sampling"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/stack"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/target"
)

// Options say which lab the target is, and how its Up makes it.
type Options struct {
	// Dir finds the lab's folder.
	Dir func() (string, error)
	// Files finds the configuration and the checkout; only Up asks.
	Files func() checkout.Files
	// Stack finds the programs of the stack; only Up asks.
	Stack func() (*stack.Stack, error)
	// Ports are ports other than the usual ones, each as NAME=NUMBER.
	Ports []string
	// FreePorts takes ports that are free now, but for those in Ports.
	FreePorts bool
	// NoServices leaves the two services out.
	NoServices bool
	// Listen is the address that the components listen on; see [Config].
	Listen string
	// Inspect keeps the facts of what services send.
	Inspect bool
	// Forward is another OTLP endpoint that gets a copy; see [Config].
	Forward forward.Endpoint
	// Faults lets requests ask for a slow or failing query.
	Faults bool
	// Closed says whether every connection is mutual TLS; see [Config].
	Closed *bool
	// Origins are the pages that may send telemetry from a browser; see [Config].
	Origins []string
	// DatabaseURL is a PostgreSQL database for the backend; see [Config].
	DatabaseURL string
	// Retention is how long the backends keep data; see [Config].
	Retention retention.Periods
	// Sampling is which traces are kept; see [Config].
	Sampling sampling.Traces
	// Say gets each line that tells a person what the lab does.
	Say func(line string)
	// Line shows a line in the place of the one before; "" clears it. It may be nil.
	Line func(text string)
}

// Target is the lab as processes on this machine, as the commands use it.
type Target struct {
	o     Options
	ports map[string]int
}

var (
	_ target.Reachable = (*Target)(nil)
	_ target.Attended  = (*Target)(nil)
)

// New returns the target. It fails when the options make no sense, and looks at
// nothing yet.
func New(o Options) (*Target, error) {
	t := &Target{o: o, ports: map[string]int{}}
	if !slices.Contains([]string{"", loopbacks[0], everywhere}, o.Listen) {
		return nil, fmt.Errorf("--listen %s: want %s or %s, for the components ask each other at %s", o.Listen, loopbacks[0], everywhere, loopbacks[0])
	}
	if t.o.Line == nil {
		t.o.Line = func(string) {}
	}
	for _, assignment := range o.Ports {
		name, number, _ := strings.Cut(assignment, "=")
		port, err := strconv.Atoi(number)
		if err != nil {
			return nil, fmt.Errorf("--port %q: want NAME=NUMBER, such as loki=3101", assignment)
		}
		if err := new(target.Ports).Set(name, port); err != nil {
			return nil, err
		}
		t.ports[name] = port
	}
	return t, nil
}

// lab opens the lab in its folder, as it is.
func (t *Target) lab() (*Lab, error) {
	dir, err := t.o.Dir()
	if err != nil {
		return nil, err
	}
	return Open(Config{Dir: dir, Progress: t.o.Say}), nil
}

// wanted opens the lab in its folder, as the options want it.
func (t *Target) wanted() (*Lab, error) {
	dir, err := t.o.Dir()
	if err != nil {
		return nil, err
	}
	programs, err := t.o.Stack()
	if err != nil {
		return nil, err
	}
	self, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("finding this program, which is the inspector, too: %w", err)
	}
	cfg := Config{
		Self: self, Inspect: t.o.Inspect, Forward: t.o.Forward,
		Files: t.o.Files(), Version: command.Version(), Dir: dir, NoServices: t.o.NoServices, Listen: t.o.Listen, Faults: t.o.Faults, Closed: t.o.Closed, Origins: t.o.Origins, DatabaseURL: t.o.DatabaseURL, Retention: t.o.Retention, Sampling: t.o.Sampling,
		Programs: t.programs(programs), Progress: t.o.Say, FreePorts: t.o.FreePorts, SetPorts: t.ports,
	}
	return Open(cfg), nil
}

// programs is how the lab gets the programs of its stack.
func (t *Target) programs(s *stack.Stack) func(context.Context) (map[string]Program, error) {
	return func(ctx context.Context) (map[string]Program, error) {
		set, err := s.Resolve(ctx)
		if err != nil {
			return nil, err
		}
		t.o.Say(set.Reason)
		if set.Hint != "" {
			t.o.Say(set.Hint)
		}
		programs := map[string]Program{}
		for _, name := range target.StackComponents() {
			if p, ok := set.Program(name); ok {
				path, args := p.Command()
				programs[name] = Program{Path: path, Args: args, Home: p.Home}
			}
		}
		return programs, nil
	}
}

// Up implements [target.Target].
func (t *Target) Up(ctx context.Context) (target.Summary, error) {
	begin := time.Now()
	lab, err := t.wanted()
	if err != nil {
		return target.Summary{}, err
	}
	state, started, err := lab.Up(ctx)
	if err != nil {
		return target.Summary{}, err
	}
	headline := fmt.Sprintf("The lab is up, %d components ready in %.1f s.", len(started), time.Since(begin).Seconds())
	if len(started) == 0 {
		headline = "The lab is up already, and unchanged."
	}
	return summary(headline, state), nil
}

// summary says where everything is, and what to do next.
func summary(headline string, state *State) target.Summary {
	at := state.Addresses
	grafana := target.Place{Name: target.Grafana, URL: at.Grafana, About: "logs, metrics and traces"}
	if at.Grafana == "" {
		grafana.URL, grafana.About = "(not on this machine)", "see above how to get it"
	}
	s := target.Summary{
		Headline: headline,
		Places: []target.Place{
			{Name: target.Frontend, URL: at.Frontend, About: "the web page: users, and buttons for slow and failing queries"},
			grafana,
			{Name: target.Backend, URL: at.Backend, About: "the users API, /openapi.yaml"},
			{Name: "OTLP", URL: at.OTLPHTTP,
				About: fmt.Sprintf("where your application sends its telemetry by HTTP; by gRPC, port %d", state.Ports.AlloyOTLPGRPC)},
			{Name: target.Alloy, URL: at.Alloy, About: "the collector's own page"},
			{Name: target.Loki, URL: at.Loki, About: "logs"},
			{Name: target.Tempo, URL: at.Tempo, About: "traces"},
			{Name: target.Mimir, URL: at.Mimir, About: "metrics"},
		},
		Next: []target.Step{
			{Command: command.Name() + " traffic", About: "send it 200 requests"},
			{Command: command.Name() + " verify", About: "prove that all telemetry of a request arrives"},
			{Command: command.Name() + " trace ID", About: "look at one trace, with its log lines"},
			{Command: command.Name() + " down", About: "stop it"},
		},
	}
	if at.Inspector != "" {
		s.Places = append(s.Places, target.Place{Name: target.Inspector, URL: at.Inspector, About: "a trace as a page: /trace/ID"})
	}
	if state.isClosed() {
		s.Places = slices.DeleteFunc(s.Places, func(p target.Place) bool { return p.Name == target.Grafana })
		s.Headline += " It is closed: every connection is mutual TLS. docs/certificates.md says how a browser and an application get in."
	}
	if at.Frontend == "" {
		s.Places = slices.DeleteFunc(s.Places, func(p target.Place) bool { return p.URL == "" })
		s.Next = s.Next[1:] // no service takes the traffic
		s.Next[0].About = "check the stack itself: its rules, its dashboard, that nothing is lost"
	}
	return s
}

// Down implements [target.Target].
func (t *Target) Down(ctx context.Context) (string, error) {
	lab, err := t.lab()
	if err != nil {
		return "", err
	}
	stopped, err := lab.Down(ctx)
	if errors.Is(err, target.ErrNotUp) {
		return "Nothing to stop: the lab is not up.", nil
	}
	return stoppedSentence(stopped), err
}

func stoppedSentence(stopped []string) string {
	return "Stopped: " + strings.Join(stopped, ", ") + ". The data is kept; `" + command.Name() + " reset` deletes it."
}

// Reset implements [target.Target].
func (t *Target) Reset(ctx context.Context) (string, error) {
	lab, err := t.lab()
	if err != nil {
		return "", err
	}
	freed, err := lab.Reset(ctx)
	return fmt.Sprintf("The lab's data is deleted, %.1f MB.", float64(freed)/(1<<20)), err
}

// Addresses implements [target.Reachable].
func (t *Target) Addresses(context.Context) (target.Addresses, error) {
	lab, err := t.lab()
	if err != nil {
		return target.Addresses{}, err
	}
	state, err := lab.State()
	if err != nil {
		return target.Addresses{}, err
	}
	return lab.reached(state)
}
