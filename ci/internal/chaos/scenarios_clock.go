package chaos

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/lgtm-lab/lgtm-lab/ci/internal/query"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/target"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/wait"
)

const (
	// clockStep is how far the sender's clock steps, forwards and back.
	clockStep = time.Hour
	// clockName is the sender's name, and its metric's.
	clockName, clockMetric = "stepping-clock", "stepping_clock"
	// linesEach is how many lines the sender writes each time.
	linesEach = 5
	// clockPatience bounds the wait for what it has sent.
	clockPatience = time.Minute
)

// clockSteps are the places of the sender's clock, one after another.
var clockSteps = []struct {
	name string
	off  time.Duration
}{{"right", 0}, {"ahead", clockStep}, {"right", 0}, {"behind", -clockStep}}

// senderClock is a sender on a machine whose clock is set, again and again. The clock of the
// lab's own machine stays: no namespace of Linux has a clock of the day of its own, and Go's
// programs ask the kernel for it, past what could be put between them and the C library.
func senderClock() Scenario {
	return Scenario{
		Name: "clock-steps", About: fmt.Sprintf("the clock of one sender steps %v ahead and %v back, again and again, for %v", clockStep, clockStep, tenantFor),
		Promises: append(slices.Clone(stored), Unnoticed, OneTenant, Memory, WrongClock), Needs: everything,
		OwnLab: true, Targets: []string{target.Local},
		Inject: func(ctx context.Context, s *Stage) error {
			sent := clockSent{Begin: time.Now(), Rounds: map[string]int{}}
			err := injectTenant(ctx, s, "clock-steps", sent.send)
			sent.End = time.Now()
			s.fact("clock", sent)
			return err
		},
		Judge: func(s *Stage, o Observation) []Verdict { return append(judgeTenant(s, o), judgeClock(s, o)) },
	}
}

// clockSent is what the sender has sent.
type clockSent struct {
	Begin  time.Time
	End    time.Time
	Rounds map[string]int // by the place of the clock
	Traces []string
}

// send sends a trace of one span, some lines and a point, all of one place of the clock.
func (c *clockSent) send(ctx context.Context, g *tenant, round int) {
	step := clockSteps[round%len(clockSteps)]
	at := pcommon.NewTimestampFromTime(time.Now().Add(step.off))
	c.Rounds[step.name]++

	var id pcommon.TraceID
	_, _ = rand.Read(id[:]) // never fails
	c.Traces = append(c.Traces, hex.EncodeToString(id[:]))
	t := ptrace.NewTraces()
	rs := t.ResourceSpans().AppendEmpty()
	rs.Resource().Attributes().PutStr("service.name", clockName)
	span := rs.ScopeSpans().AppendEmpty().Spans().AppendEmpty()
	span.SetTraceID(id)
	span.SetSpanID(pcommon.SpanID(id[:8]))
	span.SetName("tick")
	span.SetStartTimestamp(at)
	span.SetEndTimestamp(at)
	g.traces(ctx, t)

	l := plog.NewLogs()
	rl := l.ResourceLogs().AppendEmpty()
	rl.Resource().Attributes().PutStr("service.name", clockName)
	records := rl.ScopeLogs().AppendEmpty().LogRecords()
	for i := range linesEach {
		r := records.AppendEmpty()
		r.SetTimestamp(at)
		r.Body().SetStr(fmt.Sprintf("tick %d.%d", round, i))
		r.Attributes().PutStr("clock", step.name)
	}
	g.logs(ctx, l)

	m := pmetric.NewMetrics()
	rm := m.ResourceMetrics().AppendEmpty()
	rm.Resource().Attributes().PutStr("service.name", clockName)
	metric := rm.ScopeMetrics().AppendEmpty().Metrics().AppendEmpty()
	metric.SetName(clockMetric)
	p := metric.SetEmptyGauge().DataPoints().AppendEmpty()
	p.SetTimestamp(at)
	p.SetIntValue(int64(round))
	g.metrics(ctx, m)
	pause(ctx, 250*time.Millisecond)
}

