package e2e

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/lgtm-lab/lgtm-lab/ci/internal/inspect"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/services"
)

// listsAndInspects checks what `lab services` and `lab inspect` say of the lab's own
// services after traffic.
func (l *testLab) listsAndInspects() {
	l.Helper()
	var list services.List
	if err := json.Unmarshal([]byte(l.lab("services", "-o", "json")), &list); err != nil {
		l.Fatal(err)
	}
	for _, name := range []string{"backend", "frontend"} {
		i := slices.IndexFunc(list.Services, func(s services.Service) bool { return s.Name == name })
		if i < 0 {
			l.Errorf("lab services does not list the %s: %+v", name, list)
			continue
		}
		s := list.Services[i]
		if s.SpansPerMinute <= 0 || s.LinesPerMinute <= 0 || s.Series == 0 || time.Since(s.LastSeen) > 2*time.Minute || s.Score == nil {
			l.Errorf("lab services says of the %s: %+v", name, s)
		}
	}
	var found inspect.Inspection
	if err := json.Unmarshal([]byte(l.lab("inspect", "backend", "-o", "json")), &found); err != nil {
		l.Fatal(err)
	}
	if found.Facts.Spans.Count == 0 || found.Facts.Logs.Count == 0 || len(found.Facts.Metrics) < 10 || found.Score.Evaluated < 15 {
		l.Errorf("lab inspect backend says %d spans, %d lines, %d metrics, %d rules", found.Facts.Spans.Count, found.Facts.Logs.Count, len(found.Facts.Metrics), found.Score.Evaluated)
	}
	page := filepath.Join(l.dir, "inspect.html")
	l.lab("inspect", "backend", "--html", page)
	raw, err := os.ReadFile(page)
	if err != nil {
		l.Fatal(err)
	}
	for _, want := range []string{"GET /users/{id}", "db.client.operation.duration", "{user}", "SELECT &#34;u&#34;"} {
		if !strings.Contains(string(raw), want) {
			l.Errorf("the page of the backend lacks %q", want)
		}
	}
}
