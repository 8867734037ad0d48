package main

import (
	"bytes"
	"io"
	"net/http"
	"strings"
	"testing"
)

func TestRun(t *testing.T) {
	base, logs, stop := startFrontend(t, map[string]string{"LISTEN_ADDR": "127.0.0.1:0", "BACKEND_URL": deadAddress(t)})
	for path, want := range map[string]string{"/health": `{"status":"ok"}`, "/ready": `{"status":"ready"}`} {
		res, err := http.Get(base + path)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(res.Body)
		_ = res.Body.Close()
		if err != nil || res.StatusCode != http.StatusOK || strings.TrimSpace(string(body)) != want {
			t.Errorf("%s = %d %s, %v", path, res.StatusCode, body, err)
		}
		if res.Header.Get("X-Trace-Id") != "" {
			t.Errorf("%s has a trace", path)
		}
	}
	res, err := http.Get(base + "/")
	if err != nil {
		t.Fatal(err)
	}
	_ = res.Body.Close()
	logs.wait(t, `"msg":"request"`, `"http.response.status_code":502`, res.Header.Get("X-Trace-Id"))
	if err := stop(); err != nil {
		t.Errorf("stopping: %v", err)
	}
	logs.wait(t, `"msg":"stopped"`)
}

func TestRunRefuses(t *testing.T) {
	t.Setenv("OTEL_SDK_DISABLED", "true")
	for _, test := range []struct {
		args []string
		env  map[string]string
		want string
	}{
		{[]string{"serve"}, nil, "unexpected argument"},
		{nil, map[string]string{"LAB_TRACE_URL": "javascript:{trace_id}"}, "LAB_TRACE_URL"},
		{nil, map[string]string{"LISTEN_ADDR": "256.0.0.1:0"}, "listening"},
	} {
		var stdout bytes.Buffer
		err := run(t.Context(), test.args, func(name string) string { return test.env[name] }, &stdout)
		if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%v %v: error = %v, want one with %q", test.args, test.env, err, test.want)
		}
	}
}
