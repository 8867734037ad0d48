package query

import (
	"fmt"
	"math"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

func TestRange(t *testing.T) {
	url, a := serve(t, 200, `{"status":"success","data":{"resultType":"matrix","result":[
		{"metric":{"job":"a"},"values":[[1795354900,"1.5"],[1795354905.5,"NaN"],[1795354910,"+Inf"]]},
		{"metric":{},"values":[]}]}}`)
	want := []Series{
		{Labels: map[string]string{"job": "a"}, Points: []Point{
			{time.Unix(1795354900, 0), 1.5}, {time.UnixMilli(1795354905500), math.NaN()}, {time.Unix(1795354910, 0), math.Inf(1)}}},
		{Labels: map[string]string{}, Points: []Point{}},
	}
	got, err := (Mimir{url, http.DefaultClient}).Range(t.Context(), "up", from, to, 5*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got, cmpopts.EquateNaNs()); diff != "" {
		t.Errorf("series (- want, + got):\n%s", diff)
	}
	checkAsked(t, a, "/prometheus/api/v1/query_range", map[string]string{"query": "up", "start": "1795354900.250", "end": "1795354960.999", "step": "5"})

	if got, err = (Loki{url, http.DefaultClient}).Range(t.Context(), "rate({a}[1m])", from, to, 1500*time.Millisecond); err != nil || len(got) != 2 {
		t.Errorf("%v, %v", got, err)
	}
	checkAsked(t, a, "/loki/api/v1/query_range", map[string]string{"query": "rate({a}[1m])", "start": "1795354900250000000", "end": "1795354960999999999", "step": "1.5"})
}

func TestAt(t *testing.T) {
	for body, want := range map[string][]Series{
		`{"data":{"resultType":"vector","result":[{"metric":{"a":"b"},"value":[1795354930,"NaN"]}]}}`: {
			{Labels: map[string]string{"a": "b"}, Points: []Point{{time.Unix(1795354930, 0), math.NaN()}}}},
		`{"data":{"resultType":"scalar","result":[1795354930,"3"]}}`: {{Points: []Point{{time.Unix(1795354930, 0), 3}}}},
		`{"data":{"resultType":"vector","result":[]}}`:               nil,
	} {
		url, a := serve(t, 200, body)
		got, err := (Mimir{url, http.DefaultClient}).At(t.Context(), "up", to)
		if diff := cmp.Diff(want, got, cmpopts.EquateNaNs()); diff != "" || err != nil {
			t.Errorf("%s: %v, series (- want, + got):\n%s", body, err, diff)
		}
		checkAsked(t, a, "/prometheus/api/v1/query", map[string]string{"query": "up", "time": "1795354960.999"})
		if _, err := (Loki{url, http.DefaultClient}).At(t.Context(), "sum(a)", to); err != nil {
			t.Error(err)
		}
		checkAsked(t, a, "/loki/api/v1/query", map[string]string{"query": "sum(a)", "time": "1795354960999999999"})
	}
}

// TestOddSeries gives answers that are not series.
func TestOddSeries(t *testing.T) {
	for body, want := range map[string]string{
		`{}`: `the answer is a "", not metrics`,
		`{"data":{"resultType":"streams","result":[]}}`:                                   `the answer is a "streams", not metrics`,
		`{"data":{"resultType":"matrix","result":{}}}`:                                    "cannot unmarshal",
		`{"data":{"resultType":"matrix","result":[{"values":[[1,"many"]]}]}}`:             `"many", which is not a number`,
		`{"data":{"resultType":"matrix","result":[{"values":[[1,2]]}]}}`:                  "a value without its time",
		`{"data":{"resultType":"vector","result":[{"value":["x","2"]}]}}`:                 "a value without its time",
		`{"data":{"resultType":"scalar","result":"3"}}`:                                   "cannot unmarshal",
		`{"data":{"resultType":"matrix","result":[{"metric":{},"histograms":[[1,{}]]}]}}`: "native histograms",
	} {
		url, _ := serve(t, 200, body)
		if _, err := (Mimir{url, http.DefaultClient}).Range(t.Context(), "up", from, to, time.Second); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error %v, want one that says %q", body, err, want)
		}
	}
}

