package sampling

import (
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/lgtm-lab/lgtm-lab/ci/internal/traffic"
)

// TestKeeps compares with what an Alloy with config/alloy/sampling/tail.alloy has kept, and
// has not, of 300 traces that were sent to it.
func TestKeeps(t *testing.T) {
	ten := Traces{Percent: 10, Slow: UsualSlow}
	for id, want := range map[string]bool{
		"914279b13f35564702e82f0557a015e9": true, "e8607c06380af4fe41de98de7867fd66": true,
		"fb6af70784c387e2655210f7e21dcf80": true, "3faf8c6327ca408e0f742afc07aa144c": true,
		"e1cd2fcd1c4b07f6c2a8b41580de6ea0": false, "6ec23baa66c7eedc62e5fc2c83cfe686": false,
		"a2ed7ba3d03ac7b4e84cceca62462106": false, "cd7e4cfb5f75cde640aa4b0dd46ee808": false,
		"no trace id": false,
	} {
		if got := ten.Keeps(id); got != want {
			t.Errorf("of %s it says %v, want %v", id, got, want)
		}
		if id != "no trace id" && !(Traces{Percent: 100}).Keeps(id) {
			t.Errorf("of 100%%, %s is left out", id)
		}
		if !(Traces{}).Keeps(id) {
			t.Errorf("without sampling, %s is left out", id)
		}
	}
	// The ids of a run are spread, too. Those whose last bytes only count would not be.
	kept := 0
	for n := range 10_000 {
		if ten.Keeps(traffic.TraceID("a020d024cf8eea58", n+1)) {
			kept++
		}
	}
	if kept < 850 || kept > 1150 {
		t.Errorf("of the 10,000 ids of a run %d are kept, want about 1,000", kept)
	}
}

func TestParse(t *testing.T) {
	for share, want := range map[string]float64{"": 0, "10%": 10, "0.5%": 0.5, "100%": 100} {
		got, err := Parse(share, UsualSlow)
		if err != nil || got.Percent != want || got.All() != (want == 0) {
			t.Errorf("%q is %+v, %v, want %g%%", share, got, err, want)
		}
	}
	for _, share := range []string{"10", "0%", "-1%", "101%", "NaN%", "%", "0.001%", "a%"} {
		if got, err := Parse(share, UsualSlow); err == nil {
			t.Errorf("%q is taken for %+v", share, got)
		}
	}
	if _, err := Parse("10%", 100*time.Microsecond); err == nil {
		t.Error("100 µs are taken for whole milliseconds")
	}
	got, _ := Parse("12.5%", time.Second)
	want := []string{"LAB_SAMPLING=tail", "LAB_SAMPLE_PERCENT=12.5", "LAB_SAMPLE_SLOW_MS=1000", "LAB_SAMPLE_WAIT=10s", "LAB_TEMPO_PROCESSORS=[local-blocks]"}
	if have := got.Environment(); !slices.Equal(have, want) {
		t.Errorf("the environment is %q, want %q", have, want)
	}
	if have := (Traces{}).Environment(); have != nil {
		t.Errorf("the environment of no sampling is %q", have)
	}
}

// TestRead reads the answer of a real Alloy 1.19, and refuses answers without the settings.
func TestRead(t *testing.T) {
	real, err := os.ReadFile("testdata/component.json")
	if err != nil {
		t.Fatal(err)
	}
	read := func(status int, body string) (Traces, error) {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path != component {
				t.Errorf("it asks for %s", r.URL.Path)
			}
			w.WriteHeader(status)
			_, _ = w.Write([]byte(body))
		}))
		defer server.Close()
		return Read(t.Context(), server.Client(), server.URL)
	}
	if got, err := read(200, string(real)); err != nil || got != (Traces{10, UsualSlow, UsualWait}) {
		t.Errorf("it reads %+v, %v", got, err)
	}
	if got, err := read(404, ""); err != nil || !got.All() {
		t.Errorf("without the component it reads %+v, %v", got, err)
	}
	for name, change := range map[string][2]string{
		"another salt": {"lgtm-lab", "other"}, "no share": {"sampling_percentage", "percentage"}, "no wait": {"decision_wait", "wait"}, "no limit": {"threshold_ms", "ms"},
	} {
		if got, err := read(200, strings.ReplaceAll(string(real), change[0], change[1])); err == nil {
			t.Errorf("%s: it reads %+v", name, got)
		}
	}
	if _, err := read(500, "{}"); err == nil {
		t.Error("a server error is read as a setting")
	}
}
