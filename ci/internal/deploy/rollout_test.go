package deploy

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// In each recording one service has a manifest with one fault, and the other is ready. The
// faulty one is the frontend in the recording about the port, else the backend.
func TestObserveRecorded(t *testing.T) {
	for _, test := range []struct {
		name string
		// after is how long the state must last until the rollout fails, and before a
		// time at which the rollout goes on; 0 for a state that fails at once.
		before, after time.Duration
		failed        Ref
		reason        string
		says          string
	}{
		{"image", 0, 0, backend, "ErrImageNeverPull", "nothere"},
		{"config", 4 * time.Second, 5 * time.Second, backend, "CreateContainerConfigError", "LAB_FUALTS"},
		{"crash", 0, 0, backend, "CrashLoopBackOff", "ended 3 times, the last time with exit code 0"},
	} {
		t.Run(test.name, func(t *testing.T) {
			begin := time.Now()
			s := recordedState(t, test.name)
			r := newRollout([]Ref{frontend, backend}, begin, time.Minute)
			if test.after > 0 {
				if _, end, _ := r.observe(s, begin); end {
					t.Fatal("it was given no time to pass")
				}
				if _, end, _ := r.observe(s, begin.Add(test.before)); end {
					t.Fatalf("it was given only %v to pass", test.before)
				}
			}
			_, end, err := r.observe(s, begin.Add(test.after))
			stuck, ok := errors.AsType[*Stuck](err)
			if !end || !ok {
				t.Fatalf("observe = %v, %v, want the end with a *Stuck", end, err)
			}
			f := stuck.Failures[0]
			if f.Ref != test.failed || f.Obstacle == nil || f.Obstacle.Reason != test.reason || stuck.TimedOut {
				t.Fatalf("%s, obstacle %+v, timed out %v; want %s with %s", f.Ref, f.Obstacle, stuck.TimedOut, test.failed, test.reason)
			}
			if text := f.Obstacle.Message + f.Obstacle.Image; !strings.Contains(text, test.says) {
				t.Errorf("it says %q, without %q", text, test.says)
			}
		})
	}
}

// Rollout waits for all workloads of a namespace without knowing their names.
func TestAwaitAll(t *testing.T) {
	s := recordedState(t, "ready")
	for i := range s.workloads {
		if s.workloads[i].Ref == backend {
			s.workloads[i].Done, s.workloads[i].Refused = false, "no room"
		}
	}
	begin := time.Now()
	r := newRollout([]Ref{frontend}, begin, time.Minute)
	if _, end, err := r.observe(s, begin); !end || err != nil {
		t.Fatalf("observe of the frontend alone = %v, %v", end, err)
	}
	for range 2 {
		r.awaitAll(s, []string{backend.Namespace, "elsewhere"})
	}
	if want := []Ref{frontend, backend}; !slices.Equal(r.want, want) {
		t.Fatalf("awaited: %v, want %v", r.want, want)
	}
	if lines, end, _ := r.observe(s, begin); end && len(lines) == 0 {
		t.Error("the rollout has ended without the backend")
	}
}

// A Deployment's own numbers are out of date when its controller has been away.
func TestReadyIsWhatThePodsAre(t *testing.T) {
	raw, err := os.ReadFile(filepath.Join("testdata", "ready.json"))
	if err != nil {
		t.Fatal(err)
	}
	var list struct{ Items []map[string]any }
	if err := json.Unmarshal(raw, &list); err != nil {
		t.Fatal(err)
	}
	for _, i := range list.Items {
		name := i["metadata"].(map[string]any)["name"].(string)
		if i["kind"] != "Pod" || !strings.HasPrefix(name, "frontend-") {
			continue
		}
		for _, c := range i["status"].(map[string]any)["conditions"].([]any) {
			if c := c.(map[string]any); c["type"] == "Ready" {
				c["status"] = "False"
			}
		}
		break
	}
	if raw, err = json.Marshal(map[string]any{"items": list.Items}); err != nil {
		t.Fatal(err)
	}
	s, err := parseState(raw)
	if err != nil {
		t.Fatal(err)
	}
	for _, w := range s.workloads {
		if want := w.Ref != frontend; w.Done != want && (w.Ref == frontend || w.Ref == backend) {
			t.Errorf("%s done: %v, want %v", w.Ref, w.Done, want)
		}
	}
}