func TestLatest(t *testing.T) {
	url, a := serve(t, 200, `{"data":{"resultType":"streams","result":[
		{"stream":{"s":"a"},"values":[["4","fourth"],["2","second"]]},{"stream":{"s":"b"},"values":[["3","third"]]}]}}`)
	got, err := (Loki{url, http.DefaultClient}).Latest(t.Context(), `{a="b"}`, from, to, 3)
	if err != nil {
		t.Fatal(err)
	}
	var order []string
	for _, l := range got {
		order = append(order, l.Text)
	}
	if got := strings.Join(order, " "); got != "fourth third second" {
		t.Errorf("lines %s, want the latest first", got)
	}
	checkAsked(t, a, "/loki/api/v1/query_range", map[string]string{"query": `{a="b"}`, "limit": "3", "direction": "backward",
		"start": "1795354900250000000", "end": "1795354960999999999"})
}

func TestFind(t *testing.T) {
	url, a := serve(t, 200, `{"traces":[{"traceID":"abc","rootServiceName":"frontend","rootTraceName":"GET /api/users",
		"startTimeUnixNano":"1795354900000000007","durationMs":104,"spanSets":[{"spans":[{"spanID":"e7","name":"GET /users",
		"startTimeUnixNano":"1795354900000000009","durationNanos":"102000000","attributes":[
		{"key":"service.name","value":{"stringValue":"backend"}},{"key":"http.response.status_code","value":{"intValue":"500"}},
		{"key":"share","value":{"doubleValue":0.5}},{"key":"slow","value":{"boolValue":true}},{"key":"none","value":{}}]}],"matched":1}]},
		{"traceID":"00f067aa0ba902b700f067aa0ba902b7","startTimeUnixNano":"1"}]}`)
	got, err := (Tempo{url, http.DefaultClient}).Find(t.Context(), "{}", from, to, 2)
	if err != nil {
		t.Fatal(err)
	}
	want := []Found{{
		TraceID: strings.Repeat("0", 29) + "abc", Service: "frontend", Name: "GET /api/users",
		Start: time.Unix(0, 1795354900000000007), Duration: 104 * time.Millisecond,
		Spans: []FoundSpan{{ID: "e7", Name: "GET /users", Start: time.Unix(0, 1795354900000000009), Duration: 102 * time.Millisecond,
			Attributes: map[string]string{"service.name": "backend", "http.response.status_code": "500", "share": "0.5", "slow": "true", "none": ""}}},
		Matched: 1,
	}, {TraceID: "00f067aa0ba902b700f067aa0ba902b7", Start: time.Unix(0, 1)}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("traces (- want, + got):\n%s", diff)
	}
	checkAsked(t, a, "/api/search", map[string]string{"q": "{}", "limit": "2", "start": "1795354900", "end": "1795354961"})
}

func TestTempoRange(t *testing.T) {
	url, a := serve(t, 200, `{"series":[{"labels":[{"key":"resource.service.name","value":{"stringValue":"backend"}}],
		"samples":[{"timestampMs":"1795354900000"},{"timestampMs":"1795354905000","value":16.5}]}]}`)
	got, err := (Tempo{url, http.DefaultClient}).Range(t.Context(), "{} | rate()", from, to, 5*time.Second)
	want := []Series{{Labels: map[string]string{"resource.service.name": "backend"},
		Points: []Point{{time.Unix(1795354900, 0), 0}, {time.Unix(1795354905, 0), 16.5}}}}
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Errorf("%v, series (- want, + got):\n%s", err, diff)
	}
	checkAsked(t, a, "/api/metrics/query_range", map[string]string{"q": "{} | rate()", "step": "5s", "start": "1795354900", "end": "1795354961"})
	for _, body := range []string{`{"series":{}}`, `{"series":[{"samples":[{"timestampMs":"1","value":1e999}]}]}`, `{"series":[{"samples":[{"timestampMs":"x"}]}]}`} {
		url, _ := serve(t, 200, body)
		if got, err := (Tempo{url, http.DefaultClient}).Range(t.Context(), "{}", from, to, time.Second); err == nil {
			t.Errorf("%s is taken for %s", body, fmt.Sprint(got))
		}
	}
}
