package snapshot

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"image/png"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/lgtm-lab/lgtm-lab/ci/internal/target"
	"github.com/lgtm-lab/lgtm-lab/dashboards"
)

// Without a backend its panels fail, and the page says which and why.
func TestBackendGone(t *testing.T) {
	f := newFake(t)
	gone := httptest.NewServer(http.NotFoundHandler())
	gone.Close()
	f.addresses.Loki = gone.URL
	s, page := f.taken(t)
	failed, _ := s.Failures()
	if got := strings.Join(failed, ", "); !strings.Contains(got, "Errors and warnings") || !strings.Contains(got, "Panics") || !strings.Contains(got, "Log lines") || len(failed) != 4 {
		t.Errorf("failed: %s; want those of Loki and the broken one", got)
	}
	// A panel that may be empty fails nevertheless if its query fails.
	p := page.panel(t, "Panics")
	if p.attribute("data-state") != "failed" || !strings.Contains(p.text(), "connection refused") || strings.Contains(p.text(), "No panics") {
		t.Errorf("the panel of a backend that is gone says %q", p.text())
	}
	if page.panel(t, "Requests").attribute("data-state") != "shown" {
		t.Error("a panel of another backend is not shown")
	}
	if l := s.List(); l.OK || l.Counts[Failed] != 4 {
		t.Errorf("the list says ok %v with %d failed", l.OK, l.Counts[Failed])
	}
}

// If one of a panel's queries fails, the panel fails and still shows the others.
func TestOneQueryOfThree(t *testing.T) {
	f := newFake(t)
	f.change = func(asked string, r recorded) recorded {
		if strings.Contains(asked, "query_range histogram_quantile(0.9,") {
			return recorded{Status: http.StatusUnprocessableEntity, Body: []byte(`{"error":"too many chunks"}`)}
		}
		return r
	}
	_, page := f.taken(t)
	p := page.panel(t, "Duration quantiles")
	if p.attribute("data-state") != "failed" || !strings.Contains(p.text(), "too many chunks") || len(p.all("path", "")) != 2 {
		t.Errorf("the panel is %s with %d lines: %s", p.attribute("data-state"), len(p.all("path", "")), p.text())
	}
}

// NaN is shown as such in a stat, and as a gap in a line.
func TestNotANumber(t *testing.T) {
	f := newFake(t)
	f.change = func(asked string, r recorded) recorded {
		if strings.Contains(asked, "/query sum(rate(") || strings.Contains(asked, "query_range sum(rate(") && r.Status == http.StatusOK {
			var answer map[string]any
			if err := json.Unmarshal(r.Body, &answer); err != nil {
				return r
			}
			for _, one := range answer["data"].(map[string]any)["result"].([]any) {
				series := one.(map[string]any)
				if v, ok := series["value"].([]any); ok {
					v[1] = "NaN"
				}
				if vs, ok := series["values"].([]any); ok {
					vs[3].([]any)[1] = "NaN"
					vs[4].([]any)[1] = "+Inf"
				}
			}
			r.Body, _ = json.Marshal(answer)
		}
		return r
	}
	_, page := f.taken(t)
	if text := page.panel(t, "Error ratio").text(); !strings.HasPrefix(text, "Error ratio NaN ") {
		t.Errorf("0/0 is shown as %.30q", text)
	}
	if n := len(page.panel(t, "Requests").all("path", "")); n != 2 {
		t.Errorf("a line with a gap has %d parts", n)
	}
}

