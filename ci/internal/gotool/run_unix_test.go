//go:build unix

package gotool

import (
	"context"
	"errors"
	"os"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// A child that ignores the interrupt must go as well.
func TestRunTreeLeavesNoOrphan(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	var child int
	err := runTree(ctx, tree{
		args: []string{"sh", "-c", "trap '' INT; sleep 600 & echo $!; wait"},
		stdout: func(line string) {
			child, _ = strconv.Atoi(line)
			cancel()
		},
		stderr: func(line string) { t.Log(line) },
		grace:  100 * time.Millisecond,
	})
	if !errors.Is(err, context.Canceled) {
		t.Fatalf("runTree() = %v, want context.Canceled", err)
	}
	if child == 0 {
		t.Fatal("no child")
	}
	// It is killed by now, which takes the kernel a moment.
	for deadline := time.Now().Add(5 * time.Second); alive(child); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("process %d is still there", child)
		}
	}
}

// What heeds the interrupt has the time to clean up, and is not waited for longer.
func TestRunTreeInterruptsFirst(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	var last string
	err := runTree(ctx, tree{
		args: []string{"sh", "-c", "trap 'echo cleaned up; exit 1' INT; echo ready; while :; do sleep 0.01; done"},
		stdout: func(line string) {
			last = line
			cancel()
		},
		stderr: func(line string) { t.Log(line) },
		grace:  time.Minute,
	})
	if !errors.Is(err, context.Canceled) || last != "cleaned up" {
		t.Errorf("runTree() = %v, and the last line was %q", err, last)
	}
}

// alive reports whether a process runs; one that is dead but not yet reaped by
// init does not.
func alive(pid int) bool {
	if err := syscall.Kill(pid, 0); err != nil {
		return false
	}
	stat, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	return err == nil && !strings.Contains(string(stat), ") Z ")
}

func TestRunTreeReadsAll(t *testing.T) {
	var out, errs []string
	err := runTree(t.Context(), tree{
		args:   []string{"sh", "-c", "echo a; echo b >&2; printf '%0100000d\n' 7; printf tail; exit 3"},
		stdout: func(line string) { out = append(out, line) },
		stderr: func(line string) { errs = append(errs, line) },
	})
	if err == nil || !strings.Contains(err.Error(), "exit status 3") {
		t.Errorf("runTree() = %v, want exit status 3", err)
	}
	if len(out) != 3 || out[0] != "a" || len(out[1]) != 100000 || out[2] != "tail" {
		t.Errorf("standard output has %d lines", len(out))
	}
	if len(errs) != 1 || errs[0] != "b" {
		t.Errorf("standard error is %q", errs)
	}
	over, cancel := context.WithCancel(t.Context())
	cancel()
	if err := runTree(over, tree{args: []string{"sh", "-c", "exit 0"}}); !errors.Is(err, context.Canceled) {
		t.Errorf("runTree() after the end = %v, want context.Canceled", err)
	}
}
