// Package traffic sends a realistic, repeatable load to the frontend and says
// whether every single answer was the right one.
//
// The load is an open loop: requests leave on schedule, also while earlier ones are
// unanswered, so a slow service cannot slow its own test down. The trace id of every
// request is the run's prefix and the request's number, so a run's trace ids follow from
// its prefix; see [TraceID]. A run creates its own users, uses no others, and deletes
// all of them.
package traffic

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	vegeta "github.com/tsenart/vegeta/v12/lib"
)

const (
	// answerTimeout bounds one request, the reading of its answer included. The
	// services themselves give up after 15 s.
	answerTimeout = 20 * time.Second
	// interruptGrace is how long an interrupted run waits for answers under way.
	interruptGrace = 2 * time.Second
	// cleanupTimeout bounds the deletion of what the run created.
	cleanupTimeout = 10 * time.Second
	// progressEvery is the time between two progress events.
	progressEvery = 200 * time.Millisecond
	// maxWorkers bounds the requests under way at once; beyond it the generator
	// falls behind its schedule, and the report says so.
	maxWorkers = 10_000
	// maxBody is how much of an answer is kept; a list is some 2 KB.
	maxBody = 64 << 10
)

// Options says what to run and against what.
type Options struct {
	// Frontend is the frontend's base URL, "http://localhost:8080".
	Frontend string
	// TLS are the settings of a client of a frontend at an https address that wants a
	// certificate; nil are the usual ones.
	TLS *tls.Config
	// Profile is what to send; see [ByName] and [Profile.With].
	Profile Profile
	// NoFaults leaves slow and failing requests out, for a lab that runs without
	// LAB_FAULTS. Otherwise a run with such requests in its profile does not
	// start there: [ErrFaultsOff].
	NoFaults bool
	// Before, if set, reads what the lab has counted so far. Run calls it when the
	// frontend is ready and has had no request of this run to /api; the answer becomes
	// part of the report. When it fails, the report says why, and Run sends the traffic
	// all the same.
	Before func(context.Context) (Before, error)
	// Stop, if set, ends the sending when it is closed. All answers are then awaited, as
	// at the end of a run that has sent everything.
	Stop <-chan struct{}
	// Each, if set, gets every request when it has ended. One goroutine calls it.
	Each func(Answer)
	// KeepUsers leaves the run's users where they are, for the caller to look at:
	// [Users] finds them and [Sweep] deletes them. About half of the users created are not
	// deleted during the run either, so that there are some of any age.
	KeepUsers bool
	// Progress, if set, is called from one goroutine some five times a second;
	// see [ProgressTo].
	Progress func(Event)
	// Client is used instead of one made for the run. Its redirect policy is
	// replaced: redirects are answers like others.
	Client *http.Client
}

// Run makes the pre-flight, reads the counters, sends the traffic and deletes the users
// that it created. It returns an error when the run could not begin: an invalid profile
// or URL, a frontend that is not ready, a lab without faults ([ErrFaultsOff]). What goes
// wrong after that is in the report; ask [Report.OK]. When ctx ends, the run stops
// sending, waits two seconds at most for the answers under way, deletes its users within
// ten seconds, and reports with Interrupted set.
func Run(ctx context.Context, o Options) (Report, error) {
	base, err := baseURL(o.Frontend)
	if err != nil {
		return Report{}, err
	}
	p := o.Profile
	if o.NoFaults {
		p.Slow, p.Error = 0, 0
	}
	if err := p.validate(); err != nil {
		return Report{}, fmt.Errorf("traffic profile %q: %w", p.Name, err)
	}
	client := runClient(o.Client, o.TLS)
	if o.Client == nil {
		defer client.CloseIdleConnections()
	}
	progress := o.Progress
	if progress == nil {
		progress = func(Event) {}
	}

	r := Report{Profile: p, Frontend: base, TracePrefix: newTracePrefix()}
	progress(Event{Phase: Preflight, Total: p.Requests})
	if err := frontendReady(ctx, client, base); err != nil {
		return r, err
	}
	if o.Before != nil {
		progress(Event{Phase: Counting, Total: p.Requests})
		if r.Before, err = o.Before(ctx); err != nil {
			r.Before = Before{Error: err.Error()}
		}
	}
	if r.Outside.Preflight, err = preflight(ctx, client, base, p.needsFaults()); err != nil {
		return r, err
	}
	a := &attack{report: &r, client: client, planner: newPlanner(p), progress: progress, stop: o.Stop, each: o.Each}
	a.planner.keep = o.KeepUsers
	a.send(ctx)
	if !o.KeepUsers {
		a.cleanUp(ctx)
	}
	progress(a.collector.event(Done, r.Finished))
	return r, nil
}

