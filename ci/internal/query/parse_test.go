package query

import (
	"net/http"
	"strings"
	"testing"
)

// TestParse is about what the programs are asked, so that they parse and run
// nothing; the tests in ci/e2e ask the programs.
func TestParse(t *testing.T) {
	url, a := serve(t, 200, `{"status":"success","data":"up"}`)
	loki, mimir, tempo := Loki{url, http.DefaultClient}, Mimir{url, http.DefaultClient}, Tempo{url, http.DefaultClient}
	if err := loki.Parse(t.Context(), `{job="a"}`); err != nil {
		t.Error(err)
	}
	checkAsked(t, a, "/loki/api/v1/format_query", map[string]string{"query": `{job="a"}`})
	if err := mimir.Parse(t.Context(), `up`); err != nil {
		t.Error(err)
	}
	checkAsked(t, a, "/prometheus/api/v1/format_query", map[string]string{"query": `up`})
	if err := tempo.Parse(t.Context(), `{ duration > 3ms }`); err != nil {
		t.Error(err)
	}
	checkAsked(t, a, "/api/search", map[string]string{"q": `{ duration > 3ms }`, "start": "1", "end": "2", "limit": "1"})

	a.asked = nil
	if err := tempo.Parse(t.Context(), ""); err == nil || a.asked != nil {
		t.Errorf("an empty query: error %v, asked %v; want an error, and no question", err, a.asked)
	}
	a.body = `{"traces":[{}]}`
	if err := tempo.Parse(t.Context(), "{}"); err == nil || !strings.Contains(err.Error(), "a trace of 1970") {
		t.Errorf("a query that found something: error %v", err)
	}
}
