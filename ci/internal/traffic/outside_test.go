package traffic_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

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