// attack is a run that has begun.
type attack struct {
	report    *Report
	client    *http.Client
	planner   *planner
	collector *collector
	progress  func(Event)
	stop      <-chan struct{}
	each      func(Answer)
}

// send sends the requests and takes in the answers, until all are in or ctx ends.
func (a *attack) send(ctx context.Context) {
	p := a.report.Profile
	sending, end := context.WithCancel(ctx)
	defer end()
	pc := &pace{ctx: sending, rate: p.Rate, total: uint64(p.Requests)}
	a.collector = newCollector(a.report, a.planner, pc)
	a.collector.each = a.each
	attacker := vegeta.NewAttacker(vegeta.Client(a.client), vegeta.MaxBody(maxBody),
		vegeta.Workers(uint64(min(max(10, p.Rate/10), 200))), vegeta.MaxWorkers(maxWorkers))

	a.report.Started = time.Now()
	a.report.Finished = a.report.Started
	results := attacker.Attack(a.targeter(), pc, 0, "")
	a.collect(ctx, results, end)
	a.collector.finish()
	if ctx.Err() != nil && a.report.Requests < p.Requests {
		a.report.Interrupted = true
	}
	// The results of an interrupted run are not read from here on. The attack ends with
	// its last answer or time-out.
	attacker.Stop()
	go func() {
		for range results {
		}
	}()
}

// errOver tells vegeta that there is nothing more to send.
var errOver = errors.New("the run is over")

func (a *attack) targeter() vegeta.Targeter {
	frontend, prefix, delay := a.report.Frontend, a.report.TracePrefix, a.report.Profile.Delay.String()
	return func(t *vegeta.Target) error {
		r, ok := a.planner.next()
		if !ok {
			return errOver
		}
		r.target(frontend, prefix, delay, t)
		return nil
	}
}

// collect takes in the results until there are no more. Once ctx has ended it
// waits for those under way, for interruptGrace at most. end ends the sending.
func (a *attack) collect(ctx context.Context, results <-chan *vegeta.Result, end func()) {
	tick := time.NewTicker(progressEvery)
	defer tick.Stop()
	interrupted, stop := ctx.Done(), a.stop
	var giveUp <-chan time.Time
	for {
		select {
		case res, more := <-results:
			if !more {
				return
			}
			a.collector.add(res)
		case now := <-tick.C:
			a.progress(a.collector.event(Sending, now))
		case <-interrupted:
			a.planner.stop()
			interrupted, giveUp = nil, time.After(interruptGrace)
		case <-stop:
			a.planner.stop()
			end()
			stop = nil
		case <-giveUp:
			return
		}
		if _, underway := a.planner.progress(); giveUp != nil && underway == 0 {
			return
		}
	}
}

// runClient is the client for a run. It uses no proxy, follows no redirects and keeps any
// number of connections. It drops an idle connection well before the servers do (60 s),
// because a request on a connection that is just being closed fails.
func runClient(given *http.Client, config *tls.Config) *http.Client {
	c := http.Client{
		Timeout: answerTimeout,
		Transport: &http.Transport{
			DialContext:           (&net.Dialer{Timeout: 5 * time.Second, KeepAlive: 30 * time.Second}).DialContext,
			TLSClientConfig:       config,
			MaxIdleConns:          0, // no limit
			MaxIdleConnsPerHost:   maxWorkers,
			IdleConnTimeout:       30 * time.Second,
			DisableCompression:    true,
			ExpectContinueTimeout: time.Second,
		},
	}
	if given != nil {
		c = *given
		c.Timeout = cmp.Or(c.Timeout, answerTimeout)
	}
	c.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &c
}

// baseURL checks the frontend's address and returns it without a trailing slash.
func baseURL(raw string) (string, error) {
	u, err := url.Parse(raw)
	if err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" || u.RawQuery != "" || u.Fragment != "" {
		return "", fmt.Errorf("frontend address %q: want http://host:port", raw)
	}
	return strings.TrimRight(raw, "/"), nil
}
