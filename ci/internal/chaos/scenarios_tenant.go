package chaos

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/plog/plogotlp"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/pmetric/pmetricotlp"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.opentelemetry.io/collector/pdata/ptrace/ptraceotlp"

	"github.com/lgtm-lab/lgtm-lab/ci/internal/target"
)

// tenantFor is how long a tenant goes on.
const tenantFor = time.Minute

// streamsFull is how long Loki may have no room for a new stream, and Alloy's senders to Loki
// may all wait for it: chunk_idle_period in config/loki/loki.yaml, and the flush after it, with
// the waits of those that came last.
const streamsFull = 8 * time.Minute

// tenantLabels is the scenario in which a sender fills Loki's streams.
const tenantLabels = "tenant-labels"

// tenantKinds send what docs/limits.md is about, again and again.
var tenantKinds = []struct {
	name, about string
	send        func(ctx context.Context, g *tenant, round int)
	// waits is how long others' telemetry may wait for room in a store.
	waits time.Duration
}{
	{"tenant-poison", "one tenant sends what cannot be stored: no OTLP, ids of a wrong length, bytes that are no UTF-8, times from nowhere", poison, 0},
	{tenantLabels, "one tenant sends metrics of 10,000 new series at a time, and logs of 1,000 new services", labels, streamsFull},
	{"tenant-lines", "one tenant sends log lines of 10 MB", hugeLines, 0},
	{"tenant-trace", "one tenant sends traces of 100 MB", hugeTrace, 0},
}

// tenants are the scenarios in which one sender harms itself, and should harm nobody else.
func tenants() []Scenario {
	var all []Scenario
	for _, t := range tenantKinds {
		all = append(all, Scenario{
			Name: t.name, About: fmt.Sprintf("%s, for %v", t.about, tenantFor),
			Promises: append(slices.Clone(stored), Unnoticed, OneTenant, Memory), Needs: everything,
			Patience: t.waits, FreshWithin: t.waits, OwnLab: true, Targets: []string{target.Local},
			Inject: func(ctx context.Context, s *Stage) error { return injectTenant(ctx, s, t.name, t.send) },
			Judge:  judgeTenant,
		})
	}
	return all
}

// tenant is a sender of OTLP over HTTP.
type tenant struct {
	http *http.Client
	otlp string
	// Answers counts the answers by status; 0 is no answer.
	Answers map[int]int
	Error   string // why a request got no answer
	Bytes   int64
}

func injectTenant(ctx context.Context, s *Stage, name string, send func(context.Context, *tenant, int)) error {
	if s.Addresses.OTLPHTTP == "" {
		return errors.New("the lab has no address for OTLP")
	}
	g := &tenant{http: &http.Client{Timeout: time.Minute}, otlp: s.Addresses.OTLPHTTP, Answers: map[int]int{}}
	defer g.http.CloseIdleConnections()
	s.Note(name, target.Alloy)
	watching := watchComponents(ctx, s)
	for round, end := 0, time.Now().Add(tenantFor); time.Now().Before(end) && ctx.Err() == nil; round++ {
		send(ctx, g, round)
	}
	s.Note(name+" over", target.Alloy)
	s.Say(g.String())
	s.fact("components", watching())
	s.Facts["tenant"] = g.String()
	if n := g.Answers[0]; n > 0 {
		s.Facts["unanswered"] = fmt.Sprintf("%d requests got no answer: %s", n, g.Error)
	}
	return context.Cause(ctx)
}

func (g *tenant) String() string {
	return fmt.Sprintf("%d MB sent, answers by status %v", g.Bytes>>20, g.Answers)
}

func judgeTenant(s *Stage, _ Observation) []Verdict {
	var complaints []string
	if why := s.Facts["unanswered"]; why != "" {
		complaints = append(complaints, why)
	}
	return []Verdict{verdict(OneTenant, s.Facts["tenant"], complaints...), judgeComponents(s)}
}

// post sends a body, and waits a moment when it is told to, as an exporter does.
func (g *tenant) post(ctx context.Context, signal string, body []byte) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, g.otlp+"/v1/"+signal, bytes.NewReader(body))
	if err != nil {
		g.Error = err.Error()
		return
	}
	req.Header.Set("Content-Type", "application/x-protobuf")
	g.Bytes += int64(len(body))
	resp, err := g.http.Do(req)
	if ctx.Err() != nil {
		return
	}
	if err != nil {
		g.Answers[0]++
		g.Error = err.Error()
		return
	}
	_, _ = io.Copy(io.Discard, io.LimitReader(resp.Body, 1<<20))
	_ = resp.Body.Close()
	if g.Answers[resp.StatusCode]++; resp.StatusCode == http.StatusServiceUnavailable || resp.StatusCode == http.StatusTooManyRequests {
		select {
		case <-ctx.Done():
		case <-time.After(200 * time.Millisecond):
		}
	}
}

func (g *tenant) traces(ctx context.Context, t ptrace.Traces) {
	if body, err := ptraceotlp.NewExportRequestFromTraces(t).MarshalProto(); err == nil {
		g.post(ctx, "traces", body)
	}
}

