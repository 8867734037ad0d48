package e2e

import (
	"encoding/json"
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	collogspb "go.opentelemetry.io/proto/otlp/collector/logs/v1"
	commonpb "go.opentelemetry.io/proto/otlp/common/v1"
	logspb "go.opentelemetry.io/proto/otlp/logs/v1"
	resourcepb "go.opentelemetry.io/proto/otlp/resource/v1"

	"github.com/lgtm-lab/lgtm-lab/ci/internal/query"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/target"
)

// logRecord returns a record of now, of level info, to which change was applied.
func logRecord(body string, change func(*logspb.LogRecord)) *logspb.LogRecord {
	r := &logspb.LogRecord{
		TimeUnixNano: nanos(time.Now()), ObservedTimeUnixNano: nanos(time.Now()), SeverityNumber: 9, SeverityText: "INFO",
		Body: anyValue(body),
	}
	if change != nil {
		change(r)
	}
	return r
}

// logsFrom returns the records of one sender.
func logsFrom(sender *resourcepb.Resource, records ...*logspb.LogRecord) *logspb.ResourceLogs {
	return &logspb.ResourceLogs{Resource: sender, ScopeLogs: []*logspb.ScopeLogs{{
		Scope: &commonpb.InstrumentationScope{Name: "guest"}, LogRecords: records,
	}}}
}

// sendLogs posts one request with the records of several senders.
func (l *testLab) sendLogs(senders ...*logspb.ResourceLogs) {
	l.Helper()
	l.mustSend("logs", &collogspb.ExportLogsServiceRequest{ResourceLogs: senders})
}

func mapValue(pairs ...any) *commonpb.AnyValue {
	return &commonpb.AnyValue{Value: &commonpb.AnyValue_KvlistValue{KvlistValue: &commonpb.KeyValueList{Values: attributes(pairs...)}}}
}

func (l *testLab) loki() query.Loki { return query.Loki{URL: l.addresses.Loki, HTTP: client} }

// lines returns the last week's lines that a selector finds; it is empty when Loki does not
// answer.
func (l *testLab) lines(selector string) []query.Line {
	l.Helper()
	lines, err := l.loki().Lines(l.Context(), selector, time.Now().AddDate(0, 0, -7), time.Now().Add(20*time.Minute), 1000)
	if err != nil {
		l.Logf("%v", err)
	}
	return lines
}

// line waits for the only line that a selector finds.
func (l *testLab) line(selector string) query.Line {
	l.Helper()
	var lines []query.Line
	l.eventually("a line of "+selector, func() bool {
		lines = l.lines(selector)
		return len(lines) > 0
	})
	if len(lines) > 1 {
		l.Errorf("%s finds %d lines", selector, len(lines))
	}
	return lines[0]
}

// labelValues returns the values of a label of streams.
func (l *testLab) labelValues(label string) []string {
	l.Helper()
	response, err := client.Get(l.addresses.Loki + "/loki/api/v1/label/" + label + "/values")
	if err != nil {
		l.Fatal(err)
	}
	defer response.Body.Close()
	var answer struct{ Data []string }
	if err := json.NewDecoder(response.Body).Decode(&answer); err != nil {
		l.Fatal(err)
	}
	return answer.Data
}

// nothingRefused checks that Loki has refused no line, and that Alloy has given up none.
func (l *testLab) nothingRefused() {
	l.Helper()
	if n := l.counter(target.Loki, "loki_discarded_samples_total"); n != 0 {
		l.Errorf("Loki has discarded %.0f lines", n)
	}
	if n := l.counter(target.Alloy, "otelcol_exporter_send_failed_log_records_total"); n != 0 {
		l.Errorf("Alloy has given up on %.0f lines", n)
	}
}