// Without Options.Last, a snapshot looks back no further than there are samples.
func TestTimeRange(t *testing.T) {
	for _, c := range []struct {
		name  string
		first time.Duration // ago; 0 for no sample
		last  time.Duration
		want  time.Duration
	}{
		{"a lab that has run for long", 3 * time.Hour, 0, 30 * time.Minute},
		{"a lab of ten minutes", 10 * time.Minute, 0, 10*time.Minute + 9*time.Second},
		{"a lab that has just begun", 20 * time.Second, 0, 5 * time.Minute},
		{"no lab", 0, 0, 30 * time.Minute},
		{"as asked", 10 * time.Minute, 20 * time.Minute, 20 * time.Minute},
	} {
		now := time.Unix(1_800_000_000, 0)
		mimir := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			begin := max(now.Add(-c.first).Unix(), now.Add(-30*time.Minute).Unix())
			result := []any{}
			if c.first > 0 {
				result = append(result, map[string]any{"metric": map[string]string{}, "values": []any{[]any{begin, "4"}}})
			}
			_ = json.NewEncoder(w).Encode(map[string]any{"data": map[string]any{"resultType": "matrix", "result": result}})
		}))
		s, err := take(t.Context(), Options{Addresses: target.Addresses{Mimir: mimir.URL}, Last: c.last,
			Dashboards: []dashboards.Dashboard{{From: "now-30m"}}}, now)
		mimir.Close()
		if err != nil {
			t.Fatal(err)
		}
		if got := s.Dashboards[0].TimeRange.Length().Truncate(time.Second); got != c.want {
			t.Errorf("%s: the range is %v, want %v", c.name, got, c.want)
		}
	}
}

func TestTakeIsInterrupted(t *testing.T) {
	f := newFake(t)
	ctx, cancel := context.WithCancel(t.Context())
	f.change = func(_ string, r recorded) recorded { cancel(); return r }
	_, err := take(ctx, Options{Addresses: f.addresses, Dashboards: []dashboards.Dashboard{everyKind(t)}}, f.now)
	if !errors.Is(err, context.Canceled) {
		t.Errorf("error %v, want that it was interrupted", err)
	}
}

// The page survives the way through a Job's output.
func TestListing(t *testing.T) {
	s, page := newFake(t).taken(t)
	l := s.List()
	l.Page = EncodePage([]byte(page.source))
	raw, err := json.MarshalIndent(l, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	for line := range bytes.Lines(raw) {
		if len(line) > 8<<10 {
			t.Fatalf("a line of %d bytes: a container's log breaks it", len(line))
		}
	}
	var back Listing
	if err := json.Unmarshal(raw, &back); err != nil {
		t.Fatal(err)
	}
	if read, err := DecodePage(back.Page); err != nil || string(read) != page.source || len(back.Panels) != len(l.Panels) || back.Counts[Shown] != l.Counts[Shown] || back.OK {
		t.Error("the listing is another one after its way through JSON")
	}
	l.Page = nil
	if raw, _ = json.Marshal(l); bytes.Contains(raw, []byte(`"page"`)) {
		t.Error("a listing without a page has one")
	}
	for _, damaged := range []string{"&", "AAAA", "x", "H4sIAAAAAAAA"} {
		if _, err := DecodePage([]string{damaged}); err == nil {
			t.Errorf("%s is taken for a page", damaged)
		}
	}
}

func TestScreenshot(t *testing.T) {
	browser, err := FindBrowser(os.Getenv("CHROME"))
	if err != nil {
		t.Skip("chromium not found: apt-get install chromium")
	}
	_, page := newFake(t).taken(t)
	file := t.TempDir() + "/a page.html"
	if err := os.WriteFile(file, []byte(page.source), 0o600); err != nil {
		t.Fatal(err)
	}
	picture, err := Screenshot(t.Context(), browser, file)
	if err != nil {
		t.Fatal(err)
	}
	width, height := size(t, picture)
	if width != screenWidth || height < 2*screenHeight {
		t.Errorf("the picture has %d×%d pixels, want all of the page", width, height)
	}
}

func TestNoBrowser(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	if _, err := FindBrowser(""); !errors.Is(err, ErrNoBrowser) || !strings.Contains(err.Error(), "apt-get install chromium") {
		t.Errorf("error %v, want what to install", err)
	}
}

// size is that of a PNG.
func size(t *testing.T, picture []byte) (width, height int) {
	t.Helper()
	c, err := png.DecodeConfig(bytes.NewReader(picture))
	if err != nil {
		t.Fatal(err)
	}
	return c.Width, c.Height
}
