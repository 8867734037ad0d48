package main

import (
	"strings"
	"testing"
	"time"

	"github.com/lgtm-lab/lgtm-lab/ci/internal/target"
)

func TestStatusTable(t *testing.T) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	s := target.Status{Target: target.Kind, Components: []target.Component{
		{Name: "backend", State: "CrashLoopBackOff", Desired: 1, Instances: []target.Instance{
			{Name: "backend-1", State: "CrashLoopBackOff", Restarts: 3, MemoryBytes: 42 << 20, Started: now.Add(-90 * time.Second)},
		}},
		{Name: "frontend", State: "ready", Desired: 2, Ready: 2, URL: "http://localhost:8080", Instances: []target.Instance{
			{Name: "frontend-1", State: "ready", Ready: true, MemoryBytes: 19 << 20, Started: now.Add(-3 * time.Hour)},
			{Name: "frontend-2", State: "ready", Ready: true, Started: now.Add(-50 * time.Hour)},
		}},
		{Name: "loki", State: "no pod yet", Desired: 1},
		{Name: "tempo", State: "not ready", Desired: 1, URL: "http://127.0.0.1:3200", Instances: []target.Instance{
			{Name: "tempo", PID: 77, State: "not ready", MemoryBytes: 5 << 20, Detail: "503 starting"},
		}},
	}}
	s.Forward = &target.Copy{Sent: target.Items{Spans: 12, MetricPoints: 3}, QueueBytes: 3 << 19, QueueCapacityBytes: 8 << 20}
	s.Sum()
	var b strings.Builder
	if err := statusTable(&b, s, now); err != nil {
		t.Fatal(err)
	}
	const want = `COMPONENT  READY  INSTANCE    STATE             RESTARTS  MEMORY  AGE  ADDRESS
backend    0/1    backend-1   CrashLoopBackOff  3         42 MB   90s  
frontend   2/2    frontend-1  ready             0         19 MB   3h   http://localhost:8080
                  frontend-2  ready             0         –       2d   
loki       0/1    –           no pod yet                               
tempo      0/1    process 77  not ready         0         5 MB    –    http://127.0.0.1:3200

tempo: 503 starting
The copy for another endpoint: sent 12 spans, 0 log records, 3 metric points; given up nothing; 1.5 of 8.0 MiB wait.
3 of 4 components are not ready; 66 MB of memory in all.
`
	if b.String() != want {
		t.Errorf("the table is\n%s\nwant\n%s", b.String(), want)
	}
	if s.Ready {
		t.Error("a lab with components that are not ready is ready")
	}
}
