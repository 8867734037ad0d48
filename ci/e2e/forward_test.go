package e2e

import (
	"bytes"
	"compress/gzip"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/lgtm-lab/lgtm-lab/ci/internal/target"
)

// otherEndpoint is another OTLP endpoint: it answers with a status, or not at all when that
// is 0, and keeps what it gets for each path.
type otherEndpoint struct {
	status atomic.Int64
	mu     sync.Mutex
	got    map[string]string
	header http.Header
	over   chan struct{} // closed when the test is over
}

func (o *otherEndpoint) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	if o.status.Load() == 0 {
		select {
		case <-r.Context().Done():
		case <-o.over:
		}
		return
	}
	if r.Header.Get("Content-Encoding") == "gzip" {
		if unzipped, err := gzip.NewReader(bytes.NewReader(body)); err == nil {
			body, _ = io.ReadAll(unzipped)
		}
	}
	o.mu.Lock()
	o.got[r.URL.Path] += string(body)
	o.header = r.Header
	o.mu.Unlock()
	w.WriteHeader(int(o.status.Load()))
}

func (o *otherEndpoint) has(path, text string) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return strings.Contains(o.got[path], text)
}

// sendEverything sends a span, a line and a point of a new service, and waits until the
// lab's own databases have them.
func (l *testLab) sendEverything() (service string) {
	l.Helper()
	service = "forwarded-" + randomID(4)
	span, id := newSpan("forwarded")
	l.mustSend("traces", spans(service, span))
	l.sendLogs(logsFrom(resource(service), logRecord("hello", nil)))
	l.mustSend("metrics", export(resource(service), gauge("forwarded", point(1))))
	l.storedSpan("", unhex(id))
	l.line(`{service_name="` + service + `"}`)
	l.has(`forwarded{service_name="`+service+`"}`, 1, 1)
	return service
}

// `up --forward` sends a copy of all signals to another endpoint. What that endpoint refuses,
// or never answers, is counted, and the lab stores everything nevertheless.
func TestForward(t *testing.T) {
	t.Parallel()
	other := &otherEndpoint{got: map[string]string{}, over: make(chan struct{})}
	other.status.Store(http.StatusOK)
	server := httptest.NewServer(other)
	t.Cleanup(func() { close(other.over); server.Close() })
	secret := "secret-" + randomID(12)
	headers := filepath.Join(t.TempDir(), "headers")
	if err := os.WriteFile(headers, []byte("# of the vendor\nAuthorization: Bearer "+secret+"\nX-Tenant: seven\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	l := newLab(t, "--forward", server.URL, "--forward-headers", headers)

	service := l.sendEverything()
	for _, path := range []string{"/v1/traces", "/v1/logs", "/v1/metrics"} {
		l.eventually("the other endpoint has the copy at "+path, func() bool { return other.has(path, service) })
	}
	if other.has("/v1/logs", "exported_") || other.has("/v1/logs", "\x05level") {
		t.Error("the copy is of what was mended, want what came in")
	}
	if got := other.header; got.Get("Authorization") != "Bearer "+secret || got.Get("X-Tenant") != "seven" {
		t.Errorf("the other endpoint gets the headers %v", got)
	}
	l.keeps(secret)

	lost := func() float64 {
		return l.counter(target.Alloy, `otelcol_exporter_(send|enqueue)_failed_.+component_path="/forward.copy.lab"`)
	}
	for name, status := range map[string]int{"refuses": 400, "hangs": 0, "is overloaded": 503} {
		t.Run("an endpoint that "+name, func(t *testing.T) {
			l := l.in(t)
			other.status.Store(int64(status))
			before := lost()
			l.sendEverything()
			if status == http.StatusBadRequest {
				l.eventually("what was refused is counted", func() bool { return lost() > before })
			}
		})
	}
	// The queue of the copy is full long before Alloy's own memory is.
	other.status.Store(0)
	before := lost()
	for range 40 {
		l.sendLogs(logsFrom(resource("bulk"), logRecord(strings.Repeat("x", 400_000), nil)))
	}
	l.eventually("what the queue has no room for is counted", func() bool { return lost() > before })
	l.sendEverything()
	if n := len(l.lines(`{service_name="bulk"}`)); n != 40 {
		l.eventually("all lines are stored", func() bool { return l.count(`{service_name="bulk"}`) == 40 })
	}
	l.nothingElseLost()
	l.eventually("Mimir has the counters of the copy", func() bool {
		samples, err := l.mimir().Instant(t.Context(), `sum by (reason) (lab_forward_copy_given_up_total) > 0`, time.Now())
		return err == nil && len(samples) == 2
	})
	l.has(`{__name__=~"otelcol_exporter_.+",component_path=~".*copy.*"}`, 0, -1)
}

// nothingElseLost checks that Loki has refused no line, and that Alloy has given up nothing
// but the copy.
func (l *testLab) nothingElseLost() {
	l.Helper()
	if n := l.counter(target.Loki, "loki_discarded_samples_total"); n != 0 {
		l.Errorf("Loki has discarded %.0f lines", n)
	}
	if n := l.counter(target.Alloy, `otelcol_exporter_(send|enqueue)_failed_.+component_path="/"`); n != 0 {
		l.Errorf("Alloy has given up %.0f items", n)
	}
	if n := l.counter(target.Alloy, `otelcol_receiver_(refused|failed)_`); n != 0 {
		l.Errorf("Alloy has refused %.0f items", n)
	}
}

// keeps checks that a secret is in no file of the lab's folder that others can read, in no
// log, no output of the lab and no page of Alloy's.
func (l *testLab) keeps(secret string) {
	l.Helper()
	err := filepath.WalkDir(l.dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return nil // a file that is gone meanwhile
		}
		info, err := d.Info()
		if err != nil || info.Size() > 10<<20 || info.Mode().Perm()&0o077 == 0 && filepath.Base(filepath.Dir(path)) == "forward" {
			return nil
		}
		if raw, err := os.ReadFile(path); err == nil && bytes.Contains(raw, []byte(secret)) {
			l.Errorf("%s (%v) contains the secret", path, info.Mode())
		}
		return nil
	})
	if err != nil {
		l.Fatal(err)
	}
	if strings.Contains(l.lab("status", "-o", "json"), secret) {
		l.Error("lab status prints the secret")
	}
	pages := 0
	for _, name := range []string{"otelcol.auth.headers.forward", "local.file.value_0", "otelcol.exporter.otlphttp.forward"} {
		response, err := client.Get(l.addresses.Alloy + "/api/v0/web/components/forward.copy.lab/" + name)
		if err != nil {
			l.Fatal(err)
		}
		page, _ := io.ReadAll(response.Body)
		response.Body.Close()
		if response.StatusCode == http.StatusOK {
			pages++
		}
		if strings.Contains(string(page), secret) {
			l.Errorf("Alloy's page of %s shows the secret", name)
		}
	}
	if pages != 3 {
		l.Errorf("%d of 3 pages of Alloy's are there", pages)
	}
}
