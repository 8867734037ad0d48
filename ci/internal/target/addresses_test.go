package target

import (
	"net/url"
	"strings"
	"testing"
)

func TestTraceURL(t *testing.T) {
	g := DefaultPorts().Local()
	explore, err := url.Parse(strings.ReplaceAll(g.TraceURL(), "{trace_id}", "abc123"))
	if err != nil {
		t.Fatal(err)
	}
	if explore.Host != "127.0.0.1:3000" || explore.Path != "/explore" {
		t.Errorf("the link leads to %s", explore)
	}
	if panes := explore.Query().Get("panes"); !strings.Contains(panes, `"query":"abc123"`) || !strings.Contains(panes, `"uid":"tempo"`) {
		t.Errorf("the link opens %s", panes)
	}
	g.Grafana = ""
	if got, want := g.TraceURL(), "http://127.0.0.1:4319/trace/{trace_id}"; got != want {
		t.Errorf("TraceURL() without Grafana = %s, want %s", got, want)
	}
	g.Inspector = ""
	if got, want := g.TraceURL(), "http://127.0.0.1:3200/api/v2/traces/{trace_id}"; got != want {
		t.Errorf("TraceURL() without Grafana and the inspector = %s, want %s", got, want)
	}
}

func TestURL(t *testing.T) {
	g := DefaultPorts().Local()
	seen := map[string]bool{}
	for _, name := range []string{Frontend, Backend, Alloy, Loki, Tempo, Mimir, Grafana, Inspector} {
		u := g.URL(name)
		if u == "" || seen[u] {
			t.Errorf("URL(%q) = %q", name, u)
		}
		seen[u] = true
	}
	if u := g.URL("lokki"); u != "" {
		t.Errorf("URL of an unknown component = %q", u)
	}
}
