package verify

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/lgtm-lab/lgtm-lab/ci/internal/traffic"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/wait"
)

// counted is a service and the number of requests that it must have counted and
// logged.
type counted struct {
	service  string
	run      int // of the run itself, in traces and logs
	requests int // with the requests before and after it that leave no trace, in counters
}

// completeness sends traffic, or takes the earlier run and what was counted before
// it, and checks that all of the traffic was stored, and nothing twice. It returns an
// error only when ctx has ended.
func (v *verifier) completeness(ctx context.Context, before baseline) error {
	t, before, err := v.theRun(ctx, before)
	if err != nil || t.Requests == 0 {
		return err // the check of the traffic has failed, and says that there were no requests
	}
	outside := t.Outside.Preflight + t.Outside.Cleanup
	services := []counted{
		{"frontend", t.Requests, t.Requests + outside},
		{"backend", t.BackendRequests, t.BackendRequests + outside},
	}
	v.Progress("every trace, log line and count of it")
	v.allTraces(ctx, t)
	v.sampledShare(t)
	// A second copy of a line, or a second count, may come later than the first.
	if err := wait.For(ctx, time.Until(t.Finished.Add(v.timing.export))); err != nil {
		return err
	}
	for _, s := range services {
		v.allLines(ctx, t, accessLines(s.service), s.run)
	}
	v.allLines(ctx, t, auditLines, t.Statuses[http.StatusCreated]+t.Statuses[http.StatusNoContent])
	for i, s := range services {
		v.allCounts(ctx, before.get(requestCounters[i]), s)
	}
	return context.Cause(ctx)
}

// theRun returns the run, and what was counted before it.
func (v *verifier) theRun(ctx context.Context, before baseline) (traffic.Report, baseline, error) {
	if v.Run != nil {
		return *v.Run, before, nil
	}
	v.Progress("waiting until all earlier requests are counted")
	// The checks of the metrics report what is not counted in time.
	_ = v.settled(ctx)
	before = v.readBaseline(ctx, time.Now())
	return v.sendTraffic(ctx), before, context.Cause(ctx)
}

var tracePrefix = regexp.MustCompile(`^[0-9a-f]{16}$`)

// earlierRun checks that the report names requests that can be looked for, and says
// what was counted before them. Whether the requests were answered as they should be
// is for `lab traffic` to say.
func (v *verifier) earlierRun(t *traffic.Report) {
	v.check("completeness", "traffic of the earlier run", "requests with their trace ids, and what was counted before them", func() (string, error) {
		measured := fmt.Sprintf("%d requests with the trace prefix %q", t.Requests, t.TracePrefix)
		switch {
		case t.Requests <= 0 || !tracePrefix.MatchString(t.TracePrefix) || t.Started.IsZero():
			t.Requests = 0
			return measured, errors.New("the report names no requests that could be looked for: is it one of `lab traffic -o json`?")
		case t.Before.At.IsZero():
			return measured, fmt.Errorf("the report does not say what was counted before the run: %s", cmp.Or(t.Before.Error, "`lab traffic` reads that of a running lab, when it is not given a --frontend"))
		}
		v.Progress(fmt.Sprintf("the %d requests of the earlier run %s", t.Requests, t.TracePrefix))
		return fmt.Sprintf("%d requests, %d answered otherwise than expected", t.Requests, t.Failed()), nil
	})
}

// sendTraffic runs the profile. Every request must get the answer that it should.
func (v *verifier) sendTraffic(ctx context.Context) (t traffic.Report) {
	p := v.Profile
	v.Progress(fmt.Sprintf("traffic: %d requests at %g/s", p.Requests, p.Rate))
	v.check("completeness", "traffic "+p.Name, fmt.Sprintf("%d requests at %g/s, each with the right answer", p.Requests, p.Rate), func() (measured string, err error) {
		if t, err = v.send(ctx, traffic.Options{Frontend: v.Addresses.Frontend, TLS: v.Addresses.TLS, Profile: p}); err != nil {
			return "", err
		}
		measured = fmt.Sprintf("%d at %.1f/s, p95 %v", t.Requests, t.Rate, t.Latency.P95.Round(time.Millisecond))
		if !t.OK() {
			return measured, errors.New(strings.Join(t.Problems(), "\n"))
		}
		return measured, nil
	})
	return t
}

// linesChunk is the number of traces, a power of 16, whose lines are counted in
// one query: Loki answers with 500 series at most.
const linesChunk = 256

// lines are the lines of one kind that requests leave, one for each at most.
type lines struct {
	// what says what they are, stream and filter select them in LogQL.
	what, stream, filter string
}

