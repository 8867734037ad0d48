package verify

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	commonpb "go.opentelemetry.io/proto/otlp/common/v1"
	resourcepb "go.opentelemetry.io/proto/otlp/resource/v1"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"

	"github.com/lgtm-lab/lgtm-lab/ci/internal/query"
)

// handler serves all parts of the stack, each below its name.
func (f *fake) handler() http.Handler {
	mux := http.NewServeMux()
	ready := func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "ready") }
	mux.HandleFunc("GET /alloy/-/ready", ready)
	mux.HandleFunc("GET /loki/ready", ready)
	mux.HandleFunc("GET /tempo/ready", ready)
	mux.HandleFunc("GET /mimir/ready", ready)
	for path, part := range map[string]string{"/loki/config": "loki", "/tempo/status/config": "tempo", "/mimir/config": "mimir"} {
		mux.HandleFunc("GET "+path, func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, f.settings[part]) })
	}
	mux.HandleFunc("GET /tempo/api/traces/{id}", f.traceByID)
	mux.HandleFunc("GET /tempo/api/search", f.traceSearch)
	mux.HandleFunc("GET /loki/loki/api/v1/query", f.logQL)
	mux.HandleFunc("GET /loki/loki/api/v1/query_range", f.logQL)
	mux.HandleFunc("GET /mimir/prometheus/api/v1/query", f.query)
	mux.HandleFunc("GET /mimir/prometheus/api/v1/query_exemplars", f.queryExemplars)
	mux.HandleFunc("GET /mimir/prometheus/api/v1/query_range", f.queryRange)
	mux.HandleFunc("GET /mimir/prometheus/api/v1/label/{label}/values", f.labelValues)
	mux.HandleFunc("GET /mimir/prometheus/api/v1/rules", f.rules)
	mux.HandleFunc("GET /tempo/api/metrics/query_range", f.traceRates)
	f.grafana(mux)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		part := strings.Split(r.URL.Path, "/")[1]
		if f.answers == nil || !f.answers(part, w, r) {
			mux.ServeHTTP(w, r)
		}
	})
}

func (f *fake) traceByID(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	spans := f.traces[r.PathValue("id")]
	f.mu.Unlock()
	if len(spans) == 0 {
		http.Error(w, "", http.StatusNotFound)
		return
	}
	var data tracepb.TracesData
	for _, s := range spans { // a resource for each is as good as one for many
		data.ResourceSpans = append(data.ResourceSpans, &tracepb.ResourceSpans{
			Resource:   &resourcepb.Resource{Attributes: toProto(s.Resource)},
			ScopeSpans: []*tracepb.ScopeSpans{{Spans: []*tracepb.Span{spanToProto(s)}}},
		})
	}
	body, err := proto.Marshal(&data)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/protobuf")
	w.Write(body) //nolint:errcheck // a client that is gone
}

func spanToProto(s query.Span) *tracepb.Span {
	id, _ := hex.DecodeString(s.ID)
	parent, _ := hex.DecodeString(s.ParentID)
	out := &tracepb.Span{
		SpanId: id, ParentSpanId: parent, Name: s.Name, Attributes: toProto(s.Attributes),
		StartTimeUnixNano: uint64(s.Start.UnixNano()), EndTimeUnixNano: uint64(s.End.UnixNano()),
		Kind: map[query.Kind]tracepb.Span_SpanKind{
			query.Server: tracepb.Span_SPAN_KIND_SERVER, query.Client: tracepb.Span_SPAN_KIND_CLIENT, query.Internal: tracepb.Span_SPAN_KIND_INTERNAL,
		}[s.Kind],
	}
	if s.Failed {
		out.Status = &tracepb.Status{Code: tracepb.Status_STATUS_CODE_ERROR}
	}
	return out
}

func toProto(attrs labels) (out []*commonpb.KeyValue) {
	for k, v := range attrs {
		out = append(out, &commonpb.KeyValue{Key: k, Value: &commonpb.AnyValue{Value: &commonpb.AnyValue_StringValue{StringValue: v}}})
	}
	return out
}

// traceQL selects a trace by its id, or all with a span of a kind.
var traceQL = regexp.MustCompile(`^\{ (?:trace:id = "([0-9a-f]+)"|kind = (server|client)) \}( \| rate\(\))?$`)

