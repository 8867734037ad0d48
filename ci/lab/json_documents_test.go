package main

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lgtm-lab/lgtm-lab/ci/internal/arrival"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/bench"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/build"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/certificates"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/chaos"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/findings"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/images"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/inspect"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/query"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/report"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/score"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/services"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/snapshot"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/target"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/traceview"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// documents has one document of each kind that this package prints, with every field set.
func documents() map[string]any {
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	digest := "sha256:" + strings.Repeat("1", 64)
	return map[string]any{
		kindStatus: target.Status{
			Target: target.Kind, Cluster: "lgtm-lab", Ready: false, Started: at, MemoryBytes: 42 << 20,
			Components: []target.Component{{
				Name: "backend", Namespace: "app", State: "not ready", Desired: 2, Ready: 1, URL: "http://localhost:8080",
				Instances: []target.Instance{{
					Name: "backend-1", PID: 7, Node: "n", State: "not ready", Restarts: 3, MemoryBytes: 42 << 20, Started: at,
					Log: "backend.log", Detail: "503 draining",
				}},
			}},
			Forward: &target.Copy{
				Sent: target.Items{Spans: 7, LogRecords: 8, MetricPoints: 9}, GivenUp: target.Items{Spans: 1, LogRecords: 2, MetricPoints: 3},
				QueueBytes: 1 << 20, QueueCapacityBytes: 8 << 20,
			},
		},
		kindCertificates: certificates.Set{
			Path: "/home/me/lab/certificates", Authority: certificates.Certificate{Name: "authority", Serial: "1a", Names: []string{}, NotBefore: at, NotAfter: at.AddDate(10, 0, 0), Issued: true},
			Certificates: []certificates.Certificate{{Name: "loki", Serial: "2b", Names: []string{"127.0.0.1", "loki"}, NotBefore: at, NotAfter: at.AddDate(0, 3, 0), Issued: true}},
		},
		kindSnapshot: snapshot.Listing{
			Target: target.Local, Commit: "c0ffee", Taken: at, OK: true, Counts: map[snapshot.State]int{snapshot.Shown: 1}, Duration: 1.5,
			File: "page.html", Page: []string{"H4sI"},
			Panels: []snapshot.PanelListing{{
				Dashboard: "Overview", Row: "Now", ID: 1, Title: "Requests", Type: "stat", State: snapshot.Shown,
				Queries: []snapshot.QueryListing{{RefID: "A", Datasource: "mimir", Expr: "up", Count: 2, Error: "timeout", Duration: 0.25}},
			}},
		},
		kindImages:     imagesDocument{map[string]string{"loki": "grafana/loki:3.7.7@" + digest}},
		kindImageCheck: imageCheckDocument{9, []images.Finding{{File: "config/a.yaml", Line: 3, Reference: "grafana/loki:latest", Problem: "no digest"}}},
		kindBuiltImages: builtDocument{[]build.Image{{
			Name: "frontend", Digest: digest, Tag: "lgtm-lab/frontend:sha256-111111111111", Reference: "registry/frontend@" + digest,
			Platforms: []build.Platform{{Platform: "linux/amd64", Digest: digest, ID: digest, Size: 8100000}},
			Archive:   "frontend.oci.tar", ArchiveSize: 9000000, Tarball: "frontend.tar", TarballSize: 8200000, TarballPlatform: "linux/amd64",
		}}},
		kindArchives: archivesDocument{[]archiveRow{{"loki", images.Archive{
			Path: "loki.tar", Tag: "grafana/loki:3.7.7", Platform: "linux/amd64", ID: digest, Size: 40000000, Kept: true,
		}}}},
		kindScore: scoreDocument{score.Card{
			Service: "shop", RunID: "0123456789abcdef", Score: 95.83, Category: score.Excellent, Evaluated: 18, Specification: score.Specification,
			Since: at, Until: at.Add(time.Hour), Bounds: []string{"Alloy dropped 7 spans of the copy."},
			Rules: []score.Rule{{
				ID: "SPA-002", Impact: score.Normal, Title: "every parent id names a span of the trace", Outcome: score.Failed, Reason: "no span arrived",
				Evidence: []string{"1 of 5 spans name a parent that is not there"}, Advice: "Export every span to the same place.",
			}},
		}, []findings.Finding{{
			Kind: findings.SensitiveData, Title: "log body holds what looks like a token", Evidence: []string{"ey****9w"}, Advice: "Take the value out.",
			Count: 3, TraceID: strings.Repeat("0a", 16),
		}}},
		kindServices: services.List{Since: at, NoScore: "the lab keeps no facts", Services: []services.Service{{
			Name: "shop", SpansPerMinute: 12.5, LinesPerMinute: 4, Series: 40, LastSeen: at, Score: new(95.83),
		}}},
		kindBench: bench.Report{
			Started: at, Duration: 12.5, Version: "v1", Machine: bench.Machine{Processor: "cpu", Cores: 2, MemoryBytes: 24 << 30, System: "linux", Go: "go1.26"},
			Figures: []bench.Figure{{
				Name: "up", Title: "lab up", Started: at, Duration: 10, LoadBefore: 0.5, LoadAfter: 1.5, Skipped: "no Go", Notes: []string{"n"},
				Rows: []bench.Row{{Name: "r", Unit: bench.Seconds, Median: 2.5, Least: 2, Most: 3, Runs: 3, AtMost: new(3.0), AtLeast: new(1.0)}},
			}},
		},
		kindChaos:       filled[chaos.Result](at),
		kindObservation: filled[chaos.Observation](at),
		kindInspection:  filled[inspect.Inspection](at),
		kindTrace: traceview.Trace{
			TraceID: strings.Repeat("0a", 16), Missing: "Tempo has no spans of the trace",
			Spans: []traceview.Span{{
				SpanID: strings.Repeat("b1", 8), ParentSpanID: strings.Repeat("c2", 8), Service: "shop", Name: "GET /cart", Kind: query.Server,
				Start: at, End: at.Add(time.Second), Failed: true, Message: "no stock", Attributes: map[string]string{"http.route": "/cart"},
				Events:   []traceview.Event{{Name: "exception", Time: at, Attributes: map[string]string{"exception.type": "Sold"}}},
				Resource: map[string]string{"service.name": "shop"},
			}},
			Lines: []traceview.Line{{Time: at, Text: "no stock", Labels: map[string]string{"level": "error"}}},
		},
		kindRun: runReport{
			RunID: "0123456789abcdef", Service: "shop", Command: []string{"./shop"}, Started: at, Duration: 2.5, ExitCode: 3,
			Counts:   arrival.Counts{Traces: 1, Spans: 4, Lines: 2, Series: 34, Metrics: 8, TraceID: strings.Repeat("1", 32), TraceName: "shop GET /"},
			TraceURL: "http://127.0.0.1:3200/api/v2/traces/1", Advice: []string{"Set an SDK up."},
			Score: new(97.5), ScoreProblem: "the lab runs without the inspector", Findings: 2,
		},
	}
}

