package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
)

// BenchmarkAPI measures the whole program over real HTTP, with one request after
// another on one connection. It runs once with the SDK disabled, and once with all
// three signals exported over gRPC to a receiver in this process, whose work is
// measured too. Compare the two to see the cost of telemetry:
//
//	go test -run '^$' -bench API -count 6 ./services/backend
func BenchmarkAPI(b *testing.B) {
	for _, operation := range []struct {
		name string
		do   func(b *testing.B, base string, i int) *http.Response
		want int
	}{
		{"get", func(b *testing.B, base string, _ int) *http.Response { return get(b, base+"/users/1") }, 200},
		{"list", func(b *testing.B, base string, _ int) *http.Response { return get(b, base+"/users?limit=50") }, 200},
		{"create", func(b *testing.B, base string, i int) *http.Response {
			return post(b, base+"/users", fmt.Sprintf(`{"name":"Bench Mark","email":"bench%d@example.com"}`, i))
		}, 201},
	} {
		for _, telemetry := range []string{"off", "on"} {
			b.Run(operation.name+"/telemetry="+telemetry, func(b *testing.B) {
				newOTLPReceiver(b).configure(b)
				b.Setenv("OTEL_SDK_DISABLED", fmt.Sprint(telemetry == "off"))
				b.Setenv("OTEL_BSP_SCHEDULE_DELAY", "1000")
				b.Setenv("OTEL_METRIC_EXPORT_INTERVAL", "5000")
				base, stop := startQuietly(b)
				for i := range 60 {
					drain(b, post(b, base+"/users", fmt.Sprintf(`{"name":"Some Body","email":"body%d@example.com"}`, i)), 201)
				}
				b.ReportAllocs()
				i := 0
				for b.Loop() {
					drain(b, operation.do(b, base, i), operation.want)
					i++
				}
				b.StopTimer()
				if err := stop(); err != nil {
					b.Fatal(err)
				}
			})
		}
	}
}

// startQuietly is like start, but keeps no log.
func startQuietly(b *testing.B) (base string, stop func() error) {
	b.Helper()
	listening := &firstLine{message: `"msg":"listening"`, found: make(chan string, 1)}
	stop = launch(environment{"LISTEN_ADDR": "127.0.0.1:0", "DATABASE_PATH": filepath.Join(b.TempDir(), "users.db")}, listening)
	var line struct{ Address string }
	if err := json.Unmarshal([]byte(<-listening.found), &line); err != nil {
		b.Fatal(err)
	}
	return "http://" + line.Address, stop
}

// firstLine is a log that sends the first line with the given text, and drops all
// others.
type firstLine struct {
	message string
	found   chan string
}

func (f *firstLine) Write(p []byte) (int, error) {
	if f.message != "" && bytes.Contains(p, []byte(f.message)) {
		f.message = ""
		f.found <- string(p)
	}
	return len(p), nil
}

func get(b *testing.B, url string) *http.Response {
	res, err := http.Get(url)
	if err != nil {
		b.Fatal(err)
	}
	return res
}

func post(b *testing.B, url, body string) *http.Response {
	res, err := http.Post(url, "application/json", strings.NewReader(body))
	if err != nil {
		b.Fatal(err)
	}
	return res
}

func drain(b *testing.B, res *http.Response, want int) {
	if _, err := io.Copy(io.Discard, res.Body); err != nil {
		b.Fatal(err)
	}
	res.Body.Close()
	if res.StatusCode != want {
		b.Fatalf("status %d, want %d", res.StatusCode, want)
	}
}
