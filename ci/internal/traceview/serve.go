package traceview

import (
	"bytes"
	"fmt"
	"html"
	"net/http"

	"github.com/lgtm-lab/lgtm-lab/ci/internal/query"
)

// Handler serves GET /trace/{id}: the page of the trace with that id, in any form that
// ParseID reads. It answers 404 with the page when Tempo does not have the trace (yet),
// and 502 when Tempo or Loki does not answer.
func Handler(tempo query.Tempo, loki query.Loki) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /trace/{id}", func(w http.ResponseWriter, r *http.Request) {
		id, err := ParseID(r.PathValue("id"))
		if err != nil {
			problem(w, http.StatusBadRequest, err)
			return
		}
		t, err := Fetch(r.Context(), tempo, loki, id)
		if err != nil {
			problem(w, http.StatusBadGateway, err)
			return
		}
		var page bytes.Buffer
		if err := t.WriteHTML(&page); err != nil {
			problem(w, http.StatusInternalServerError, err)
			return
		}
		status := http.StatusOK
		if t.Missing != "" {
			status = http.StatusNotFound
		}
		answer(w, status, page.Bytes())
	})
	return mux
}

// problem answers with a page that has nothing but a sentence.
func problem(w http.ResponseWriter, status int, err error) {
	answer(w, status, fmt.Appendf(nil, "<!doctype html>\n<meta charset=\"utf-8\">\n<title>%s</title>\n<p>%s</p>\n", http.StatusText(status), html.EscapeString(err.Error())))
}

func answer(w http.ResponseWriter, status int, page []byte) {
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Security-Policy", ContentSecurityPolicy)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, _ = w.Write(page)
}