// traceSearch does as Tempo does: ids are without leading zeros.
func (f *fake) traceSearch(w http.ResponseWriter, r *http.Request) {
	if q, ofRun := strings.CutPrefix(r.FormValue("q"), runSpans+" | by(span:id) | select("); ofRun {
		f.spanSearch(w, r, strings.Split(strings.TrimSuffix(q, ")"), ", "))
		return
	}
	m := traceQL.FindStringSubmatch(r.FormValue("q"))
	if m == nil || m[3] != "" {
		http.Error(w, "invalid TraceQL query", http.StatusBadRequest)
		return
	}
	found := []labels{}
	f.mu.Lock()
	defer f.mu.Unlock()
	for id, spans := range f.traces {
		short := strings.TrimLeft(id, "0")
		i := slices.IndexFunc(spans, func(s query.Span) bool { return short == m[1] || string(s.Kind) == m[2] })
		if i >= 0 {
			found = append(found, labels{"traceID": short, "startTimeUnixNano": strconv.FormatInt(spans[i].Start.UnixNano(), 10)})
		}
	}
	writeJSON(w, map[string]any{"traces": found})
}

// spanSearch answers with the spans of the traces that overlap the seconds asked for.
func (f *fake) spanSearch(w http.ResponseWriter, r *http.Request, selected []string) {
	start, _ := strconv.ParseInt(r.FormValue("start"), 10, 64)
	end, _ := strconv.ParseInt(r.FormValue("end"), 10, 64)
	limit, _ := strconv.Atoi(r.FormValue("limit"))
	found := []any{}
	f.mu.Lock()
	defer f.mu.Unlock()
	for id, spans := range f.traces {
		inside := func(s query.Span) bool { return s.Start.Unix() <= end && s.End.Unix() >= start }
		if len(found) == limit || !slices.ContainsFunc(spans, inside) {
			continue
		}
		groups := map[string][]any{}
		for _, s := range spans {
			groups[s.ID] = append(groups[s.ID], searchedSpan(s, selected))
		}
		sets := []any{}
		for _, group := range groups {
			sets = append(sets, map[string]any{"matched": len(group), "spans": group})
		}
		found = append(found, map[string]any{"traceID": strings.TrimLeft(id, "0"), "startTimeUnixNano": "1", "spanSets": sets})
	}
	if f.searched != nil {
		found = f.searched(found)
	}
	writeJSON(w, map[string]any{"traces": found})
}

// searchedSpan is a span as a search shows it: without leading zeros, and without what
// the query does not select.
func searchedSpan(s query.Span, selected []string) map[string]any {
	values := labels{"span:parentID": strings.TrimLeft(s.ParentID, "0"), "kind": string(s.Kind), "status": "unset", "resource.service.name": s.Service}
	if s.Failed {
		values["status"] = "error"
	}
	for key, value := range s.Attributes {
		values["span."+key] = value
	}
	attributes := []any{}
	for _, key := range selected {
		if value := values[key]; value != "" {
			short := strings.TrimPrefix(strings.TrimPrefix(key, "span."), "resource.")
			attributes = append(attributes, map[string]any{"key": short, "value": labels{"stringValue": value}})
		}
	}
	return map[string]any{
		"spanID": s.ID, "name": s.Name, "attributes": attributes,
		"startTimeUnixNano": strconv.FormatInt(s.Start.UnixNano(), 10), "durationNanos": strconv.FormatInt(int64(s.Duration()), 10),
	}
}

// traceRates answers every rate of spans alike.
func (f *fake) traceRates(w http.ResponseWriter, r *http.Request) {
	if m := traceQL.FindStringSubmatch(r.FormValue("q")); m == nil || m[3] == "" {
		http.Error(w, "invalid TraceQL query", http.StatusBadRequest)
		return
	}
	now := strconv.FormatInt(time.Now().UnixMilli(), 10)
	writeJSON(w, map[string]any{"series": []any{map[string]any{"samples": []any{map[string]any{"timestampMs": now, "value": 2}}}}})
}

var logQL = regexp.MustCompile(`^(?:sum by \((\w+)\) \(count_over_time\()?` + // 1: by
	`\{(\w+)="(\w+)"(?:, lab_audit="users")?\}( \|~ "\^request\$"| \| lab_audit_result="success")? \| trace_id ?(=~?) ?"([^"]*)"` + // 2 and 3: label, 4: text, 5 and 6: trace id
	`(?: \| http_response_status_code >= 500 or duration_ms >= [0-9.]+)?` +
	`(?: \[(\d+)ms\]\)\))?$`) // 7: window

// maxLokiSeries is Loki's own limit on the series of an answer.
const maxLokiSeries = 500

