package telemetry

import (
	"context"
	"io"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"go.opentelemetry.io/otel/attribute"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
)

// tarpit passes connections on to a server. While it is stuck, it reads nothing more of those
// that it has, as a machine that is gone reads nothing; it passes on those that come later.
type tarpit struct {
	net.Listener
	server string
	stuck  atomic.Bool
}

func newTarpit(t *testing.T, server string) *tarpit {
	t.Helper()
	// A small buffer is full at once, and then the kernel acknowledges nothing more.
	small := net.ListenConfig{Control: func(_, _ string, c syscall.RawConn) error {
		return c.Control(func(fd uintptr) { _ = syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_RCVBUF, 2048) })
	}}
	ln, err := small.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &tarpit{Listener: ln, server: server}
	var mu sync.Mutex
	var open []net.Conn
	go func() {
		for {
			in, err := ln.Accept()
			if err != nil {
				return
			}
			out, err := net.Dial("tcp", server)
			if err != nil {
				_ = in.Close()
				continue
			}
			mu.Lock()
			open = append(open, in, out)
			first := len(open) == 2
			mu.Unlock()
			go func() { _, _ = io.Copy(in, out) }()
			go p.pass(out, in, first)
		}
	}()
	t.Cleanup(func() {
		_ = ln.Close()
		mu.Lock()
		defer mu.Unlock()
		for _, c := range open {
			_ = c.Close()
		}
	})
	return p
}

// pass copies until the connection ends; the first one until the tarpit is stuck.
func (p *tarpit) pass(to io.Writer, from io.Reader, first bool) {
	buffer := make([]byte, 512)
	for !first || !p.stuck.Load() {
		n, err := from.Read(buffer)
		if err != nil {
			return
		}
		if first && p.stuck.Load() {
			return
		}
		if _, err := to.Write(buffer[:n]); err != nil {
			return
		}
	}
}

// An export goes on over a new connection when the old one delivers nothing, in time for its
// data to be kept.
func TestDeadConnection(t *testing.T) {
	receiver := newBusyReceiver(1) // the first export finds the connection alive
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	receiver.overGRPC(t, ln)
	p := newTarpit(t, ln.Addr().String())
	before := notAcknowledged
	notAcknowledged = time.Second
	t.Cleanup(func() { notAcknowledged = before })
	t.Setenv("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc")
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://"+p.Addr().String())
	t.Setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "5000")
	exporter, err := otlpSpans(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer exporter.Shutdown(context.WithoutCancel(t.Context())) //nolint:errcheck // a test's
	if err := exporter.ExportSpans(t.Context(), large()); err != nil {
		t.Fatal(err)
	}
	p.stuck.Store(true)
	receiver.mu.Lock()
	receiver.asked["traces"], receiver.taken["traces"] = receiver.refusals, make(chan struct{})
	receiver.mu.Unlock()
	for range 6 { // more than one connection's buffers take
		if err = exporter.ExportSpans(t.Context(), large()); err != nil {
			break
		}
	}
	if err != nil {
		t.Fatalf("the data is lost: %v", err)
	}
	receiver.mu.Lock()
	defer receiver.mu.Unlock()
	if receiver.asked["traces"] < receiver.refusals+6 {
		t.Errorf("the receiver has %d exports", receiver.asked["traces"]-receiver.refusals)
	}
}

// large is a span of some 60 kB, about as much as gRPC sends before the server has read.
func large() []sdktrace.ReadOnlySpan {
	return tracetest.SpanStubs{{Name: "large", Attributes: []attribute.KeyValue{attribute.String("text", strings.Repeat("x", 60_000))}}}.Snapshots()
}