// filled returns a value in which everything is set: one element in each slice and map.
func filled[T any](at time.Time) (v T) {
	fill(reflect.ValueOf(&v).Elem(), at)
	return v
}

func fill(v reflect.Value, at time.Time) {
	if v.Type() == reflect.TypeFor[time.Time]() {
		v.Set(reflect.ValueOf(at))
		return
	}
	switch v.Kind() {
	case reflect.String:
		v.SetString("text")
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Int, reflect.Int64:
		v.SetInt(7)
	case reflect.Uint64:
		v.SetUint(7)
	case reflect.Float64:
		v.SetFloat(7.5)
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(v.Elem(), at)
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 1, 1))
		fill(v.Index(0), at)
	case reflect.Map:
		element := reflect.New(v.Type().Elem()).Elem()
		fill(element, at)
		key := reflect.New(v.Type().Key()).Elem()
		if fill(key, at); key.Kind() == reflect.String {
			key.SetString("key")
		}
		v.Set(reflect.MakeMap(v.Type()))
		v.SetMapIndex(key, element)
	case reflect.Struct:
		for _, field := range v.Fields() {
			if field.CanSet() { // the others are in no document
				fill(field, at)
			}
		}
	}
}

// The documents are an interface to other programs, so each has a golden file.
func TestDocuments(t *testing.T) {
	for kind, v := range documents() {
		t.Run(kind, func(t *testing.T) {
			var got bytes.Buffer
			if err := report.Encode(&got, kind, v); err != nil {
				t.Fatal(err)
			}
			golden := filepath.Join("testdata", kind+".json")
			if *update {
				if err := os.WriteFile(golden, got.Bytes(), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			want = bytes.ReplaceAll(want, []byte("\r\n"), []byte("\n")) // a checkout on Windows
			if diff := cmp.Diff(string(want), got.String()); diff != "" {
				t.Errorf("differs from %s (-want +got), -update rewrites it:\n%s", golden, diff)
			}
		})
	}
}

// docs/json.md has a section for each kind, which names every field.
func TestDocumentsAreDescribed(t *testing.T) {
	page, err := os.ReadFile(filepath.Join("..", "..", "docs", "json.md"))
	if err != nil {
		t.Fatal(err)
	}
	for kind, v := range documents() {
		_, section, found := strings.Cut(string(page), "\n## `"+kind+"`")
		if !found {
			t.Errorf("docs/json.md has no section `%s`", kind)
			continue
		}
		section, _, _ = strings.Cut(section, "\n## ")
		raw, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		for _, match := range regexp.MustCompile(`"([a-z_]+)":`).FindAllStringSubmatch(string(raw), -1) {
			if name := match[1]; name != "loki" && name != "shown" && name != "level" && name != "key" && !regexp.MustCompile("[`.]"+name+"(\\[\\])?`").MatchString(section) {
				t.Errorf("docs/json.md does not name the field %s of %s", name, kind)
			}
		}
	}
}

// A field that is not set in documents is in no golden file.
func TestDocumentsAreComplete(t *testing.T) {
	for kind, v := range documents() {
		set := map[string]bool{}
		fieldsSet(reflect.ValueOf(v), set)
		for field, isSet := range set {
			if !isSet {
				t.Errorf("%s: documents does not set %s", kind, field)
			}
		}
	}
}

// fieldsSet records which fields of v, and of the structs in v, have a value at least once. A
// bool counts even when it is false, because its name is in the JSON then, too.
func fieldsSet(v reflect.Value, set map[string]bool) {
	switch v.Kind() {
	case reflect.Pointer:
		if !v.IsNil() {
			fieldsSet(v.Elem(), set)
		}
	case reflect.Slice:
		for i := range v.Len() {
			fieldsSet(v.Index(i), set)
		}
	case reflect.Struct:
		if _, isTime := reflect.TypeAssert[time.Time](v); isTime {
			return
		}
		for i := range v.NumField() {
			f := v.Type().Field(i)
			if f.Tag.Get("json") == "-" || !f.IsExported() {
				continue
			}
			name := v.Type().String() + "." + f.Name
			set[name] = set[name] || f.Type.Kind() == reflect.Bool || !v.Field(i).IsZero()
			fieldsSet(v.Field(i), set)
		}
	}
}