// A pod is ready only when its Services lead to it.
func TestLost(t *testing.T) {
	const pod = `{"kind":"Pod","metadata":{"namespace":"app","name":"frontend-1","labels":{"app":"frontend","pod-template-hash":"h"}},
		"status":{"podIP":"10.0.0.7","conditions":[{"type":"Ready","status":"True"}]}}`
	const others = `{"kind":"Deployment","metadata":{"namespace":"app","name":"frontend","generation":1},
		"spec":{"replicas":1,"selector":{"matchLabels":{"app":"frontend"}}},
		"status":{"observedGeneration":1,"replicas":1,"updatedReplicas":1,"readyReplicas":1,"availableReplicas":1}},
		{"kind":"ReplicaSet","metadata":{"namespace":"app","name":"frontend-h","labels":{"pod-template-hash":"h"},
		"annotations":{"deployment.kubernetes.io/revision":"1"},"ownerReferences":[{"kind":"Deployment","name":"frontend"}]}}`
	for _, test := range []struct {
		name, endpoints string
		done            bool
	}{
		{"no Service", ``, true},
		{"found", `{"addresses":["10.0.0.7"],"conditions":{"ready":true},"targetRef":{"kind":"Pod","namespace":"app","name":"frontend-1"}}`, true},
		{"its readiness is not known", `{"addresses":["10.0.0.7"],"targetRef":{"kind":"Pod","namespace":"app","name":"frontend-1"}}`, true},
		{"its old address", `{"addresses":["10.0.0.3"],"conditions":{"ready":true},"targetRef":{"kind":"Pod","namespace":"app","name":"frontend-1"}}`, false},
		{"not ready for the Service", `{"addresses":["10.0.0.7"],"conditions":{"ready":false},"targetRef":{"kind":"Pod","namespace":"app","name":"frontend-1"}}`, false},
		{"another's", `{"addresses":["10.0.0.3"],"conditions":{"ready":false},"targetRef":{"kind":"Pod","namespace":"app","name":"backend-1"}}`, true},
		{"another namespace's", `{"addresses":["10.0.0.3"],"conditions":{"ready":true},"targetRef":{"kind":"Pod","namespace":"shop","name":"frontend-1"}}`, true},
	} {
		s, err := parseState([]byte(`{"items":[` + pod + `,` + others + `,{"kind":"EndpointSlice","metadata":{"namespace":"app"},"endpoints":[` + test.endpoints + `]}]}`))
		if err != nil || len(s.workloads) != 1 {
			t.Fatalf("%s: %d workloads, %v", test.name, len(s.workloads), err)
		}
		w := s.workloads[0]
		if w.Done != test.done || !test.done && w.state() != "not in its Service yet" {
			t.Errorf("%s: done %v (%s), want %v", test.name, w.Done, w.state(), test.done)
		}
	}
}

// A cluster that was stopped and started reports for a while that every pod is ready.
func TestObserveAfterANodeWasStarted(t *testing.T) {
	s := recordedState(t, "ready")
	var node string
	first := time.Now()
	for _, w := range s.workloads {
		for _, p := range w.Pods {
			for _, c := range p.Containers {
				if w.Ref == frontend && !c.Started.IsZero() && c.Started.Before(first) {
					node, first = p.Node, c.Started
				}
			}
		}
	}
	if node == "" {
		t.Fatal("the recording has no running container")
	}
	begin := time.Now()
	s.forgetBefore(map[string]time.Time{node: first.Add(-time.Second), "another": begin})
	if _, end, err := newRollout([]Ref{frontend}, begin, time.Minute).observe(s, begin); !end || err != nil {
		t.Fatalf("observe of pods that are younger than their node = %v, %v", end, err)
	}
	s.forgetBefore(map[string]time.Time{node: begin})
	lines, end, err := newRollout([]Ref{frontend}, begin, time.Minute).observe(s, begin)
	if end || err != nil || len(lines) != 1 || !strings.Contains(lines[0], "frontend 0/2") {
		t.Errorf("observe = %q, %v, %v; want to wait for both pods of the frontend", lines, end, err)
	}
}

