package traffic_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/lgtm-lab/lgtm-lab/ci/internal/traffic"
)

// BenchmarkGenerator measures what the generator can send: with -benchtime=1x it
// is 4000 requests at 2000/s against a server that does nothing.
func BenchmarkGenerator(b *testing.B) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		switch r.Method {
		case http.MethodPost:
			w.WriteHeader(http.StatusCreated)
			fmt.Fprintf(w, `{"id":%d}`, time.Now().UnixNano())
		case http.MethodDelete:
			w.WriteHeader(http.StatusNoContent)
		default:
			if strings.HasPrefix(r.URL.Path, "/api/users/900") {
				w.WriteHeader(http.StatusNotFound)
			}
			fmt.Fprint(w, `{"users":[]}`)
		}
	}))
	defer server.Close()
	for b.Loop() {
		p := traffic.Profile{Name: "bench", Rate: 2000, Requests: 4000, Seed: 1}
		r, err := traffic.Run(b.Context(), traffic.Options{Frontend: server.URL, Profile: p})
		if err != nil || !r.OK() {
			b.Fatal(err, r.Problems())
		}
		b.ReportMetric(r.Rate, "requests/s")
		b.ReportMetric(float64(r.Lag.P99)/1e6, "lag-p99-ms")
		b.ReportMetric(float64(r.Latency.P99)/1e6, "p99-ms")
	}
}