// judgeClock asks the stores for all that the sender has sent, for some time.
func judgeClock(s *Stage, o Observation) Verdict {
	var sent clockSent
	if err := json.Unmarshal([]byte(s.Facts["clock"]), &sent); err != nil {
		return verdict(WrongClock, "not measured", err.Error())
	}
	ctx, cancel := context.WithTimeout(context.Background(), clockPatience)
	defer cancel()
	client := &http.Client{Timeout: 10 * time.Second}
	defer client.CloseIdleConnections()
	stores := query.NewStores(s.Addresses.Tempo, s.Addresses.Loki, s.Addresses.Mimir, client)
	for {
		found, err := sent.find(ctx, stores)
		measured, complaints := sent.compare(found, o.Account.Losses["Alloy filtered out items"])
		if err != nil {
			complaints = append(complaints, err.Error())
		}
		if len(complaints) == 0 || wait.For(ctx, time.Second) != nil {
			return verdict(WrongClock, measured, complaints...)
		}
	}
}

// clockFound is what the stores have of it.
type clockFound struct {
	traces int
	lines  map[string]float64 // by the place of the clock
	moved  float64            // lines that are stored at the time of their arrival
	points map[string]float64
}

func (c *clockSent) find(ctx context.Context, stores query.Stores) (found clockFound, err error) {
	for _, id := range c.Traces {
		if spans, err := stores.Tempo.Trace(ctx, id); err == nil && len(spans) == 1 {
			found.traces++
		}
	}
	const selector = `{service_name="` + clockName + `"}`
	now, window := time.Now(), "[3h]"
	lines, linesErr := stores.Loki.Count(ctx, `sum by (clock) (count_over_time(`+selector+window+`))`, "clock", now)
	moved, movedErr := stores.Loki.Count(ctx, `sum(count_over_time(`+selector+` | exported_time != ""`+window+`))`, "", now)
	found.lines, found.moved = lines, moved[""]
	found.points = map[string]float64{}
	err = errors.Join(linesErr, movedErr)
	for _, step := range clockSteps {
		begin, end := c.Begin.Add(step.off).Add(-time.Second), c.End.Add(step.off).Add(time.Second)
		n, _, pointsErr := stores.Mimir.Scalar(ctx, fmt.Sprintf(`count_over_time(%s[%ds])`, clockMetric, int(end.Sub(begin).Seconds())+1), end)
		found.points[step.name] = n
		err = errors.Join(err, pointsErr)
	}
	return found, err
}

// compare says what is found of what was sent, and what is wrong with it. left is how many
// items Alloy has left out, by its own count.
func (c *clockSent) compare(found clockFound, left float64) (measured string, complaints []string) {
	lines := 0.0
	expect := func(what string, got float64, want int) {
		if int(got) != want {
			complaints = append(complaints, fmt.Sprintf("%s: %.0f are stored, and %d must be", what, got, want))
		}
	}
	expect("spans", float64(found.traces), len(c.Traces))
	for _, place := range []string{"right", "ahead", "behind"} {
		lines += found.lines[place]
		expect("log lines of a clock that was "+place, found.lines[place], linesEach*c.Rounds[place])
	}
	expect("lines with their own time beside that of their arrival", found.moved, linesEach*c.Rounds["ahead"])
	expect("points of a clock that was right", found.points["right"], c.Rounds["right"])
	expect("points of a clock that was behind", found.points["behind"], c.Rounds["behind"])
	expect("points of a clock that was ahead", found.points["ahead"], 0)
	if int(left) != c.Rounds["ahead"] {
		complaints = append(complaints, fmt.Sprintf("%d points were ahead, and Alloy has counted %.0f as left out", c.Rounds["ahead"], left))
	}
	return fmt.Sprintf("%d of %d spans, %.0f of %d lines; of the points all %.0f that were right, all %.0f that were behind, and none of %d that were ahead: %.0f are counted as left out",
		found.traces, len(c.Traces), lines, linesEach*len(c.Traces), found.points["right"], found.points["behind"], c.Rounds["ahead"], left), complaints
}