func TestObserveWrongPortTimesOut(t *testing.T) {
	begin := time.Now()
	r := newRollout([]Ref{frontend, backend}, begin, time.Minute)
	s := recordedState(t, "port")
	if _, end, _ := r.observe(s, begin.Add(59*time.Second)); end {
		t.Fatal("a failing probe may pass until the time is up")
	}
	_, end, err := r.observe(s, begin.Add(61*time.Second))
	stuck, ok := errors.AsType[*Stuck](err)
	if !end || !ok || !stuck.TimedOut {
		t.Fatalf("observe = %v, %v, want a *Stuck that timed out", end, err)
	}
	if want := "1 of 2 workloads are not ready after 61 s: frontend (running, not ready)"; err.Error() != want {
		t.Errorf("error %q, want %q", err, want)
	}
	if f := stuck.Failures[0]; f.Obstacle != nil || len(f.Old) != 2 {
		t.Errorf("obstacle %v with %d old pods, want no obstacle and 2 old pods", f.Obstacle, len(f.Old))
	}
}

func TestObserveReady(t *testing.T) {
	begin := time.Now()
	ready := recordedState(t, "ready")
	r := newRollout([]Ref{frontend, backend}, begin, time.Minute)
	if lines, end, err := r.observe(ready, begin); !end || err != nil || len(lines) > 0 || len(r.took) > 0 {
		t.Errorf("workloads that are ready from the beginning: %q, %v, %v, took %v; want the end without a line", lines, end, err, r.took)
	}

	r = newRollout([]Ref{frontend, backend}, begin, time.Minute)
	lines, end, err := r.observe(recordedState(t, "config"), begin)
	if end || err != nil || !slices.Equal(lines, []string{"waiting for backend 0/1 CreateContainerConfigError"}) {
		t.Fatalf("the first look: %q, %v, %v", lines, end, err)
	}
	lines, end, err = r.observe(ready, begin.Add(4200*time.Millisecond))
	if !end || err != nil || !slices.Equal(lines, []string{"backend 1/1 ready in 4.2 s"}) {
		t.Fatalf("when it is ready: %q, %v, %v", lines, end, err)
	}
	if r.took[backend] != 4200*time.Millisecond || len(r.took) != 1 {
		t.Errorf("took %v, want 4.2 s of the backend alone", r.took)
	}
}

// A state that comes and goes does not count as lasting.
func TestObserveObstacleThatGoes(t *testing.T) {
	begin := time.Now()
	r := newRollout([]Ref{backend}, begin, time.Hour)
	bad, other := recordedState(t, "config"), clusterState{}
	for _, at := range []time.Duration{0, 3, 6, 9, 12} {
		s := bad
		if at%2 == 1 { // every other time all is well
			s = other
		}
		if _, end, err := r.observe(s, begin.Add(at*time.Second)); end {
			t.Fatalf("after %d s: %v", at, err)
		}
	}
}

func TestObserveAbsent(t *testing.T) {
	begin := time.Now()
	r := newRollout([]Ref{{"StatefulSet", "observability", "loki"}}, begin, time.Minute)
	if lines, end, _ := r.observe(clusterState{}, begin); end || !strings.Contains(strings.Join(lines, ""), "loki 0/0 not begun") {
		t.Errorf("%q, %v: a workload that is not there yet is not ready", lines, end)
	}
}