// The label level has one of seven values. It comes from the severity's number, or without a
// number from its text. The application's own attribute of that name is kept.
func TestGuestLogLevels(t *testing.T) {
	t.Parallel()
	l := borrowLab(t)
	service := "levels-" + randomID(4)
	var records []*logspb.LogRecord
	want := map[string]string{}
	add := func(number int, text, level string) {
		name := fmt.Sprintf("%d %q", number, text)
		want[name] = level
		records = append(records, logRecord(name, func(r *logspb.LogRecord) {
			r.SeverityNumber, r.SeverityText = logspb.SeverityNumber(number), text
		}))
	}
	for number := 1; number <= 24; number++ {
		level := []string{"trace", "debug", "info", "warn", "error", "fatal"}[(number-1)/4]
		add(number, "", level)
		add(number, "a sentence that mentions an ERROR", level)
	}
	for level, texts := range map[string]string{
		"trace": "trace TRACE Verbose finest", "debug": "debug Dbg FINE config", "info": "INFO Information informational notice I",
		"warn": "warn WARNING Warning wrn [WARN]", "error": "ERROR err Error SEVERE ERROR+2 error:", "fatal": "fatal CRITICAL Critical crit emerg ALERT panic",
		"unknown": "200 OK! success ErrorProne ошибка",
	} {
		for text := range strings.FieldsSeq(texts) {
			add(0, text, level)
			add(99, text, level)
		}
	}
	add(0, "", "unknown")
	add(0, "Build 7f3a of main took 12 s", "unknown")
	add(9, "200", "info")
	records = append(records, logRecord("own", func(r *logspb.LogRecord) {
		r.SeverityNumber, r.Attributes = 17, attributes("level", 50)
	}))
	want["own"] = "error"
	l.sendLogs(logsFrom(resource(service, "level", "of the resource", "k8s.pod.name", "pod-1", "k8s.container.name", "c"), records...))

	selector := fmt.Sprintf("{service_name=%q}", service)
	l.eventually("all lines are stored", func() bool { return len(l.lines(selector)) == len(records) })
	for _, line := range l.lines(selector) {
		if got := line.Labels["level"]; got != want[line.Text] {
			t.Errorf("%s: level %q, want %q", line.Text, got, want[line.Text])
		}
	}
	if own := l.line(selector + ` |= "own"`); own.Labels["exported_level"] != "50" {
		t.Errorf("the attribute level=50 is kept as %v", own.Labels)
	}
	if n := len(l.lines(selector + ` | k8s_pod_name="pod-1"`)); n != len(records) {
		t.Errorf("%d of %d lines name their pod", n, len(records))
	}
	for _, label := range []string{"k8s_pod_name", "k8s_container_name", "exported_level"} {
		if values := l.labelValues(label); len(values) > 0 {
			t.Errorf("%s is a label of streams: %v", label, values)
		}
	}
	if values := l.labelValues("level"); len(values) > 7 {
		t.Errorf("%d levels: %v", len(values), values)
	}
	l.nothingRefused()
}