func (f *fake) logQL(w http.ResponseWriter, r *http.Request) {
	m := logQL.FindStringSubmatch(r.FormValue("query"))
	if m == nil && f.logPanel(w, r) {
		return
	}
	if m == nil {
		http.Error(w, "parse error: "+r.FormValue("query"), http.StatusBadRequest)
		return
	}
	to := nanoseconds(r.FormValue("end") + r.FormValue("time"))
	from := nanoseconds(r.FormValue("start"))
	if m[7] != "" {
		ms, _ := strconv.Atoi(m[7])
		from = to.Add(-time.Duration(ms) * time.Millisecond)
	}
	pattern := m[6]
	if m[5] == "=" {
		pattern = regexp.QuoteMeta(pattern)
	}
	traceID := regexp.MustCompile("^(?:" + pattern + ")$")
	failed := strings.Contains(r.FormValue("query"), ">= 500 or")
	audit := strings.Contains(m[4], "audit")
	var lines []query.Line
	f.mu.Lock()
	for _, l := range f.logs {
		if failed && l.Labels["http_response_status_code"] < "500" {
			continue
		}
		if l.Labels[m[2]] == m[3] && traceID.MatchString(l.Labels["trace_id"]) && (m[4] == "" || audit == (l.Text != "request")) &&
			!l.Time.Before(from) && !l.Time.After(to) {
			lines = append(lines, l)
		}
	}
	f.mu.Unlock()
	if m[1] == "" {
		writeLines(w, lines)
		return
	}
	counts, vector := map[string]int{}, []any{}
	for _, l := range lines {
		counts[l.Labels[m[1]]]++
	}
	if len(counts) > maxLokiSeries {
		http.Error(w, "maximum number of series (500) reached for a single query", http.StatusBadRequest)
		return
	}
	for value, n := range counts {
		vector = append(vector, map[string]any{"metric": labels{m[1]: value}, "value": []any{0, strconv.Itoa(n)}})
	}
	writeData(w, "vector", vector)
}

// logPanelQL is a selector, or how many lines there are of each level.
var logPanelQL = regexp.MustCompile(`^(sum by \(level\) \(count_over_time\()?\{([^}]*)\}(?:\[\d+s\]\)\))?$`)

// logPanel answers the queries of panels, and tells whether it is one.
func (f *fake) logPanel(w http.ResponseWriter, r *http.Request) bool {
	m := logPanelQL.FindStringSubmatch(r.FormValue("query"))
	if m == nil {
		return false
	}
	selected, err := selects("", strings.ReplaceAll(m[2], ", ", ","))
	if err != nil {
		return false
	}
	var lines []query.Line
	values := []any{}
	f.mu.Lock()
	for _, l := range f.logs {
		if selected(l.Labels) {
			lines, values = append(lines, l), append(values, []any{l.Time.Unix() + 1, "1"})
		}
	}
	f.mu.Unlock()
	switch {
	case m[1] == "":
		writeLines(w, lines)
	case len(values) == 0:
		writeData(w, "matrix", []any{})
	case strings.HasSuffix(r.URL.Path, "query_range"):
		writeData(w, "matrix", []any{map[string]any{"metric": labels{"level": "info"}, "values": values}})
	default:
		writeData(w, "vector", []any{map[string]any{"metric": labels{"level": "info"}, "value": values[len(values)-1]}})
	}
	return true
}

func writeLines(w http.ResponseWriter, lines []query.Line) {
	streams := []any{}
	for _, l := range lines {
		streams = append(streams, map[string]any{"stream": l.Labels, "values": [][2]string{{strconv.FormatInt(l.Time.UnixNano(), 10), l.Text}}})
	}
	writeData(w, "streams", streams)
}

func nanoseconds(text string) time.Time {
	ns, _ := strconv.ParseInt(text, 10, 64)
	return time.Unix(0, ns)
}

func (f *fake) query(w http.ResponseWriter, r *http.Request) {
	samples, err := f.instant(r.FormValue("query"), seconds(r.FormValue("time")))
	if errors.Is(err, errOther) {
		f.queryOther(w, r)
		return
	}
	if err != nil {
		badData(w, err)
		return
	}
	vector := []any{}
	for _, s := range samples {
		vector = append(vector, map[string]any{"metric": s.Labels, "value": []any{0, strconv.FormatFloat(s.Value, 'g', -1, 64)}})
	}
	writeData(w, "vector", vector)
}

func seconds(text string) time.Time {
	s, _ := strconv.ParseFloat(text, 64)
	return time.UnixMilli(int64(s*1000 + 0.5))
}

func writeData(w http.ResponseWriter, resultType string, result any) {
	writeJSON(w, map[string]any{"status": "success", "data": map[string]any{"resultType": resultType, "result": result}})
}

func writeJSON(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(v) // maps of plain values, to a client that may be gone
}