// change decodes a recording, changes its items and reads it again.
func change(t *testing.T, name string, edit func(i map[string]any)) clusterState {
	t.Helper()
	var list map[string]any
	if err := json.Unmarshal([]byte(recorded(t, name+".json")), &list); err != nil {
		t.Fatal(err)
	}
	for _, i := range list["items"].([]any) {
		edit(i.(map[string]any))
	}
	raw, err := json.Marshal(list)
	if err != nil {
		t.Fatal(err)
	}
	s, err := parseState(raw)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// A workload is not ready when any part of its readiness is missing.
func TestDoneNeedsAll(t *testing.T) {
	for field, value := range map[string]any{"observedGeneration": 0, "updatedReplicas": 1, "availableReplicas": 1, "replicas": 3} {
		s := change(t, "ready", func(i map[string]any) {
			if meta := i["metadata"].(map[string]any); i["kind"] == "Deployment" && meta["name"] == "frontend" {
				i["status"].(map[string]any)[field] = value
			}
		})
		i := slices.IndexFunc(s.workloads, func(w Workload) bool { return w.Ref == frontend })
		if s.workloads[i].Done {
			t.Errorf("done with %s = %v", field, value)
		}
	}
}

func TestObstacles(t *testing.T) {
	pod := func(p Pod) Workload { return Workload{Ref: backend, Desired: 1, Seen: true, Pods: []Pod{p}} }
	waits := func(reason string, restarts int, ended *Ended) Workload {
		return pod(Pod{Name: "p", Namespace: "app", Phase: "Running", Containers: []Container{{Name: "c", Waiting: reason, Restarts: restarts, Ended: ended}}})
	}
	podEvent := func(reason, message string) []Event {
		return []Event{{Ref: Ref{"Pod", "app", "p"}, Reason: reason, Message: message}}
	}
	pending := pod(Pod{Name: "p", Namespace: "app", Phase: "Pending", Containers: []Container{{Name: "c", Waiting: "ContainerCreating"}}})
	for _, test := range []struct {
		name   string
		w      Workload
		events []Event
		want   string // reason, message, grace; "" for no obstacle
	}{
		{"starting", waits("ContainerCreating", 0, nil), nil, ""},
		{"first crash", waits("CrashLoopBackOff", 1, &Ended{ExitCode: 1}), nil, ""},
		{"second crash", waits("CrashLoopBackOff", 2, &Ended{ExitCode: 1, Reason: "Error"}), nil, "CrashLoopBackOff: ended 3 times, the last time with exit code 1, 0s"},
		{"out of memory", waits("CrashLoopBackOff", 4, &Ended{ExitCode: 137, Reason: "OOMKilled"}), nil, "CrashLoopBackOff: ended 5 times, the last time with exit code 137 (OOMKilled), 0s"},
		{"first pull", waits("ErrImagePull", 0, nil), nil, ""},
		{"second pull", waits("ImagePullBackOff", 0, nil), nil, "ImagePullBackOff: , 0s"},
		{"bad name", waits("InvalidImageName", 0, nil), nil, "InvalidImageName: , 0s"},
		{"no room", pod(Pod{Name: "p", Phase: "Pending", Unschedulable: "Insufficient memory"}), nil, "Unschedulable: Insufficient memory, 30s"},
		{"volume on its way", pending, podEvent("FailedMount", "timed out"), ""},
		{"volume missing", pending, podEvent("FailedMount", `configmap "x" not found`), `FailedMount: configmap "x" not found, 15s`},
		{"another pod's volume", pending, []Event{{Ref: Ref{"Pod", "app", "q"}, Reason: "FailedMount", Message: "not found"}}, ""},
		{"refused", Workload{Ref: backend, Desired: 1, Seen: true, Refused: "violates PodSecurity"}, nil, "FailedCreate: violates PodSecurity, 10s"},
		{"set refused", Workload{Ref: Ref{"StatefulSet", "o", "s"}, Desired: 1, Seen: true},
			[]Event{{Ref: Ref{"StatefulSet", "o", "s"}, Reason: "FailedCreate", Message: "forbidden"}}, "FailedCreate: forbidden, 10s"},
		{"old pods do not count", Workload{Ref: backend, Desired: 1, Seen: true, Old: waits("CrashLoopBackOff", 9, nil).Pods}, nil, ""},
		{"not seen yet", Workload{Ref: backend, Desired: 1, Pods: waits("ErrImageNeverPull", 0, nil).Pods}, nil, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			got := ""
			for _, o := range test.w.obstacles(test.events) {
				got += o.Reason + ": " + o.Message + ", " + o.grace.String()
			}
			if got != test.want {
				t.Errorf("obstacles = %q, want %q", got, test.want)
			}
		})
	}
}

