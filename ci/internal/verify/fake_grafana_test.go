package verify

import (
	"encoding/json"
	"fmt"
	"net/http"

	"github.com/lgtm-lab/lgtm-lab/dashboards"
)

// grafana adds Grafana's answers to a request without a login, as version 13 gives
// them. Tempo's plugin has no health check of its own there.
func (f *fake) grafana(mux *http.ServeMux) {
	message := func(w http.ResponseWriter, status int, text string) {
		w.WriteHeader(status)
		writeJSON(w, labels{"message": text})
	}
	mux.HandleFunc("GET /grafana/api/health", func(w http.ResponseWriter, _ *http.Request) {
		writeJSON(w, labels{"database": "ok", "version": "13.1.3"})
	})
	kind := func(r *http.Request) string {
		for _, s := range f.sources {
			if s.UID == r.PathValue("uid") {
				return s.Type
			}
		}
		return ""
	}
	mux.HandleFunc("GET /grafana/api/datasources/uid/{uid}", func(w http.ResponseWriter, r *http.Request) {
		if kind(r) == "" {
			message(w, http.StatusNotFound, "Data source not found")
			return
		}
		writeJSON(w, labels{"uid": r.PathValue("uid"), "type": kind(r)})
	})
	mux.HandleFunc("GET /grafana/api/datasources/uid/{uid}/health", func(w http.ResponseWriter, r *http.Request) {
		if kind(r) == dashboards.Tempo {
			message(w, http.StatusNotFound, "Method not implemented")
			return
		}
		writeJSON(w, labels{"status": "OK", "message": "it works"})
	})
	mux.HandleFunc("GET /grafana/api/datasources/proxy/uid/{uid}/api/echo", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "echo") })
	mux.HandleFunc("GET /grafana/api/dashboards/uid/{uid}", func(w http.ResponseWriter, r *http.Request) {
		if r.PathValue("uid") != "lab-demo" {
			message(w, http.StatusNotFound, "Dashboard not found")
			return
		}
		writeJSON(w, map[string]any{"dashboard": json.RawMessage(f.model), "meta": map[string]any{"provisioned": true}})
	})
}
