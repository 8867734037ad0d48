package chaos

import (
	"context"
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/lgtm-lab/lgtm-lab/ci/internal/query"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/sampling"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/target"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/traffic"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/verify"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/wait"
)

// ObserveOptions say what to observe.
type ObserveOptions struct {
	Addresses target.Addresses
	// Rate is the traffic's requests per second, Duration how long it lasts when nobody
	// stops it earlier.
	Rate     float64
	Duration time.Duration
	// Patience is how long after the traffic missing telemetry may still arrive.
	Patience time.Duration
	// Progress gets each line of progress. It may be nil.
	Progress func(line string)
	// Line shows a line that replaces the one before. It may be nil.
	Line func(text string)
}

// An Observation is the traffic of one scenario, what became of each of its requests, and
// what the stores have of them.
type Observation struct {
	TracePrefix string    `json:"trace_prefix"`
	Started     time.Time `json:"started"`
	Finished    time.Time `json:"finished"`
	// Answers are the requests with their outcomes.
	Answers []traffic.Answer `json:"answers"`
	// Users are those of the run that exist at the end; UsersProblem says why they are not
	// known.
	Users        []traffic.User `json:"users"`
	UsersProblem string         `json:"users_problem,omitempty"`
	// Account compares what was sent with what is stored.
	Account verify.Account `json:"account"`
	// Freshness has, for each signal, how its newest datum moved on.
	Freshness map[string][]Fresh `json:"freshness"`
	// Alerts are those that fired meanwhile.
	Alerts []FiredAlert `json:"alerts"`
}

// An observer sends the traffic and watches, until it is told to stop.
type observer struct {
	o    ObserveOptions
	w    *watch
	http *http.Client

	stop  chan struct{} // closed by end
	end   func()
	began chan struct{} // closed when a request has been answered
}

func newObserver(o ObserveOptions) *observer {
	if o.Progress == nil {
		o.Progress = func(string) {}
	}
	if o.Line == nil {
		o.Line = func(string) {}
	}
	client := &http.Client{Timeout: 10 * time.Second}
	stop := make(chan struct{})
	return &observer{
		o: o, http: client, w: newWatch(query.NewStores(o.Addresses.Tempo, o.Addresses.Loki, o.Addresses.Mimir, client)),
		stop: stop, end: sync.OnceFunc(func() { close(stop) }), began: make(chan struct{}),
	}
}

// Observe sends steady traffic for the duration, and watches how fresh each signal is and
// which alerts fire. Then it takes the account, and deletes the traffic's users. It fails
// when the traffic cannot begin, and in a lab that samples its traces.
func Observe(ctx context.Context, o ObserveOptions) (Observation, error) {
	return newObserver(o).run(ctx)
}

func (b *observer) run(ctx context.Context) (ob Observation, err error) {
	defer b.http.CloseIdleConnections()
	if err := b.allTracesKept(ctx); err != nil {
		return ob, err
	}
	watching, endWatching := context.WithCancel(ctx)
	var watchers sync.WaitGroup
	end := func() {
		endWatching()
		watchers.Wait()
	}
	defer end()
	watchers.Go(func() { b.w.run(watching) })
	run, err := b.send(ctx)
	if err != nil {
		return ob, err
	}
	ob.TracePrefix, ob.Started, ob.Finished, ob.Answers = run.TracePrefix, run.Started, run.Finished, b.w.all()
	defer func() {
		if err := traffic.Sweep(context.WithoutCancel(ctx), b.http, b.o.Addresses.Frontend, run.TracePrefix); err != nil {
			b.o.Progress("users of the traffic are left behind: " + err.Error())
		}
		b.o.Line("")
	}()
	if err := context.Cause(ctx); err != nil {
		return ob, err
	}
	ob.Account, err = verify.TakeAccount(ctx, verify.Options{Addresses: b.o.Addresses, Progress: b.o.Line}, run, ob.Answers, b.o.Patience)
	end()
	ob.Freshness, ob.Alerts = b.w.steps, b.w.fired()
	// Only now, for the services count these requests, too.
	b.o.Line("the account: users")
	var usersErr error
	if ob.Users, usersErr = usersOf(ctx, b.http, b.o.Addresses.Frontend, run.TracePrefix); usersErr != nil {
		ob.UsersProblem = usersErr.Error()
	}
	return ob, err
}

// allTracesKept fails where the lab samples: the account would take a trace that was not
// wanted for a lost one.
func (b *observer) allTracesKept(ctx context.Context) error {
	kept, err := sampling.Read(ctx, b.http, b.o.Addresses.Alloy)
	if err == nil && !kept.All() {
		err = fmt.Errorf("%s, and the account needs every trace: bring the lab up without --sample-traces", kept)
	}
	return err
}

// send sends the traffic until it is told to stop, or the duration is over.
func (b *observer) send(ctx context.Context) (traffic.Report, error) {
	var began sync.Once
	return traffic.Run(ctx, traffic.Options{
		Frontend: b.o.Addresses.Frontend, Stop: b.stop, KeepUsers: true,
		Profile: traffic.Profile{Name: "chaos", Rate: b.o.Rate, Requests: max(1, int(b.o.Rate*b.o.Duration.Seconds())), Seed: 1},
		Before:  verify.CountBefore(b.o.Addresses),
		Each: func(a traffic.Answer) {
			b.w.answered(a)
			began.Do(func() { close(b.began) })
		},
		Progress: func(e traffic.Event) {
			if e.Phase == traffic.Sending {
				b.o.Line(fmt.Sprintf("%d requests, %d under way, %d not answered as usual", e.Sent, e.Underway, e.Failed))
				return
			}
			b.o.Line(e.String())
		},
	})
}

// usersOf asks for the users, again for a while when it gets no answer.
func usersOf(ctx context.Context, client *http.Client, frontend, prefix string) (found []traffic.User, err error) {
	for range 10 {
		if found, err = traffic.Users(ctx, client, frontend, prefix); err == nil {
			return found, nil
		}
		if waitErr := wait.For(ctx, time.Second); waitErr != nil {
			return found, waitErr
		}
	}
	return found, err
}
