package report_test

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lgtm-lab/lgtm-lab/ci/internal/report"
)

var update = flag.Bool("update", false, "write the golden files instead of comparing with them")

func sample() report.Report {
	return report.Report{
		Name:        "verify",
		Started:     time.Date(2026, 1, 2, 16, 4, 5, 0, time.FixedZone("CET", 3600)),
		Duration:    41200 * time.Millisecond,
		Environment: map[string]string{"tempo": "3.0.0", "target": "local <&>"},
		Checks: []report.Check{
			{Group: "endpoints", Name: "backend GET /users", Status: report.Pass, Measured: "200 application/json", Expected: "200 application/json", Duration: 3200 * time.Microsecond},
			{Group: "endpoints", Name: "backend PUT /users", Status: report.Fail, Measured: "405 application/problem+json, no Allow", Expected: "405 with Allow: GET, POST", Detail: "The answer was\n{\n\t\"status\": 405\n}\n", Duration: 12 * time.Millisecond},
			{Group: "trace", Name: "one trace per request", Status: report.Skip, Detail: "no Tempo here\nset TEMPO", Duration: 0},
			{Group: "trace", Name: "log lines carry the trace id, of both services, within ten seconds", Status: report.Pass, Measured: "2 lines after 1.4 s", Duration: 1400 * time.Millisecond},
			{Group: "hostile", Name: "escape\x1b]0;title\x07", Status: "", Measured: "bad \xff bytes \u202egnp.exe\r\nnext", Expected: "a ]]> in <text>", Detail: "nul \x00, \u009b31m, \ufffe\nsecond \x1b[2J", Duration: 61 * time.Second},
		},
	}
}

func TestGolden(t *testing.T) {
	tests := []struct {
		file  string
		write func(io.Writer) error
	}{
		{"table.txt", func(w io.Writer) error { return report.Write(w, report.Table, sample()) }},
		{"table-narrow.txt", func(w io.Writer) error { return report.WriteTable(w, sample(), report.Style{Width: 60}) }},
		{"table-color.txt", func(w io.Writer) error {
			return report.WriteTable(w, sample(), report.Style{Width: 80, Color: true})
		}},
		{"report.json", func(w io.Writer) error { return report.Write(w, report.JSON, sample()) }},
		{"junit.xml", func(w io.Writer) error { return report.Write(w, report.JUnit, sample()) }},
		{"report.md", func(w io.Writer) error { return report.Write(w, report.Markdown, sample()) }},
		{"empty.txt", func(w io.Writer) error { return report.Write(w, report.Table, report.Report{Name: "nothing"}) }},
		{"empty.json", func(w io.Writer) error { return report.Write(w, report.JSON, report.Report{Name: "nothing"}) }},
	}
	for _, tt := range tests {
		t.Run(tt.file, func(t *testing.T) {
			var got bytes.Buffer
			if err := tt.write(&got); err != nil {
				t.Fatal(err)
			}
			golden := filepath.Join("testdata", tt.file)
			if *update {
				if err := os.WriteFile(golden, got.Bytes(), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			// A checkout on Windows may have turned line ends around.
			want = bytes.ReplaceAll(want, []byte("\r\n"), []byte("\n"))
			if diff := cmp.Diff(string(want), got.String()); diff != "" {
				t.Errorf("differs from %s (-want +got), -update rewrites it:\n%s", golden, diff)
			}
		})
	}
}

func TestNarrowTableStaysWithinItsWidth(t *testing.T) {
	for _, width := range []int{60, 80, 120} {
		var b bytes.Buffer
		r := sample()
		for i := range r.Checks {
			r.Checks[i].Status = report.Pass // details beneath are not shortened
		}
		if err := report.WriteTable(&b, r, report.Style{Width: width}); err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(b.String()) {
			if n := len([]rune(strings.TrimRight(line, "\n"))); n > width {
				t.Errorf("width %d: line of %d columns: %q", width, n, line)
			}
		}
	}
}

func TestOK(t *testing.T) {
	tests := []struct {
		name string
		give []report.Status
		want bool
	}{
		{"nothing checked", nil, false},
		{"all skipped", []report.Status{report.Skip, report.Skip}, false},
		{"passed", []report.Status{report.Pass}, true},
		{"passed and skipped", []report.Status{report.Pass, report.Skip}, true},
		{"one failed", []report.Status{report.Pass, report.Fail}, false},
		{"one without a status", []report.Status{report.Pass, ""}, false},
		{"one unknown status", []report.Status{report.Pass, "passed"}, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var r report.Report
			for _, s := range tt.give {
				r.Add(report.Check{Status: s})
			}
			if got := r.OK(); got != tt.want {
				t.Errorf("OK() = %v, want %v", got, tt.want)
			}
		})
	}
}

func TestJSONReadsBack(t *testing.T) {
	want := sample()
	for i := range want.Checks {
		want.Checks[i].Measured = report.Clean(want.Checks[i].Measured) // JSON holds no invalid UTF-8
	}
	data, err := json.Marshal(want)
	if err != nil {
		t.Fatal(err)
	}
	var got report.Report
	if err := json.Unmarshal(data, &got); err != nil {
		t.Fatal(err)
	}
	if !got.Started.Equal(want.Started) {
		t.Errorf("Started = %v, want %v", got.Started, want.Started)
	}
	got.Started = want.Started
	want.Checks[4].Status = report.Fail // an absent status is written as what it counts as
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("read back (-want +got):\n%s", diff)
	}
	if err := json.Unmarshal([]byte(`{"checks":1}`), &got); err == nil {
		t.Error("reading checks that are no list succeeded")
	}
}

