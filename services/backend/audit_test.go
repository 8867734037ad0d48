package main

import (
	"context"
	"errors"
	"maps"
	"net/http"
	"strings"
	"testing"

	"go.opentelemetry.io/otel/attribute"
	sdklog "go.opentelemetry.io/otel/sdk/log"

	"github.com/lgtm-lab/lgtm-lab/services/internal/telemetry"
	"github.com/lgtm-lab/lgtm-lab/services/internal/users"
)

func attributesOf(r sdklog.Record) map[string]string {
	found := map[string]string{}
	r.WalkAttributes(func(kv attribute.KeyValue) bool {
		found[string(kv.Key)] = kv.Value.String()
		return true
	})
	return found
}

// Each attempt to change a user leaves one event that says who, whom, when in which trace,
// and with which result, and nothing else of the user. The harness fails to export each
// record, and its requests succeed all the same.
func TestAudit(t *testing.T) {
	l := newHarness(t)
	const ada = `{"name":"Private Person","email":"private@example.com"}`
	const traced, peer = "4bf92f3577b34da6a3ce929d0e0e4736", "192.0.2.1" // of httptest
	for _, c := range []struct {
		name, method, path, body string
		header                   []string
		status                   int
		event, message           string
		want                     map[string]string
	}{
		{"create", "POST", "/users", ada, []string{"X-Forwarded-For", "203.0.113.7"}, 201, "lab.user.create", "user created",
			map[string]string{"lab.audit.result": "success", "user.id": "13", "client.address": "203.0.113.7"}},
		{"create again", "POST", "/users", ada, []string{"X-Forwarded-For", "198.51.100.1, 2001:db8::7"}, 409, "lab.user.create", "user not created",
			map[string]string{"lab.audit.result": "refused", "client.address": "2001:db8::7"}},
		{"create nobody", "POST", "/users", `{}`, nil, 422, "lab.user.create", "user not created",
			map[string]string{"lab.audit.result": "refused", "client.address": peer}},
		{"create without JSON", "POST", "/users", `private`, []string{"X-Forwarded-For", "private@example.com"}, 400, "lab.user.create", "user not created",
			map[string]string{"lab.audit.result": "refused"}},
		{"create in vain", "POST", "/users", `{"name":"N","email":"n@example.com"}`, []string{"Baggage", "lab.fault=error"}, 500, "lab.user.create", "user perhaps created",
			map[string]string{"lab.audit.result": "unknown", "client.address": peer}},
		{"delete", "DELETE", "/users/13", "", nil, 204, "lab.user.delete", "user deleted",
			map[string]string{"lab.audit.result": "success", "user.id": "13", "client.address": peer}},
		{"delete again", "DELETE", "/users/13", "", nil, 404, "lab.user.delete", "user not deleted",
			map[string]string{"lab.audit.result": "refused", "user.id": "13", "client.address": peer}},
		{"delete private", "DELETE", "/users/private", "", nil, 400, "lab.user.delete", "user not deleted",
			map[string]string{"lab.audit.result": "refused", "client.address": peer}},
		{"delete in vain", "DELETE", "/users/1", "", []string{"Baggage", "lab.fault=error"}, 500, "lab.user.delete", "user perhaps deleted",
			map[string]string{"lab.audit.result": "unknown", "user.id": "1", "client.address": peer}},
		{"read", "GET", "/users/1", "", nil, 200, "", "", nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := l.do(c.method, c.path, c.body, append(c.header, "X-Request-Id", "r-1", "Traceparent", "00-"+traced+"-00f067aa0ba902b7-01")...)
			if w.Code != c.status {
				t.Fatalf("it answered %d, want %d: %s", w.Code, c.status, w.Body)
			}
			events := l.logs.events()
			if c.event == "" {
				if len(events) != 0 {
					t.Errorf("it left %d events", len(events))
				}
				return
			}
			if len(events) != 1 {
				t.Fatalf("it left %d events, want 1", len(events))
			}
			e := events[0]
			if e.EventName() != c.event || e.Body().String() != c.message || e.TraceID().String() != traced || e.Timestamp().IsZero() {
				t.Errorf("the event %s %q of %s in %s", e.EventName(), e.Body().String(), e.Timestamp(), e.TraceID())
			}
			c.want["lab.audit"], c.want["request_id"] = "users", "r-1"
			if got := attributesOf(e); !maps.Equal(got, c.want) {
				t.Errorf("it has %v, want %v", got, c.want)
			}
			lines := l.out.lines(t, c.message)
			if last := lines[len(lines)-1]; last["event.name"] != c.event || last["trace_id"] != traced || last["lab.audit.result"] != c.want["lab.audit.result"] {
				t.Errorf("on stdout it is %v", last)
			}
		})
	}
}

// What nobody knows is not called refused.
func TestAuditOfLostAnswers(t *testing.T) {
	for err, want := range map[error]string{
		nil: changed, users.ErrNotFound: refused, users.ErrEmailTaken: refused,
		users.ErrUnavailable: uncertain, context.Canceled: uncertain, context.DeadlineExceeded: uncertain,
	} {
		if got := resultOf(err); got != want {
			t.Errorf("resultOf(%v) = %s, want %s", err, got, want)
		}
	}
}

// brokenOutput is a standard output that nobody reads.
type brokenOutput struct{}

func (brokenOutput) Write([]byte) (int, error) { return 0, errors.New("broken pipe") }

// A log that cannot be written fails no request.
func TestAuditWithoutLog(t *testing.T) {
	noExporters(t)
	tel, err := telemetry.Start(t.Context(), telemetry.Config{ServiceName: "backend", Stdout: brokenOutput{}, LogProcessors: []sdklog.Processor{&logRecorder{}}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = tel.Shutdown(context.Background()) })
	l := newHarness(t)
	l.Handler, err = newRouter(config{listenAddr: ":8081"}, tel, l.store, l.ready)
	if err != nil {
		t.Fatal(err)
	}
	if w := l.do("POST", "/users", `{"name":"N","email":"n@example.com"}`); w.Code != http.StatusCreated || !strings.Contains(w.Body.String(), `"id":13`) {
		t.Errorf("POST answered %d: %s", w.Code, w.Body)
	}
	if w := l.do("DELETE", "/users/13", ""); w.Code != http.StatusNoContent {
		t.Errorf("DELETE answered %d: %s", w.Code, w.Body)
	}
}
