package main

import (
	"strings"
	"testing"
	"time"
)

func TestReadConfig(t *testing.T) {
	for _, test := range []struct {
		name string
		env  map[string]string
		ok   bool
	}{
		{"nothing set", nil, true},
		{"all set", map[string]string{"LISTEN_ADDR": "127.0.0.1:0", "BACKEND_URL": "https://b.example/base", "LAB_TRACE_URL": `http://g:3000/explore?left={"q":"{trace_id}"}`, "SHUTDOWN_DELAY": "5s", "LAB_FAULTS": "true", "MAX_REQUESTS_IN_FLIGHT": "7", "PUBLIC_ENDPOINT": "false"}, true},
		{"no port", map[string]string{"LISTEN_ADDR": "localhost"}, false},
		{"no address", map[string]string{"BACKEND_URL": "localhost:8081"}, false},
		{"backend with a query", map[string]string{"BACKEND_URL": "http://b?x=1"}, false},
		{"script", map[string]string{"LAB_TRACE_URL": "javascript:alert('{trace_id}')"}, false},
		{"data", map[string]string{"LAB_TRACE_URL": "data:text/html,{trace_id}"}, false},
		{"no scheme", map[string]string{"LAB_TRACE_URL": "//g/{trace_id}"}, false},
		{"no host", map[string]string{"LAB_TRACE_URL": "http:///{trace_id}"}, false},
		{"no placeholder", map[string]string{"LAB_TRACE_URL": "http://g/trace"}, false},
		{"delay without unit", map[string]string{"SHUTDOWN_DELAY": "5"}, false},
		{"nothing in flight", map[string]string{"MAX_REQUESTS_IN_FLIGHT": "0"}, false},
		{"neither public nor not", map[string]string{"PUBLIC_ENDPOINT": "no"}, false},
		{"negative delay", map[string]string{"SHUTDOWN_DELAY": "-5s"}, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, err := readConfig(func(name string) string { return test.env[name] })
			if (err == nil) != test.ok {
				t.Fatalf("error = %v, want ok = %v", err, test.ok)
			}
			for name := range test.env {
				if err != nil && !strings.Contains(err.Error(), name) {
					t.Errorf("%q does not name %s", err, name)
				}
			}
		})
	}
	cfg, err := readConfig(func(string) string { return "" })
	if err != nil || cfg.listen != ":8080" || cfg.backend.String() != "http://localhost:8081" || cfg.faults || cfg.traceURL != "" || cfg.shutdownDelay != 0*time.Second || cfg.maxInFlight != defaultMaxInFlight || !cfg.publicEndpoint {
		t.Errorf("defaults = %+v, %v", cfg, err)
	}
}

func TestServerName(t *testing.T) {
	for listen, want := range map[string]string{":8080": "frontend:8080", "127.0.0.1:9": "frontend:9", ":0": "frontend"} {
		if got := (config{listen: listen}).serverName("frontend"); got != want {
			t.Errorf("%s: %q, want %q", listen, got, want)
		}
	}
}