func (g *tenant) logs(ctx context.Context, l plog.Logs) {
	if body, err := plogotlp.NewExportRequestFromLogs(l).MarshalProto(); err == nil {
		g.post(ctx, "logs", body)
	}
}

func (g *tenant) metrics(ctx context.Context, m pmetric.Metrics) {
	if body, err := pmetricotlp.NewExportRequestFromMetrics(m).MarshalProto(); err == nil {
		g.post(ctx, "metrics", body)
	}
}

func poison(ctx context.Context, g *tenant, round int) {
	for _, signal := range []string{"traces", "logs", "metrics"} {
		g.post(ctx, signal, []byte("this is no OTLP"))
		g.post(ctx, signal, bytes.Repeat([]byte{0x0a, 0xff}, 1000))
	}
	t := ptrace.NewTraces()
	rs := t.ResourceSpans().AppendEmpty()
	rs.Resource().Attributes().PutStr("service.name", "poison")
	spans := rs.ScopeSpans().AppendEmpty().Spans()
	for i := range 200 {
		span := spans.AppendEmpty() // without ids and times
		span.SetName("bad \xff\xfe name")
		span.SetEndTimestamp(pcommon.Timestamp(i))
		span.Attributes().PutStr("key", "\xc3\x28")
	}
	g.traces(ctx, t)
	l := plog.NewLogs()
	rl := l.ResourceLogs().AppendEmpty()
	rl.Resource().Attributes().PutStr("service.name", "poison")
	records := rl.ScopeLogs().AppendEmpty().LogRecords()
	for i := range 200 {
		r := records.AppendEmpty()
		r.SetTimestamp(pcommon.Timestamp(i))
		r.Body().SetStr("line \xff")
		r.Attributes().PutStr("__error__", fmt.Sprint(round))
	}
	g.logs(ctx, l)
	pause(ctx, 50*time.Millisecond)
}

func labels(ctx context.Context, g *tenant, round int) {
	m := pmetric.NewMetrics()
	rm := m.ResourceMetrics().AppendEmpty()
	rm.Resource().Attributes().PutStr("service.name", "label-explosion")
	metric := rm.ScopeMetrics().AppendEmpty().Metrics().AppendEmpty()
	metric.SetName("explosion")
	points := metric.SetEmptyGauge().DataPoints()
	for i := range 10_000 {
		p := points.AppendEmpty()
		p.SetTimestamp(pcommon.NewTimestampFromTime(time.Now()))
		p.SetIntValue(1)
		p.Attributes().PutStr("user", fmt.Sprintf("%d-%d", round, i))
	}
	g.metrics(ctx, m)
	l := plog.NewLogs()
	for i := range 1000 {
		rl := l.ResourceLogs().AppendEmpty()
		rl.Resource().Attributes().PutStr("service.name", fmt.Sprintf("explosion-%d-%d", round, i))
		r := rl.ScopeLogs().AppendEmpty().LogRecords().AppendEmpty()
		r.SetTimestamp(pcommon.NewTimestampFromTime(time.Now()))
		r.Body().SetStr("hello")
	}
	g.logs(ctx, l)
	pause(ctx, time.Second)
}

func hugeLines(ctx context.Context, g *tenant, _ int) {
	l := plog.NewLogs()
	rl := l.ResourceLogs().AppendEmpty()
	rl.Resource().Attributes().PutStr("service.name", "huge-lines")
	r := rl.ScopeLogs().AppendEmpty().LogRecords().AppendEmpty()
	r.SetTimestamp(pcommon.NewTimestampFromTime(time.Now()))
	r.Body().SetStr(strings.Repeat("0123456789", 1<<20))
	g.logs(ctx, l)
	pause(ctx, 200*time.Millisecond)
}

// hugeTrace sends a trace of 100 MB in requests of 5 MB.
func hugeTrace(ctx context.Context, g *tenant, round int) {
	var id pcommon.TraceID
	binary.BigEndian.PutUint64(id[:], uint64(time.Now().UnixNano()))
	binary.BigEndian.PutUint64(id[8:], uint64(round+1))
	const parts, spansEach, size = 20, 500, 10_000
	for part := range parts {
		t := ptrace.NewTraces()
		rs := t.ResourceSpans().AppendEmpty()
		rs.Resource().Attributes().PutStr("service.name", "huge-trace")
		spans := rs.ScopeSpans().AppendEmpty().Spans()
		now := pcommon.NewTimestampFromTime(time.Now())
		for i := range spansEach {
			span := spans.AppendEmpty()
			var spanID pcommon.SpanID
			binary.BigEndian.PutUint64(spanID[:], uint64(part*spansEach+i+1))
			span.SetTraceID(id)
			span.SetSpanID(spanID)
			span.SetName("huge")
			span.SetStartTimestamp(now)
			span.SetEndTimestamp(now)
			span.Attributes().PutStr("text", strings.Repeat("0123456789", size/10))
		}
		g.traces(ctx, t)
		if ctx.Err() != nil {
			return
		}
	}
	pause(ctx, time.Second)
}

func pause(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}