// oddLogs are odd records that a guest may send beside a neighbour's line. A stored line must
// have these labels.
var oddLogs = []struct {
	name   string
	change func(*logspb.ResourceLogs, *logspb.LogRecord)
	want   map[string]string
}{
	{"a plain key", withAttributes("user.id", "7"), map[string]string{"user_id": "7"}},
	{"an accent", withAttributes("größe", "3"), map[string]string{"gr_e": "3"}},
	{"a key in Cyrillic", withAttributes("имя", "x"), nil},
	{"a key in Japanese", withAttributes("名前", "x"), nil},
	{"an emoji", withAttributes("🔥", "x"), nil},
	{"no key", withAttributes("", "x"), nil},
	{"underscores", withAttributes("___", "x"), nil},
	{"dots", withAttributes("...", "x"), nil},
	{"a key that is no text", withAttributes(notUTF8, "x"), nil},
	{"a digit first", withAttributes("1st", "x"), map[string]string{"key_1st": "x"}},
	{"no value", withAttributes("nothing", nil), nil},
	{"a key twice", withAttributes("k", "1", "k", "2"), nil},
	{"keys that Loki writes the same", withAttributes("user.id", "1", "user_id", "2", "user-id", "3"), nil},
	{"names of labels", withAttributes("service_name", "other", "job", "other", "level", "other"),
		map[string]string{"exported_service_name": "other", "exported_job": "other", "exported_level": "other", "level": "info"}},
	{"names of Loki's own", withAttributes("__name__", "x", "__error__", "x", "__error_details__", "x", "__stream_shard__", "1"),
		map[string]string{"exported_error_": "x"}},
	{"not a number", withAttributes("ratio", math.NaN(), "rest", math.Inf(1)), map[string]string{"ratio": "NaN"}},
	{"a map", func(_ *logspb.ResourceLogs, r *logspb.LogRecord) {
		r.Attributes = []*commonpb.KeyValue{{Key: "req", Value: mapValue("путь", "/", "id", 7)}}
	}, map[string]string{"req_id": "7"}},
	{"a resource's key in Cyrillic", withResource("имя", "x", "", "y"), nil},
	{"a resource's names of Loki's own", withResource("__error__", "x"), map[string]string{"exported_error_": "x"}},
	{"a resource's value that is no text", withResource("host.name", "caf"+notUTF8), nil},
	{"a namespace that is a map", func(from *logspb.ResourceLogs, _ *logspb.LogRecord) {
		from.Resource.Attributes = append(from.Resource.Attributes, &commonpb.KeyValue{Key: "k8s.namespace.name", Value: mapValue("a", 1)})
	}, map[string]string{"k8s_namespace_name": `{"a":1}`}},
	{"a scope's key in Cyrillic", func(from *logspb.ResourceLogs, _ *logspb.LogRecord) {
		from.ScopeLogs[0].Scope.Attributes = attributes("имя", "x", "", "y", "__error__", "z")
	}, nil},
	{"long names of scope and level", func(from *logspb.ResourceLogs, r *logspb.LogRecord) {
		from.ScopeLogs[0].Scope.Name, r.SeverityText = strings.Repeat("scope", 100_000), strings.Repeat("WARN", 100_000)
	}, map[string]string{"level": "info"}},
	{"long schemas", func(from *logspb.ResourceLogs, _ *logspb.LogRecord) {
		from.SchemaUrl, from.ScopeLogs[0].SchemaUrl = strings.Repeat("x", 600_000), strings.Repeat("y", 600_000)
	}, nil},
	{"an event", func(_ *logspb.ResourceLogs, r *logspb.LogRecord) {
		r.Body, r.EventName = nil, "device.app.lifecycle"
	}, map[string]string{"event_name": "device.app.lifecycle"}},
	{"no line", func(_ *logspb.ResourceLogs, r *logspb.LogRecord) { r.Body = nil }, nil},
	{"a line that is no text", func(_ *logspb.ResourceLogs, r *logspb.LogRecord) {
		r.Body, r.SeverityText = anyValue("caf"+notUTF8), notUTF8
	}, nil},
	{"ids of zeros", func(_ *logspb.ResourceLogs, r *logspb.LogRecord) {
		r.TraceId, r.SpanId = make([]byte, 16), make([]byte, 8)
	}, nil},
}

func withAttributes(pairs ...any) func(*logspb.ResourceLogs, *logspb.LogRecord) {
	return func(_ *logspb.ResourceLogs, r *logspb.LogRecord) { r.Attributes = attributes(pairs...) }
}

func withResource(pairs ...any) func(*logspb.ResourceLogs, *logspb.LogRecord) {
	return func(from *logspb.ResourceLogs, _ *logspb.LogRecord) {
		from.Resource.Attributes = append(from.Resource.Attributes, attributes(pairs...)...)
	}
}

