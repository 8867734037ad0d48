package chaos

import (
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"

	"github.com/lgtm-lab/lgtm-lab/ci/internal/target"
)

// A lab that samples its traces is refused before any request is sent: the account would
// count the traces that were not wanted as lost.
func TestSampledLabIsRefused(t *testing.T) {
	component, err := os.ReadFile("../sampling/testdata/component.json")
	if err != nil {
		t.Fatal(err)
	}
	for name, answer := range map[string]http.HandlerFunc{
		"it samples": func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(component) },
		"it does not say": func(w http.ResponseWriter, _ *http.Request) {
			http.Error(w, "busy", http.StatusServiceUnavailable)
		},
	} {
		alloy := httptest.NewServer(answer)
		t.Cleanup(alloy.Close)
		sent := false
		frontend := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { sent = true }))
		t.Cleanup(frontend.Close)
		_, err := Observe(t.Context(), ObserveOptions{Addresses: target.Addresses{Alloy: alloy.URL, Frontend: frontend.URL}, Rate: 1})
		want := map[string]string{"it samples": "without --sample-traces", "it does not say": "how it samples: 503"}[name]
		if err == nil || !strings.Contains(err.Error(), want) || sent {
			t.Errorf("%s: Observe = %v, want an error that says %q, and no request (sent: %t)", name, err, want, sent)
		}
	}
}
