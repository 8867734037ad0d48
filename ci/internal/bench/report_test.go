package bench

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestMedian(t *testing.T) {
	for want, values := range map[float64][]float64{0: nil, 2: {3, 1, 2}, 2.5: {4, 1, 2, 3}} {
		if got := median(values); got != want {
			t.Errorf("median(%v) = %g, want %g", values, got, want)
		}
	}
}

// A machine that is slow for a while is slow for both sides, and the ratio stays.
func TestRatiosArePairwise(t *testing.T) {
	r := row("r", Ratio, ratios([]float64{2, 20, 2}, []float64{1, 10, 1})...)
	if r.Median != 2 || r.Least != 2 || r.Most != 2 || r.Runs != 3 {
		t.Errorf("the row is %+v, want 2 three times", r)
	}
}

func TestVerdict(t *testing.T) {
	for want, r := range map[string]Row{
		"":                  row("a", Ratio, 2),
		"≤ 1.30, not met":   row("a", Ratio, 2).under(1.3),
		"≤ 1.30, met":       row("a", Ratio, 1.3).under(1.3),
		"≥ 1,000/s, met":    row("a", PerSecond, 1200).over(1000),
		"≤ 700 MB, met":     row("a", Bytes, 661e6).under(700e6),
		"≤ 3.00 s, not met": row("a", Seconds, 4).under(3),
	} {
		if got := r.verdict(); got != want {
			t.Errorf("the verdict on %v is %q, want %q", r, got, want)
		}
	}
}

func TestValues(t *testing.T) {
	for want, r := range map[string]Row{
		"129 µs": row("", Seconds, 129e-6), "1.21 ms": row("", Seconds, 0.00121), "12m37s": row("", Seconds, 757),
		"98.0 B": row("", Bytes, 98), "1.50 GB": row("", Bytes, 1.5e9), "2,235/s": row("", PerSecond, 2235.4), "1,000,000": row("", Count, 1e6),
	} {
		if got := r.value(r.Median); got != want {
			t.Errorf("%g %s is written %q, want %q", r.Median, r.Unit, got, want)
		}
	}
}

func TestExponent(t *testing.T) {
	sizes := []float64{1e4, 1e5, 1e6}
	for want, values := range map[float64][]float64{0: {5, 5, 5}, 1: {1e4, 1e5, 1e6}, 2: {1e8, 1e10, 1e12}} {
		if got := exponent(sizes, values); got < want-1e-9 || got > want+1e-9 {
			t.Errorf("exponent(%v) = %g, want %g", values, got, want)
		}
	}
}

func sample() Report {
	return Report{Started: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), Figures: []Figure{
		{Name: "service-ratio", Title: "The service", Rows: []Row{row("get", Ratio, 1.2, 1.3, 1.4).under(1.3)}, Notes: []string{"A note."}},
		{Name: "flask-ratio", Title: "The pair", Skipped: "apt-get install it"},
	}}
}

func TestWorse(t *testing.T) {
	for name, tt := range map[string]struct {
		limits Limits
		want   string
	}{
		"within the margin":   {Limits{{"service-ratio", "get", 1.1, 0.15}}, ""},
		"beyond the margin":   {Limits{{"service-ratio", "get", 1.0, 0.1}}, "service-ratio, get: 1.20 at the least, which is more than the committed 1.00"},
		"a row that is gone":  {Limits{{"service-ratio", "put", 1.0, 0.1}}, `no row "put"`},
		"a skipped figure":    {Limits{{"flask-ratio", "get", 1.0, 0.1}}, ""},
		"a figure not asked":  {Limits{{"growth", "get", 1.0, 0.1}}, ""},
		"nothing is compared": {nil, ""},
	} {
		got := strings.Join(tt.limits.Worse(sample()), "\n")
		if (got == "") != (tt.want == "") || !strings.Contains(got, tt.want) {
			t.Errorf("%s: %q, want %q", name, got, tt.want)
		}
	}
}

// Each committed limit names a figure that there is, and leaves room for a noisy machine.
func TestCommittedLimits(t *testing.T) {
	all, err := Margins("committed")
	if err != nil || len(all) == 0 {
		t.Fatalf("%d committed limits, %v", len(all), err)
	}
	for _, l := range all {
		if place(l.Figure) < 0 || l.Row == "" || l.Committed <= 0 || l.Margin < 0.1 {
			t.Errorf("the committed limit %+v says nothing, or has no room", l)
		}
	}
}

func TestMarginsOfAFile(t *testing.T) {
	file := filepath.Join(t.TempDir(), "limits.json")
	if err := os.WriteFile(file, []byte(`[{"figure":"up","row":"r","committed":1,"margin":0.5}]`), 0o600); err != nil {
		t.Fatal(err)
	}
	if all, err := Margins(file); err != nil || len(all) != 1 || all[0].Figure != "up" {
		t.Errorf("Margins() = %v, %v", all, err)
	}
	if _, err := Margins(file + "-gone"); err == nil {
		t.Error("a file that is not there is no error")
	}
}

func TestWriteInto(t *testing.T) {
	file := filepath.Join(t.TempDir(), "performance.md")
	write := func(text string) {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("# Head\n\n" + beginMark + "\nold\n" + endMark + "\n\nTail.\n")
	for range 2 { // a second time changes nothing
		if err := sample().WriteInto(file); err != nil {
			t.Fatal(err)
		}
		raw, _ := os.ReadFile(file)
		got := string(raw)
		for _, want := range []string{"# Head\n", "| get | 1.30 | 1.20 – 1.40 | ≤ 1.30, met |", "Skipped: apt-get install it", "A note.", "\n\nTail.\n"} {
			if strings.Count(got, want) != 1 {
				t.Errorf("the file has %q %d times:\n%s", want, strings.Count(got, want), got)
			}
		}
		if strings.Contains(got, "old") {
			t.Errorf("the old tables are still there:\n%s", got)
		}
	}
	write("# No marks\n")
	if err := sample().WriteInto(file); err == nil || !strings.Contains(err.Error(), "no place for the tables") {
		t.Errorf("WriteInto() a file without marks = %v", err)
	}
}

// Figures of an earlier run are kept, those of this run replace them, and the order is that
// of the list.
func TestMerge(t *testing.T) {
	now := Report{Figures: []Figure{{Name: "flask-ratio", Title: "new"}}}
	got := now.Merge(sample())
	if len(got.Figures) != 2 || got.Figures[0].Name != "service-ratio" || got.Figures[1].Title != "new" {
		t.Errorf("merged: %+v", got.Figures)
	}
}