// Whatever a guest sends, Loki stores its line, the line of a neighbour in the same request,
// and the line of a neighbour that sends at the same time. Queries over all of them work.
func TestGuestLogAttributes(t *testing.T) {
	t.Parallel()
	l := borrowLab(t)
	run := randomID(4)
	sender := func(kind string, i int) string { return fmt.Sprintf("%s-%s-%d", kind, run, i) }
	for i, odd := range oddLogs {
		record := logRecord(odd.name, nil)
		guest := logsFrom(resource(sender("guest", i)), record)
		odd.change(guest, record)
		l.sendLogs(logsFrom(resource(sender("before", i)), logRecord("x", nil)))
		l.sendLogs(guest, logsFrom(resource(sender("beside", i)), logRecord("x", nil)))
		// Longer than the queue waits, so that each request is a batch of its own.
		time.Sleep(400 * time.Millisecond)
	}
	for i, odd := range oddLogs {
		t.Run(odd.name, func(t *testing.T) {
			l := l.in(t)
			for _, kind := range []string{"before", "beside", "guest"} {
				got := l.line(fmt.Sprintf("{service_name=%q}", sender(kind, i)))
				for name, value := range odd.want {
					if kind == "guest" && got.Labels[name] != value {
						t.Errorf("%s=%q, want %q; all: %v", name, got.Labels[name], value, got.Labels)
					}
				}
			}
		})
	}
	everybody := fmt.Sprintf(`sum(count_over_time({service_name=~".+-%s-.+"}[10m]))`, run)
	if counts, err := l.loki().Count(t.Context(), everybody, "", time.Now()); err != nil || counts[""] != float64(3*len(oddLogs)) {
		t.Errorf("counting over all: %v, %v; want %d", counts, err, 3*len(oddLogs))
	}
	l.nothingRefused()
}

// A sender has the same name in Loki as in Tempo and Mimir, whatever its attributes are.
func TestGuestLogIdentity(t *testing.T) {
	t.Parallel()
	l := borrowLab(t)
	run := randomID(4)
	for i, test := range []struct {
		name     string
		sender   *resourcepb.Resource
		selector string
	}{
		{"no name", &resourcepb.Resource{}, `{service_name="unknown_service", job="unknown_service"}`},
		{"an empty name", resource(""), `{service_name="unknown_service", job="unknown_service"}`},
		{"blank", resource("  "), `{service_name="unknown_service", job="unknown_service"}`},
		{"a namespace", resource("cart-"+run, "service.namespace", "shop", "job", "mine"), `{service_name="cart-` + run + `", job="shop/cart-` + run + `"} | exported_job="mine"`},
		{"control characters", resource("a\n\x00\"\\" + run), `{service_name=~"(?s)a.+` + run + `"}`},
		{"no UTF-8", resource("caf" + notUTF8 + run), `{service_name=~"caf.+` + run + `", job=~"caf.+"}`},
		{"a number", &resourcepb.Resource{Attributes: attributes("service.name", 42)}, `{service_name="42", job="42"}`},
		{"a map", &resourcepb.Resource{Attributes: []*commonpb.KeyValue{{Key: "service.name", Value: mapValue("a", run)}}}, "{service_name=`{\"a\":\"" + run + "\"}`}"},
		{"a very long name", resource(run + strings.Repeat("é", 500_000)), `{service_name=~"` + run + `é+", job=~"` + run + `é+"}`},
	} {
		t.Run(test.name, func(t *testing.T) {
			l := l.in(t)
			text := fmt.Sprintf("identity %d of %s", i, run)
			l.sendLogs(logsFrom(resource("beside-"+run), logRecord(text, nil)), logsFrom(test.sender, logRecord(text, nil)))
			l.line(fmt.Sprintf("%s |= %q", test.selector, text))
			l.line(fmt.Sprintf("{service_name=%q} |= %q", "beside-"+run, text))
		})
	}
	l.nothingRefused()
}