func TestJUnitIsWellFormed(t *testing.T) {
	var b bytes.Buffer
	if err := report.Write(&b, report.JUnit, sample()); err != nil {
		t.Fatal(err)
	}
	for _, r := range b.String() {
		if r < 0x20 && r != '\n' && r != '\t' || r == 0xfffd {
			t.Errorf("the document holds %U", r)
		}
	}
	var failures int
	dec := xml.NewDecoder(&b)
	for {
		tok, err := dec.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if start, ok := tok.(xml.StartElement); ok && start.Name.Local == "failure" {
			failures++
		}
	}
	if failures != 2 {
		t.Errorf("%d failure elements, want 2", failures)
	}
}

func TestParseFormat(t *testing.T) {
	for give, want := range map[string]report.Format{
		"": report.Table, "table": report.Table, "json": report.JSON, "JUnit": report.JUnit,
	} {
		got, err := report.ParseFormat(give)
		if err != nil || got != want {
			t.Errorf("ParseFormat(%q) = %q, %v, want %q", give, got, err, want)
		}
	}
	_, err := report.ParseFormat("yaml")
	if err == nil || !strings.Contains(err.Error(), `"yaml"`) || !strings.Contains(err.Error(), "table, json, junit") {
		t.Errorf("ParseFormat(yaml) = %v, want an error that lists the formats", err)
	}
	if err := report.Write(io.Discard, "yaml", sample()); err == nil {
		t.Error("Write with an unknown format succeeded")
	}
}

func TestClean(t *testing.T) {
	for give, want := range map[string]string{
		"plain ✓ text\n\ttab": "plain ✓ text\n\ttab",
		"\x1b[31mred":         `\x1b[31mred`,
		"dos\r\nline\rover":   "dos\nline\\x0dover",
		"\xff":                `\xff`,
		"\ufffd \xc3":         "\ufffd \\xc3",
		"\u202e\u2066\u200f":  `\u202e\u2066\u200f`,
		"\u0085\u009b\x7f":    `\x85\x9b\x7f`,
	} {
		if got := report.Clean(give); got != want {
			t.Errorf("Clean(%q) = %q, want %q", give, got, want)
		}
	}
}

func FuzzClean(f *testing.F) {
	f.Add("a\x1b\xff\u202e")
	f.Fuzz(func(t *testing.T, s string) {
		got := report.Clean(s)
		for _, r := range got {
			if r != '\n' && r != '\t' && (r < 0x20 || r >= 0x7f && r < 0xa0) {
				t.Errorf("Clean(%q) = %q holds %U", s, got, r)
			}
		}
		if again := report.Clean(got); again != got {
			t.Errorf("Clean(Clean(%q)) = %q, want %q", s, again, got)
		}
	})
}

func TestElapsed(t *testing.T) {
	for give, want := range map[time.Duration]string{
		0:                         "0s",
		400 * time.Microsecond:    "0.4ms",
		9990 * time.Microsecond:   "10.0ms",
		12 * time.Millisecond:     "12ms",
		999600 * time.Microsecond: "1.0s",
		41249 * time.Millisecond:  "41.2s",
		59960 * time.Millisecond:  "1m00s",
		303 * time.Second:         "5m03s",
		3661 * time.Second:        "1h01m01s",
		-2 * time.Second:          "-2.0s",
	} {
		if got := report.Elapsed(give); got != want {
			t.Errorf("Elapsed(%v) = %q, want %q", give, got, want)
		}
	}
}

func TestStyleFor(t *testing.T) {
	f, err := os.Create(filepath.Join(t.TempDir(), "out"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if got := report.StyleFor(f); got != (report.Style{}) {
		t.Errorf("StyleFor(a file) = %+v, want no colour and no width", got)
	}
}

func TestTableFoldsLongGroups(t *testing.T) {
	r := report.Report{Checks: []report.Check{{Group: "few", Name: "one", Status: report.Pass}}}
	for i := range 25 {
		r.Add(report.Check{Group: "many", Name: fmt.Sprintf("number %d", i), Status: report.Pass, Duration: time.Second})
	}
	r.Checks[3].Status, r.Checks[4].Status = report.Fail, report.Skip
	var b strings.Builder
	if err := report.WriteTable(&b, r, report.Style{}); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"23 checks", "FAIL  number 2", "skip  number 3", "24 passed, 1 failed, 1 skipped"} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("the table lacks %q:\n%s", want, b.String())
		}
	}
	if strings.Contains(b.String(), "number 1 ") {
		t.Errorf("a passed check of a long group has a line of its own:\n%s", b.String())
	}
	b.Reset()
	if err := report.WriteTable(&b, report.Report{Checks: r.Checks[1:]}, report.Style{}); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(b.String(), "number 24") {
		t.Errorf("a group that is alone is folded:\n%s", b.String())
	}
}
