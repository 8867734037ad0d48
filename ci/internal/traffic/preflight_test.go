package traffic_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lgtm-lab/lgtm-lab/ci/internal/endpoints/labtest"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/traffic"
)

func TestPreflight(t *testing.T) {
	gone := httptest.NewServer(http.NotFoundHandler())
	gone.Close()
	tests := []struct {
		name    string
		prepare func(*labtest.Lab)
		want    string
		is      error
	}{
		{"nobody there", func(l *labtest.Lab) { l.Frontend = gone.URL }, "is the lab up?", nil},
		{"not an address", func(l *labtest.Lab) { l.Frontend = "localhost:8080" }, "want http://host:port", nil},
		{"not ready", func(l *labtest.Lab) {
			l.Tamper = func(_ string, r *http.Request, a *labtest.Answer) {
				if r.URL.Path == "/ready" {
					a.Status = 503
				}
			}
		}, "GET /ready answered 503", nil},
		{"backend away", func(l *labtest.Lab) {
			l.Tamper = func(_ string, r *http.Request, a *labtest.Answer) {
				if r.URL.Path == "/api/users" {
					a.Status = 502
				}
			}
		}, "is the backend up?", nil},
		{"faults off", func(l *labtest.Lab) { l.NoFaults = true }, "LAB_FAULTS=true", traffic.ErrFaultsOff},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			lab := labtest.Start(t)
			tt.prepare(lab)
			_, err := traffic.Run(t.Context(), traffic.Options{Frontend: lab.Frontend, Profile: quick()})
			if err == nil || !strings.Contains(err.Error(), tt.want) || tt.is != nil && !errors.Is(err, tt.is) {
				t.Errorf("error %v, want one that holds %q", err, tt.want)
			}
			if n := len(lab.Requests()); n > 3 {
				t.Errorf("%d requests were sent though the run did not begin", n)
			}
		})
	}
}

func TestNoFaults(t *testing.T) {
	t.Parallel()
	lab := labtest.Start(t)
	lab.NoFaults = true
	r := run(t, traffic.Options{Frontend: lab.Frontend, Profile: calm(), NoFaults: true})
	if !r.OK() || r.Kinds[traffic.Slow]+r.Kinds[traffic.Failing] != 0 {
		t.Errorf("problems %v, kinds %v; want none, and no slow or failing requests", r.Problems(), r.Kinds)
	}
}

// TestBefore reads the counters when the frontend is ready and has answered nothing.
func TestBefore(t *testing.T) {
	t.Parallel()
	lab := labtest.Start(t)
	want := traffic.Before{At: time.Now(), Counters: map[string]float64{"a": 1}}
	calls, asked := 0, 0
	r := run(t, traffic.Options{Frontend: lab.Frontend, Profile: quick(), Before: func(context.Context) (traffic.Before, error) {
		calls++
		for _, req := range lab.Requests() {
			if req.URL.Path != "/ready" {
				asked++
			}
		}
		return want, nil
	}})
	if calls != 1 || asked != 0 {
		t.Errorf("called %d times, after %d requests; want once, after none", calls, asked)
	}
	if diff := cmp.Diff(want, r.Before); diff != "" {
		t.Errorf("the report has (-want +got):\n%s", diff)
	}

	r = run(t, traffic.Options{Frontend: lab.Frontend, Profile: quick(), Before: func(context.Context) (traffic.Before, error) {
		return want, errors.New("Mimir is away")
	}})
	if r.Requests != quick().Requests || r.Before.Error != "Mimir is away" || len(r.Before.Counters) > 0 {
		t.Errorf("when the counters cannot be read: %d requests, %+v", r.Requests, r.Before)
	}
	var text strings.Builder
	if err := r.WriteText(&text); err != nil || !strings.Contains(text.String(), "cannot prove this run, because the counters before it could not be read: Mimir is away") {
		t.Errorf("the text does not say it: %v\n%s", err, text.String())
	}
}