func TestRolloutAsksUntilReady(t *testing.T) {
	k := &fakeKubectl{rules: []rule{{begins: "get " + stateKinds, answers: []string{recorded(t, "config.json"), recorded(t, "ready.json")}}}}
	var lines []string
	took, err := Rollout(context.Background(), k, []Ref{frontend, backend}, RolloutOptions{Progress: func(l string) { lines = append(lines, l) }})
	if err != nil || len(took) != 1 || len(lines) != 2 || !strings.HasPrefix(lines[1], "backend 1/1 ready in ") {
		t.Errorf("Rollout = %v, %v, told %q", took, err, lines)
	}
}

func TestRolloutCancelled(t *testing.T) {
	ctx, cancel := context.WithCancelCause(context.Background())
	k := &fakeKubectl{rules: []rule{{begins: "get", answers: []string{recorded(t, "config.json")}, then: func() { cancel(errTest) }}}}
	if _, err := Rollout(ctx, k, []Ref{backend}, RolloutOptions{}); !errors.Is(err, errTest) {
		t.Errorf("Rollout = %v, want the cause", err)
	}
}

// A StatefulSet's broken pod of an older version is deleted, once.
func TestRolloutReplacesStuckPod(t *testing.T) {
	k := &fakeKubectl{rules: []rule{{begins: "delete pod"}}}
	bad := Pod{Namespace: "observability", Name: "loki-0", Phase: "Pending", Containers: []Container{{Waiting: "ErrImageNeverPull"}}}
	set := Ref{"StatefulSet", "observability", "loki"}
	s := clusterState{workloads: []Workload{{Ref: set, Desired: 1, Seen: true, Old: []Pod{bad}}, {Ref: backend, Desired: 1, Seen: true, Old: []Pod{bad}}}}
	r := newRollout([]Ref{set, backend}, time.Now(), time.Minute)
	for range 3 {
		r.replaceStuck(context.Background(), k, s, func(string) {})
	}
	if calls := k.called("delete pod loki-0 --namespace=observability"); len(calls) != 1 || len(k.calls) != 1 {
		t.Errorf("calls %v, want one that deletes loki-0", k.calls)
	}
}

func TestExplainGolden(t *testing.T) {
	for _, name := range []string{"image", "config", "crash", "port"} {
		t.Run(name, func(t *testing.T) {
			begin := time.Now()
			r := newRollout([]Ref{frontend, backend}, begin, 30*time.Second)
			s := recordedState(t, name)
			_, _, _ = r.observe(s, begin)
			_, _, err := r.observe(s, begin.Add(31*time.Second))
			k := &fakeKubectl{rules: []rule{
				{begins: "get events", answers: []string{recorded(t, name+"-events.json")}},
				{begins: "logs", answers: []string{"one line\n\nand its last words\n"}},
			}}
			got := Explain(context.Background(), k, err, "--target kind") + "\n"
			if lines := strings.Count(got, "\n"); lines > 24 {
				t.Errorf("%d lines do not fit on a screen", lines)
			}
			golden := filepath.Join("testdata", name+".txt")
			if os.Getenv("UPDATE") != "" {
				if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			if want := recorded(t, name+".txt"); got != want {
				t.Errorf("Explain wrote\n%s\nwant\n%s", got, want)
			}
		})
	}
}