// accessLines are a service's lines in the access log.
func accessLines(service string) lines {
	return lines{"access-log lines of the " + service, fmt.Sprintf(`{service_name=%q}`, service), ` |~ "^request$"`}
}

// auditLines say that a user was created or deleted.
var auditLines = lines{"audit-log lines of changed users", `{service_name="backend", lab_audit="users"}`, ` | lab_audit_result="success"`}

// allLines counts the lines of the run, and then those of each trace. A sum alone does not
// show one missing line beside one doubled line.
func (v *verifier) allLines(ctx context.Context, t traffic.Report, l lines, want int) {
	v.check("completeness", l.what, fmt.Sprint(want), func() (string, error) {
		got, answered := 0, false
		err := v.poll(ctx, v.timing.lines, func(ctx context.Context) error {
			counts, err := v.countLines(ctx, t, l, "service_name", t.TracePrefix)
			if err != nil {
				return err
			}
			answered = true
			got = 0
			for _, n := range counts {
				got += int(n)
			}
			if got != want {
				return fmt.Errorf("Loki has %d %s for %d requests", got, l.what, want)
			}
			return nil
		})
		if !answered {
			return "", err
		}
		measured := fmt.Sprint(got)
		perTrace := map[string]float64{}
		for n := 0; n <= t.Requests && got > 0; n += linesChunk {
			chunk, chunkErr := v.countLines(ctx, t, l, "trace_id", traffic.Block(t.TracePrefix, n))
			if chunkErr != nil {
				return measured, errors.Join(err, chunkErr)
			}
			maps.Copy(perTrace, chunk)
		}
		return measured, errors.Join(err, v.oddLines(t, want, perTrace))
	})
}

// oddLines names the requests that have no line or several. The report of the traffic
// does not say which requests reached the backend and which changed a user, so a request
// may have none where fewer lines than requests are wanted.
func (v *verifier) oddLines(t traffic.Report, want int, perTrace map[string]float64) error {
	var none, many examples
	for n := 1; n <= t.Requests; n++ {
		id := traffic.TraceID(t.TracePrefix, n)
		switch lines := perTrace[id]; {
		case lines == 0 && want == t.Requests:
			none.add(id)
		case lines > 1:
			many.add(id)
		}
		delete(perTrace, id)
	}
	return errors.Join(
		none.failure("requests have no line"), many.failure("requests have more than one line"),
		examples(slices.Sorted(maps.Keys(perTrace))).failure("lines have trace ids that no request had"))
}

// countLines counts the lines whose trace id begins with the prefix. It groups them by a
// label.
func (v *verifier) countLines(ctx context.Context, t traffic.Report, l lines, by, prefix string) (map[string]float64, error) {
	now := time.Now()
	logQL := fmt.Sprintf(`sum by (%s) (count_over_time(%s%s | trace_id=~"%s.*" [%s]))`,
		by, l.stream, l.filter, prefix, inQuery(now.Sub(t.Started)+10*time.Second))
	return v.loki.Count(ctx, logQL, by, now)
}

// allCounts checks that the service's request counter has risen by exactly the number
// of requests.
func (v *verifier) allCounts(ctx context.Context, base counter, s counted) {
	v.check("completeness", "requests counted by the "+s.service, fmt.Sprintf("+%d", s.requests), func() (measured string, err error) {
		err = v.poll(ctx, v.timing.counts, func(ctx context.Context) error {
			by, err := v.rise(ctx, base)
			if err != nil {
				return err
			}
			measured = fmt.Sprintf("%+.0f", by)
			switch want := float64(s.requests); {
			case by < 0:
				return fmt.Errorf("the counter fell by %.0f: the %s was started again, and counts from 0", -by, s.service)
			case by < want:
				return fmt.Errorf("the counter rose by %.0f, but %d requests were sent (was the %s started again meanwhile?)", by, s.requests, s.service)
			case by > want:
				return fmt.Errorf("the counter rose by %.0f, but only %d requests were sent (does somebody else send requests to the lab?)", by, s.requests)
			}
			return nil
		})
		return measured, err
	})
}

// examples are trace ids of one kind.
type examples []string

func (e *examples) add(id string) { *e = append(*e, id) }

// failure says how many there are, and names the first three. It is nil when there
// are none.
func (e examples) failure(what string) error {
	if len(e) == 0 {
		return nil
	}
	return fmt.Errorf("%d %s, for example %s", len(e), what, strings.Join(e[:min(len(e), 3)], ", "))
}
