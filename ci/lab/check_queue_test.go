package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestCheckQueue(t *testing.T) {
	dir := t.TempDir()
	if code, out, stderr := lab(t, "check-queue", filepath.Join(dir, "not there yet")); code != 0 || out != "Alloy's queues are whole.\n" {
		t.Errorf("before Alloy's first start: exit %d, %q, %q", code, out, stderr)
	}
	queue := filepath.Join(dir, "exporter_otlphttp_tempo_traces")
	if err := os.WriteFile(queue, []byte("no queue"), 0o600); err != nil {
		t.Fatal(err)
	}
	code, out, stderr := lab(t, "check-queue", dir)
	if code != 0 || !strings.Contains(out, queue+".damaged-") || !strings.Contains(out, "lost") {
		t.Errorf("a damaged file: exit %d, %q, %q", code, out, stderr)
	}
	if _, err := os.Stat(queue); !os.IsNotExist(err) {
		t.Errorf("it is still there: %v", err)
	}
	refused(t, "one folder", "check-queue")
	// A folder that cannot be read is no empty folder: Alloy must not start.
	if code, _, stderr := lab(t, "check-queue", os.Args[0]); code != 1 || stderr == "" {
		t.Errorf("a file: exit %d, %q", code, stderr)
	}
}

// The init container of Alloy's pod gives a command line that the program knows.
func TestAlloysPodChecksItsQueue(t *testing.T) {
	raw, err := os.ReadFile(filepath.Join("..", "..", "config", "kubernetes", "base", "alloy.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	cmd, _, err := newRoot(&env{getenv: func(string) string { return "" }}).Find([]string{"check-queue"})
	if err != nil || !strings.Contains(string(raw), "args: ["+cmd.Name()+", /var/lib/alloy/data/queue]") {
		t.Errorf("the pod does not call lab %s: %v", cmd.Name(), err)
	}
}
