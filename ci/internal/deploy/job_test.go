package deploy

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"
)

const jobManifest = "apiVersion: batch/v1\nkind: Job\nmetadata: {name: verify, namespace: observability}\nspec: {}\n"

// jobPods returns kubectl's output about the Job's pods.
func jobPods(status string) string { return `{"items":[` + jobPodJSON(status) + `]}` }

func jobPodJSON(status string) string {
	return `{"kind":"Pod","metadata":{"name":"verify-1-x","namespace":"observability"},"status":` + status + `}`
}

const (
	podPending = `{"phase":"Pending","containerStatuses":[{"name":"lab","state":{"waiting":{"reason":"ContainerCreating"}}}]}`
	podRunning = `{"phase":"Running","containerStatuses":[{"name":"lab","state":{"running":{}}}]}`
	podFailed  = `{"phase":"Failed","containerStatuses":[{"name":"lab","state":{"terminated":{"exitCode":1,"reason":"Error"}}}]}`
	podNoImage = `{"phase":"Pending","containerStatuses":[{"name":"lab","image":"lab:gone","state":{"waiting":{"reason":"ImagePullBackOff","message":"not found"}}}]}`
)

func TestRunJob(t *testing.T) {
	log := "· one\n· two\n{\n  \"ok\": false\n}\nlab: a remark\n"
	k := &fakeKubectl{rules: []rule{
		{begins: "create"},
		{begins: "get pods --namespace", answers: []string{`{"items":[]}`, jobPods(podPending), jobPods(podRunning)}},
		// The stream breaks off once, and starts again from the beginning.
		{begins: "logs verify-1-x --namespace=observability --follow", answers: []string{"· one\n", log}, err: nil},
		{begins: "get pods verify-1-x", answers: []string{jobPodJSON(podRunning), jobPodJSON(podFailed)}},
		{begins: "logs verify-1-x", answers: []string{log}},
		{begins: "delete job"},
	}}
	var told []string
	result, err := RunJob(context.Background(), k, []byte(jobManifest), JobOptions{Progress: func(l string) { told = append(told, l) }})
	if err != nil {
		t.Fatal(err)
	}
	if result.ExitCode != 1 || string(result.Output) != "{\n  \"ok\": false\n}\nlab: a remark\n" {
		t.Errorf("exit code %d, output %q", result.ExitCode, result.Output)
	}
	if !slices.Equal(told, []string{"one", "two"}) {
		t.Errorf("told %q, want each line of progress once", told)
	}
	created, deleted := k.called("create"), k.called("delete job verify-")
	if len(created) != 1 || len(deleted) != 1 {
		t.Fatalf("created %d and deleted %d jobs", len(created), len(deleted))
	}
	name := strings.Fields(deleted[0].line)[2]
	if name == "verify" || !strings.Contains(created[0].stdin, `"name":"`+name+`"`) {
		t.Errorf("created %s, deleted %s", created[0].stdin, name)
	}
}

func TestRunJobCancelledIsDeleted(t *testing.T) {
	ctx, cancel := context.WithCancelCause(context.Background())
	k := &fakeKubectl{rules: []rule{
		{begins: "create"},
		{begins: "get pods", answers: []string{jobPods(podRunning)}},
		{begins: "logs", then: func() { cancel(errTest) }},
		{begins: "delete job"},
	}}
	if _, err := RunJob(ctx, k, []byte(jobManifest), JobOptions{}); !errors.Is(err, errTest) {
		t.Errorf("RunJob = %v, want the cause", err)
	}
	if n := len(k.called("delete job")); n != 1 {
		t.Errorf("%d jobs deleted", n)
	}
}

func TestRunJobThatCannotStart(t *testing.T) {
	k := &fakeKubectl{rules: []rule{
		{begins: "create"},
		{begins: "get pods", answers: []string{jobPods(podNoImage)}},
		{begins: "get events", answers: []string{`{"items":[]}`}},
		{begins: "delete job"},
	}}
	_, err := RunJob(context.Background(), k, []byte(jobManifest), JobOptions{Start: time.Minute})
	if err == nil || !strings.Contains(err.Error(), "ImagePullBackOff") || !strings.Contains(err.Error(), "lab:gone") {
		t.Errorf("RunJob = %v, want the reason and the image", err)
	}
	if n := len(k.called("delete job")); n != 1 {
		t.Errorf("%d jobs deleted", n)
	}
}

func TestRunJobWhosePodGoes(t *testing.T) {
	k := &fakeKubectl{rules: []rule{
		{begins: "create"}, {begins: "get pods verify-1-x"}, {begins: "get pods", answers: []string{jobPods(podRunning)}},
		{begins: "logs"}, {begins: "delete job"},
	}}
	if _, err := RunJob(context.Background(), k, []byte(jobManifest), JobOptions{}); err == nil || !strings.Contains(err.Error(), "was deleted while it ran") {
		t.Errorf("RunJob = %v", err)
	}
}

func TestUniqueJobRefuses(t *testing.T) {
	for _, manifest := range []string{"", "kind: Pod\nmetadata: {name: a, namespace: b}", "kind: Job\nmetadata: {name: a}", ": :"} {
		if _, _, err := uniqueJob([]byte(manifest)); err == nil {
			t.Errorf("uniqueJob(%q) has no error", manifest)
		}
	}
}

func TestSplitter(t *testing.T) {
	const text = "· a\nrest 1\n·no mark\n· b\r\n· c"
	// The result is the same however the text is cut.
	for size := 1; size <= len(text); size++ {
		var told []string
		var rest []byte
		s := splitter{progress: func(l string) { told = append(told, l) }, rest: &rest}
		for at := 0; at < len(text); at += size {
			_, _ = s.Write([]byte(text[at:min(at+size, len(text))]))
		}
		s.flush()
		if !slices.Equal(told, []string{"a", "b", "c"}) || string(rest) != "rest 1\n·no mark\n" {
			t.Fatalf("in pieces of %d: told %q, rest %q", size, told, rest)
		}
	}
}
